"""All measurements of the long-axis planes together, beside a stack and without one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from chambers import N_FRAMES, chambers
from hearts import heart, study_of

from cinema_cmr.core.results import HeartLocation, Measurements, Prediction
from cinema_cmr.core.study import Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.body import body_surface_area
from cinema_cmr.measure.long_axis.all_planes import measure_long_axis
from cinema_cmr.measure.measure import measure_masks, measure_study

SUBJECT = Subject(height_cm=180.0, weight_kg=80.0)


def with_stack(n_frames: int) -> Measurements:
    study, masks = chambers(subject=SUBJECT)
    cine, labels = heart(tuple(np.linspace(1.0, 0.7, n_frames)))
    return measure_masks(study_of(cine, *study.cines), {View.SAX: labels, **masks})


def test_values_stand_in_the_order_of_a_report() -> None:
    study, masks = chambers(subject=SUBJECT)
    surface = body_surface_area(study.subject)
    found = measure_long_axis(study, masks, {}, frames=(None, None), surface=surface, predicted=False)
    names = [one.name for one in found.measured]
    assert names.index("lv_ef_biplane_percent") < names.index("lv_gls_percent") < names.index("la_volume_max_ml")
    assert all(one.value is not None for one in found.measured)
    assert set(found.curves(N_FRAMES)) == {"la_volume_ml", "ra_area_4c_cm2"} and found.curves(N_FRAMES - 1) == {}


def test_nothing_changes_without_atria() -> None:
    study, masks = chambers()
    as_cine = {view: mask.in_scheme("cine") for view, mask in masks.items()}
    drawn, without = (measure_masks(study, labels) for labels in (masks, as_cine))
    assert {name: one for name, one in drawn.items() if not name.startswith(("la_", "ra_"))} == dict(without)
    assert len(drawn) == len(without) + 7


def test_curves_join_those_of_a_stack_with_as_many_frames() -> None:
    found = with_stack(N_FRAMES)
    assert len(found.curves["la_volume_ml"]) == len(found.curves["ra_area_4c_cm2"]) == N_FRAMES
    other = with_stack(N_FRAMES + 5)
    assert "la_volume_ml" not in other.curves and other["la_volume_max_ml"].value is not None


def test_masks_of_a_network_carry_the_flag_with_a_stack_and_without() -> None:
    study, masks = chambers(subject=SUBJECT)
    cine, labels = heart((1.0, 0.7))
    predictions = {
        view: Prediction(
            view=view,
            labels=one,
            confidence=np.ones(one.shape[3], np.float32),
            location=HeartLocation(centre=(0.0, 0.0), method="given"),
        )
        for view, one in {View.SAX: labels, **masks}.items()
    }
    whole = measure_study(study_of(cine, *study.cines), predictions)
    planes = measure_study(study, {view: predictions[view] for view in masks})
    drawn = measure_masks(study, masks)
    codes = [[flag.code for flag in found.flags] for found in (whole, planes, drawn)]
    assert ["atria-experimental" in one for one in codes] == [True, True, False]
    only = replace(masks[View.LAX_2C], array=np.zeros_like(masks[View.LAX_2C].array))
    assert measure_masks(study, {View.LAX_2C: only}).flags == ()
