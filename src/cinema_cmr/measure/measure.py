"""The door of the measure room: from a study and its masks to every number, with its rule, and the flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.errors import UsageError, unknown_name
from cinema_cmr.core.results import Measurement, Measurements, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.body import BsaFormula, body_surface_area, heart_rate
from cinema_cmr.measure.function import (
    PAPILLARY,
    Chamber,
    cardiac_output,
    indexed_values,
    mass_values,
    ventricle_values,
)
from cinema_cmr.measure.long_axis import biplane_mismatch, biplane_values, long_axis_curves, long_axis_values
from cinema_cmr.measure.phases import Phases, find_phases, phases_of_both, with_given_frames
from cinema_cmr.measure.quality.checks import issue_flags, quality_flags
from cinema_cmr.measure.quality.context import QualityContext
from cinema_cmr.measure.rates import rate_values
from cinema_cmr.measure.scar import measure_scar
from cinema_cmr.measure.shape import SegmentThickness, no_thickness, segment_thickness, wall_values
from cinema_cmr.measure.volumes import CODES, BasalRule, Volumes, measure_volumes

__all__ = ["MeasureOptions", "PhaseRule", "measure_study"]

PhaseRule = Literal["own", "lv"]

EVERY_SLICE = "every labelled slice counts"


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """Which rules to measure by; the defaults are those of the SCMR recommendations (JCMR 2020;22:19)."""

    basal_rule: BasalRule = "half-rim"
    """LV blood of a basal slice counts with at least half of its rim in myocardium (40 % of a mask's, see
    `volumes.LEAST_OF_RIM`), or in every labelled slice."""
    phase_rule: PhaseRule = "own"
    """ED and ES of each ventricle's own curve, or the LV's frames for both."""
    ed_frame: int | None = None
    """End-diastole as the user gives it, from 0, for both ventricles; None finds it."""
    es_frame: int | None = None
    """End-systole as the user gives it."""
    bsa_formula: BsaFormula = "mosteller"

    def __post_init__(self) -> None:
        for kind, value, known in (
            ("basal rule", self.basal_rule, get_args(BasalRule)),
            ("phase rule", self.phase_rule, get_args(PhaseRule)),
            ("body surface area formula", self.bsa_formula, get_args(BsaFormula)),
        ):
            if value not in known:
                raise unknown_name(kind, value, known)
        if self.ed_frame is not None and self.ed_frame == self.es_frame:
            raise UsageError(f"frame {self.ed_frame} is given as ED and as ES; they must be two frames")


DEFAULTS = MeasureOptions()


def measure_study(
    study: Study,
    predictions: Mapping[View, Prediction],
    *,
    options: MeasureOptions = DEFAULTS,
    landmarks: Mapping[View, Landmarks] | None = None,
) -> Measurements:
    """Everything that can be measured of one study; the rest without a value and with the reason.

    Volumes come from the short-axis mask, of any number of frames; of a scar map infarct and no-reflow alone
    (`measure_scar`); long-axis motion from landmarks; biplane
    volumes from 2- and 4-chamber masks. Raises `UsageError` for frames that the study does not have,
    `GeometryError` for a mask on another grid than its cine's, `NoCineError` for a prediction of a view
    that the study lacks.
    """
    n_stack = study.cine(View.SAX).n_frames if View.SAX in study else None
    beside = (
        *long_axis_values(landmarks or {}, ed=options.ed_frame, es=options.es_frame, n_stack=n_stack),
        *biplane_values(study, predictions),
    )
    if View.SAX not in predictions:
        values = _values(study, _no_stack(), options)
        return Measurements(measured=(*values, *beside), flags=issue_flags(study))
    prediction, cine = predictions[View.SAX], study.cine(View.SAX)
    if prediction.labels.scheme == "scar":
        return measure_scar(study, prediction)
    volumes = measure_volumes(cine, prediction.labels, basal_rule=options.basal_rule)
    stack = _stack(cine, prediction, volumes, options)
    values = _values(study, stack, options)
    context = QualityContext(
        study=study,
        cine=cine,
        prediction=prediction,
        volumes=volumes,
        lv=stack.lv.phases,
        rv=stack.rv.phases,
        values={value.name: value for value in values},
    )
    mismatch = biplane_mismatch({value.name: value for value in (*values, *beside)})
    return Measurements(
        measured=(*values, *beside),
        curves={
            "lv_volume_ml": volumes.lv_ml,
            "rv_volume_ml": volumes.rv_ml,
            "myo_volume_ml": volumes.myo_ml,
            **long_axis_curves(landmarks or {}, n_frames=cine.n_frames),
        },
        times_ms=cine.frame_times_ms,
        flags=(*quality_flags(context), *((mismatch,) if mismatch else ())),
    )


@dataclass(frozen=True, kw_only=True)
class _Stack:
    """What the short axis gives: three curves, two phases, the wall."""

    lv: Chamber
    rv: Chamber
    myo: Chamber
    wall_ed: SegmentThickness
    wall_es: SegmentThickness
    cine: Cine | None


def _no_stack() -> _Stack:
    reason = "the study has no short-axis mask"
    nothing = Phases(ed=None, es=None, rule="", reason=reason)

    def chamber(name: Literal["lv", "rv", "myo"]) -> Chamber:
        return Chamber(name=name, volumes_ml=np.empty(0), counted=np.empty((0, 0), dtype=bool), phases=nothing, rule="")

    wall = no_thickness(reason)
    return _Stack(lv=chamber("lv"), rv=chamber("rv"), myo=chamber("myo"), wall_ed=wall, wall_es=wall, cine=None)


def _stack(cine: Cine, prediction: Prediction, volumes: Volumes, options: MeasureOptions) -> _Stack:
    labels = prediction.labels
    lv, rv = _phases(cine, volumes, options)
    rv_present, myo_present = (np.any(labels.array == CODES[name], axis=(0, 1)) for name in ("rv", "myo"))

    def wall(frame: int | None) -> SegmentThickness:
        if frame is None:
            return no_thickness(f"LV: {lv.reason}")
        return segment_thickness(cine, labels, frame, volumes)

    return _Stack(
        lv=Chamber(
            name="lv",
            volumes_ml=volumes.lv_ml,
            counted=volumes.lv_counted,
            phases=lv,
            rule=f"{_basal_rule(volumes)}; {PAPILLARY}",
        ),
        rv=Chamber(name="rv", volumes_ml=volumes.rv_ml, counted=rv_present, phases=rv, rule=EVERY_SLICE),
        myo=Chamber(name="myo", volumes_ml=volumes.myo_ml, counted=myo_present, phases=lv, rule=EVERY_SLICE),
        wall_ed=wall(lv.ed),
        wall_es=wall(lv.es),
        cine=cine,
    )


def _basal_rule(volumes: Volumes) -> str:
    if volumes.basal_rule == "all-slices":
        return EVERY_SLICE
    if volumes.base is None:
        return f"{EVERY_SLICE}, as base and apex cannot be told apart"
    return (
        "a basal slice counts with at least half of its blood's rim in myocardium (SCMR, JCMR 2020;22:19; 40 % of a"
        " mask's rim is taken for half)"
    )


def _phases(cine: Cine, volumes: Volumes, options: MeasureOptions) -> tuple[Phases, Phases]:
    """ED and ES of both ventricles by the options' rule."""
    found = (
        find_phases(curve, times_ms=cine.frame_times_ms, rr_interval_ms=cine.rr_interval_ms)
        for curve in (volumes.lv_ml, volumes.rv_ml)
    )
    lv, rv = phases_of_both(*found, n_frames=cine.n_frames, rule=options.phase_rule)
    given = (options.ed_frame, options.es_frame, cine.n_frames)
    return with_given_frames(lv, *given), with_given_frames(rv, *given)


def _values(study: Study, stack: _Stack, options: MeasureOptions) -> tuple[Measurement, ...]:
    """All measurements of the short axis, in the order of a report."""
    cine = stack.cine
    rate = heart_rate(study.subject, cine)
    surface = body_surface_area(study.subject, options.bsa_formula)
    volumes = (*ventricle_values(stack.lv), *mass_values(stack.lv, stack.myo), *ventricle_values(stack.rv))
    named = {value.name: value for value in volumes}
    output = cardiac_output(named["lv_sv_ml"], rate)
    named[output.name] = output
    times, interval = (cine.frame_times_ms, cine.rr_interval_ms) if cine else (None, None)
    rates = (
        value
        for chamber in (stack.lv, stack.rv)
        for value in rate_values(chamber, times_ms=times, rr_interval_ms=interval)
    )
    indexed = indexed_values(named, surface)
    return (*volumes, rate, output, surface, *indexed, *rates, *wall_values(stack.wall_ed, stack.wall_es))
