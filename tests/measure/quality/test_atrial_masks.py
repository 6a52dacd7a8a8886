"""Flags of the atria: what they were learned from, a wrong phase, and an atrium that the image cuts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from chambers import ES, LA, RA, chambers, emptied, plane

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import Flag
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.body import body_surface_area
from cinema_cmr.measure.long_axis.all_planes import measure_long_axis

Masks = Mapping[View, LabelMap]


def flags_of(study: Study, masks: Masks, *, predicted: bool = False) -> dict[str, Flag]:
    surface = body_surface_area(study.subject)
    found = measure_long_axis(study, masks, {}, frames=(None, None), surface=surface, predicted=predicted)
    return {flag.code: flag for flag in found.flags}


def with_fullness(masks: Masks, full: np.ndarray) -> dict[View, LabelMap]:  # type: ignore[type-arg]
    """The masks with atria as full as given in each frame, whatever the ventricles do."""
    arrays = {
        view: np.stack([plane(view, a, b) for a, b in zip(emptied(), full, strict=True)], axis=-1)[:, :, None]
        for view in masks
    }
    return {view: LabelMap(array=array, scheme="chambers") for view, array in arrays.items()}


def test_a_sound_atrium_raises_nothing_unless_a_network_drew_it() -> None:
    study, masks = chambers()
    assert flags_of(study, masks) == {}
    found = flags_of(study, masks, predicted=True)
    assert set(found) == {"atria-experimental"} and found["atria-experimental"].severity == "info"
    assert found["atria-experimental"].evidence["measurements"] == 6


def test_no_flag_without_an_atrial_value() -> None:
    study, masks = chambers()
    as_cine = {view: mask.in_scheme("cine") for view, mask in masks.items()}
    assert flags_of(study, as_cine, predicted=True) == {}
    two = {View.LAX_2C: masks[View.LAX_2C]}
    assert flags_of(study, two, predicted=True) == {}


def test_an_atrium_that_fills_with_the_ventricle_is_out_of_phase() -> None:
    study, masks = chambers()
    found = flags_of(study, with_fullness(masks, np.maximum(1 - emptied(), 1e-3)))
    assert set(found) == {"atrium-out-of-phase"} and found["atrium-out-of-phase"].severity == "warning"
    evidence = found["atrium-out-of-phase"].evidence
    assert evidence["lv_ed_frame"] == 0 and evidence["lv_es_frame"] == ES
    still = flags_of(study, with_fullness(masks, 1 - 0.1 * emptied()))
    assert still == {}, "an atrium that hardly moves has no phase"


@pytest.mark.parametrize("code", [LA, RA])
def test_an_atrium_at_the_edge_of_the_image_is_cut_off(code: int) -> None:
    study, masks = chambers()
    four = masks[View.LAX_4C]
    first = int(np.flatnonzero((four.array == code).any(axis=(0, 2, 3)))[0])
    for margin, flagged in ((1, True), (2, False)):
        start = first - margin
        cropped = replace(four, array=four.array[:, start:])
        cine = replace(study.cine(View.LAX_4C), array=study.cine(View.LAX_4C).array[:, start:])
        labels = {**masks, View.LAX_4C: cropped}
        if code == RA:  # the left atrium reaches further, and is rubbed out
            array = cropped.array.copy()
            array[array == LA] = 0
            labels[View.LAX_4C] = replace(cropped, array=array)
        found = flags_of(replace(study, cines=(cine, study.cine(View.LAX_2C))), labels)
        assert ("atrium-cut-off" in found) == flagged
        if flagged:
            name = "la" if code == LA else "ra"
            assert set(found["atrium-cut-off"].evidence) == {f"{name}_lax_4c_pixels"}


def test_an_edge_that_is_met_while_the_atrium_is_small_cuts_nothing() -> None:
    study, masks = chambers()
    four = masks[View.LAX_4C]
    four.array[68:72, :40, 0, 0] = LA
    assert flags_of(study, masks) == {}


@pytest.mark.parametrize(("code", "name"), [(LA, "left"), (RA, "right")])
def test_an_atrium_that_jumps_is_uneven(code: int, name: str) -> None:
    """Two frames in which half of an atrium is lost: too many for a running median, and unlike any emptying."""
    study, masks = chambers()
    array = masks[View.LAX_4C].array.copy()
    for frame in (9, 10):
        columns = np.flatnonzero((array[..., frame] == code).any(axis=(0, 2)))
        lost = array[:, : columns[2 * len(columns) // 3], 0, frame]
        lost[lost == code] = 0
    found = flags_of(study, {**masks, View.LAX_4C: LabelMap(array=array, scheme="chambers")})
    assert set(found) == {"atrium-uneven"} and found["atrium-uneven"].severity == "warning"
    assert f"area of the {name} atrium" in found["atrium-uneven"].message


def test_of_few_frames_no_atrium_is_uneven() -> None:
    study, masks = chambers(n_frames=8)
    arrays = {view: mask.array.copy() for view, mask in masks.items()}
    arrays[View.LAX_4C][:, :40, :, 3] = 0
    assert flags_of(study, {view: LabelMap(array=one, scheme="chambers") for view, one in arrays.items()}) == {}
