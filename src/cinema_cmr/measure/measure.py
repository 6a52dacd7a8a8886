"""From a study and its masks to all measurements, each with its rule, and the quality flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, Landmarks, check_same_grid
from cinema_cmr.core.errors import UsageError, unknown_name
from cinema_cmr.core.results import Flag, Measurement, Measurements, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.body import BsaFormula, body_surface_area, heart_rate
from cinema_cmr.measure.descent import THIN_WALL, descent_effect
from cinema_cmr.measure.function import (
    Chamber,
    cardiac_output,
    indexed_values,
    mass_values,
    ventricle_values,
)
from cinema_cmr.measure.key_frames import key_frame_values
from cinema_cmr.measure.long_axis.all_planes import measure_long_axis
from cinema_cmr.measure.long_axis.measurements import biplane_mismatch
from cinema_cmr.measure.papillary import PAPILLARY_RULES, PapillaryRule, with_muscle_in_mass
from cinema_cmr.measure.phases import Phases, find_phases, override_phases, reconcile_phases
from cinema_cmr.measure.quality.checks import issue_flags, quality_flags
from cinema_cmr.measure.quality.context import QualityContext
from cinema_cmr.measure.rates import rate_values
from cinema_cmr.measure.scar import measure_scar
from cinema_cmr.measure.shape import SegmentThickness, segment_thickness, wall_values
from cinema_cmr.measure.strain import circumferential_curves, circumferential_values
from cinema_cmr.measure.valve_plane import ValvePlanes, find_valve_planes
from cinema_cmr.measure.valve_plane_values import (
    describe_valve_planes,
    missing_valve_plane,
    valve_plane_effect,
    valve_plane_values,
)
from cinema_cmr.measure.volumes import (
    CLEAR_RIM,
    CODES,
    FRAMES_OF_MOTION,
    MIN_MYOCARDIAL_RIM,
    OLD_BASAL_RULES,
    BasalRule,
    Volumes,
    measure_volumes,
)

__all__ = ["MeasureOptions", "PhaseRule", "count_volumes", "measure_masks", "measure_study", "phases_of"]

PhaseRule = Literal["own", "lv"]

EVERY_SLICE = "every labelled slice counts"


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """Rules of the measurements; the defaults follow the SCMR recommendations (JCMR 2020;22:19)."""

    basal_rule: BasalRule = "scmr"
    """Basal blood: in wall, no atrium, all, to valve. "valve-plane" cuts at the hinge points; without them it is
    "scmr"; "half-rim", the former name of "scmr", is accepted."""
    min_myocardial_rim: float = MIN_MYOCARDIAL_RIM
    """Fraction of the rim that scmr requires, 0 to 1; see `volumes.MIN_MYOCARDIAL_RIM`."""
    phase_rule: PhaseRule = "own"
    """ED and ES of each ventricle, or those of the LV."""
    ed_frame: int | None = None
    """ED frame of both ventricles, from 0, in place of the one found."""
    es_frame: int | None = None
    """ES frame of both ventricles, from 0, in place of the one found."""
    papillary_rule: PapillaryRule = "blood"
    """Papillary muscles in the LV blood or the mass."""
    bsa_formula: BsaFormula = "mosteller"
    """Formula of the body surface area."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "basal_rule", OLD_BASAL_RULES.get(self.basal_rule, self.basal_rule))
        for kind, value, names in (
            ("basal rule", self.basal_rule, get_args(BasalRule)),
            ("phase rule", self.phase_rule, get_args(PhaseRule)),
            ("papillary rule", self.papillary_rule, get_args(PapillaryRule)),
            ("body surface area formula", self.bsa_formula, get_args(BsaFormula)),
        ):
            if value not in names:
                raise unknown_name(kind, value, names)
        if not 0 <= self.min_myocardial_rim <= 1:
            raise UsageError(
                f"min_myocardial_rim is {self.min_myocardial_rim:g}; expected a fraction from 0 to 1, such as 0.4"
            )
        if self.ed_frame is not None and self.ed_frame == self.es_frame:
            raise UsageError(
                f"frame {self.ed_frame} is given as ED and as ES; expected two different frames: correct one of them"
            )


DEFAULTS = MeasureOptions()


def measure_study(
    study: Study,
    predictions: Mapping[View, Prediction],
    *,
    options: MeasureOptions = DEFAULTS,
    landmarks: Mapping[View, Landmarks] | None = None,
) -> Measurements:
    """Measure the predictions of a study; what cannot be measured has no value but a reason.

    Volumes and function come from the short-axis mask, with any number of frames; infarct and no-reflow from a scar
    map (`measure_scar`); long-axis motion from `landmarks`; biplane volumes and atria from 2- and 4-chamber masks.
    Raises `UsageError` for frames that the study does not have, `GeometryError` for a mask on another grid than its
    cine, `NoCineError` for a prediction of a view that the study lacks.
    """
    labels = {view: prediction.labels for view, prediction in predictions.items()}
    return _measure(study, labels, options, landmarks or {}, predictions)


def measure_masks(
    study: Study | Cine,
    labels: LabelMap | NDArray[Any] | Mapping[View, LabelMap],
    *,
    options: MeasureOptions = DEFAULTS,
    landmarks: Mapping[View, Landmarks] | None = None,
) -> Measurements:
    """Measure label maps that no model predicted, such as those of an expert, as `measure_study` does.

    A single `LabelMap`, or an array (x, y, z, t) of our codes, belongs to the given cine, or to the short-axis cine of
    the given study. Flags that need a model's confidence, post-processing or field of view are not raised. Raises as
    `measure_study` and `LabelMap.from_array` do.
    """
    view = study.view if isinstance(study, Cine) else View.SAX
    if isinstance(labels, np.ndarray):
        labels = LabelMap.from_array(labels)
    by_view = {view: labels} if isinstance(labels, LabelMap) else labels
    whole = Study(name="", cines=(study,)) if isinstance(study, Cine) else study
    return _measure(whole, by_view, options, landmarks or {}, {})


def _measure(
    study: Study,
    labels: Mapping[View, LabelMap],
    options: MeasureOptions,
    landmarks: Mapping[View, Landmarks],
    predictions: Mapping[View, Prediction],
) -> Measurements:
    for view, one in labels.items():
        check_same_grid(one, study.cine(view))
    surface = body_surface_area(study.subject, options.bsa_formula)
    frames, predicted = (options.ed_frame, options.es_frame), bool(predictions)
    long_axis = measure_long_axis(study, labels, landmarks, frames=frames, surface=surface, predicted=predicted)
    if View.SAX not in labels:
        values = _short_axis_values(study, _no_stack(), options)
        return Measurements(measured=(*values, *long_axis.measured), flags=(*long_axis.flags, *issue_flags(study)))
    cine, mask, prediction = study.cine(View.SAX), labels[View.SAX], predictions.get(View.SAX)
    if mask.scheme == "scar":
        return measure_scar(study, mask, prediction=prediction)
    volumes, cut = _volumes(cine, mask, options, landmarks)
    stack = _stack(cine, mask, volumes, options)
    up_to_valve = valve_plane_values(cut, phases_of(cine, cut, options)[0] if cut else None)
    values = (*_short_axis_values(study, stack, options), *up_to_valve)
    context = QualityContext(
        study=study,
        cine=cine,
        labels=mask,
        volumes=volumes,
        lv=stack.lv.phases,
        rv=stack.rv.phases,
        values={value.name: value for value in values},
        prediction=prediction,
        landmarks=landmarks,
    )
    by_name = {value.name: value for value in (*values, *long_axis.measured)}
    of_rules = (
        biplane_mismatch(by_name),
        valve_plane_effect(by_name, volumes.basal_rule),
        missing_valve_plane(options.basal_rule, volumes.basal_rule),
        _descent_effect(cine, mask, volumes, options, landmarks),
    )
    return Measurements(
        measured=(*values, *long_axis.measured),
        curves={**_volume_curves(volumes), **stack.contours_mm, **long_axis.curves(cine.n_frames)},
        times_ms=cine.frame_times_ms,
        flags=(*quality_flags(context), *(flag for flag in of_rules if flag is not None), *long_axis.flags),
    )


def _descent_effect(
    cine: Cine, labels: LabelMap, volumes: Volumes, options: MeasureOptions, landmarks: Mapping[View, Landmarks]
) -> Flag | None:
    """Compare the ejection fractions by the rules "scmr" and "descent", if `volumes` were counted by one of them."""
    others: Mapping[BasalRule, BasalRule] = {"scmr": "descent", "descent": "scmr"}
    other = others.get(volumes.basal_rule)
    if other is None:
        return None
    again = count_volumes(cine, labels, replace(options, basal_rule=other), landmarks=landmarks)
    counted = {volumes.basal_rule: volumes, other: again}
    scmr, descent = (_ejection_fraction(cine, counted[rule], options) for rule in ("scmr", "descent"))
    return descent_effect(scmr, descent, volumes.basal_rule)


def _ejection_fraction(cine: Cine, volumes: Volumes, options: MeasureOptions) -> float | None:
    lv, _ = phases_of(cine, volumes, options)
    if lv.ed is None or lv.es is None:
        return None
    return float(100 * (1 - volumes.lv_ml[lv.es] / volumes.lv_ml[lv.ed]))


def _volume_curves(volumes: Volumes) -> dict[str, NDArray[np.float64]]:
    return {"lv_volume_ml": volumes.lv_ml, "rv_volume_ml": volumes.rv_ml, "myo_volume_ml": volumes.myo_ml}


def _volumes(
    cine: Cine, labels: LabelMap, options: MeasureOptions, landmarks: Mapping[View, Landmarks]
) -> tuple[Volumes, Volumes | None]:
    """Return the curves by the rule of the options, and those up to the valve plane, or None without one."""
    planes = find_valve_planes(cine, landmarks)
    to_valve = replace(options, basal_rule="valve-plane")
    cut = count_volumes(cine, labels, to_valve, planes, landmarks) if planes else None
    if options.basal_rule == "valve-plane" and cut:
        return cut, cut
    return count_volumes(cine, labels, options, landmarks=landmarks), cut


def count_volumes(
    cine: Cine,
    labels: LabelMap,
    options: MeasureOptions,
    planes: ValvePlanes | None = None,
    landmarks: Mapping[View, Landmarks] | None = None,
) -> Volumes:
    """Return the volume curves of a stack by the rules of the options; without planes "valve-plane" is "scmr".

    `landmarks` of the long-axis views are evidence for the end that is the base.
    """
    found = measure_volumes(
        cine,
        labels,
        basal_rule="scmr" if options.basal_rule == "valve-plane" and planes is None else options.basal_rule,
        min_myocardial_rim=options.min_myocardial_rim,
        valve_planes=planes,
        landmarks=landmarks,
    )
    return with_muscle_in_mass(found, cine, labels) if options.papillary_rule == "mass" else found


@dataclass(frozen=True, kw_only=True)
class _Stack:
    """Curves, phases and wall thickness of a short-axis stack."""

    lv: Chamber
    rv: Chamber
    myo: Chamber
    wall_ed: SegmentThickness
    wall_es: SegmentThickness
    contours_mm: dict[str, NDArray[np.float64]]
    """Summed length of the LV's contours in each frame, by name."""
    cine: Cine | None


def _no_stack() -> _Stack:
    reason = "the study has no short-axis mask"
    phases = Phases(ed=None, es=None, rule="", reason=reason)

    def chamber(name: Literal["lv", "rv", "myo"]) -> Chamber:
        return Chamber(name=name, volumes_ml=np.empty(0), counted=np.empty((0, 0), dtype=bool), phases=phases, rule="")

    wall = SegmentThickness.absent(reason)
    return _Stack(
        lv=chamber("lv"), rv=chamber("rv"), myo=chamber("myo"), wall_ed=wall, wall_es=wall, contours_mm={}, cine=None
    )


def _stack(cine: Cine, labels: LabelMap, volumes: Volumes, options: MeasureOptions) -> _Stack:
    lv, rv = phases_of(cine, volumes, options)
    papillary = PAPILLARY_RULES[options.papillary_rule]
    rv_present, myo_present = (np.any(labels.array == CODES[name], axis=(0, 1)) for name in ("rv", "myo"))

    def wall(frame: int | None) -> SegmentThickness:
        if frame is None:
            return SegmentThickness.absent(f"LV: {lv.reason}")
        return segment_thickness(cine, labels, frame, volumes)

    return _Stack(
        lv=Chamber(
            name="lv",
            volumes_ml=volumes.lv_ml,
            counted=volumes.lv_counted,
            phases=lv,
            rule=f"{_describe_basal_rule(volumes)}; {papillary}",
        ),
        rv=Chamber(name="rv", volumes_ml=volumes.rv_ml, counted=rv_present, phases=rv, rule=EVERY_SLICE),
        myo=Chamber(
            name="myo",
            volumes_ml=volumes.myo_ml,
            counted=myo_present,
            phases=lv,
            rule=_describe_wall_rule(volumes),
            papillary=papillary,
        ),
        wall_ed=wall(lv.ed),
        wall_es=wall(lv.es),
        contours_mm=circumferential_curves(cine, labels),
        cine=cine,
    )


def _describe_basal_rule(volumes: Volumes) -> str:
    if volumes.basal_rule == "all-slices":
        return EVERY_SLICE
    if volumes.valve_planes is not None:
        return describe_valve_planes(volumes.valve_planes)
    if volumes.base is None:
        return f"{EVERY_SLICE}, because base and apex cannot be distinguished"
    atrium = (
        "; at the base not where the wall is less than"
        f" {100 * THIN_WALL:g} % as thick as below while the blood shrinks less (atrium in systole)"
    )
    return (
        f"a basal slice counts if myocardium borders at least {100 * volumes.min_myocardial_rim:g} % of the rim of its"
        f" blood (min_myocardial_rim={volumes.min_myocardial_rim:g}; half of it in SCMR, JCMR 2020;22:19); with less"
        f" than {100 * CLEAR_RIM:g} %, only if it counts in a frame beside too (in {FRAMES_OF_MOTION} frames or more)"
        + (atrium if volumes.basal_rule == "descent" else "")
    )


def _describe_wall_rule(volumes: Volumes) -> str:
    frames = np.flatnonzero(volumes.lone.any(axis=0)).tolist()
    if not frames:
        return EVERY_SLICE
    return f"{EVERY_SLICE}, but a base that is there in one frame alone: {', '.join(map(str, frames))} (from 0)"


def phases_of(cine: Cine, volumes: Volumes, options: MeasureOptions) -> tuple[Phases, Phases]:
    """Return ED and ES of LV and RV by the rules of the options."""
    if not cine.in_phase:
        reason = "the slices are not in phase: a frame shows different phases of the cycle"
        unknown = Phases(ed=None, es=None, rule="", reason=reason)
        return unknown, unknown
    own = (
        find_phases(curve, times_ms=cine.frame_times_ms, rr_interval_ms=cine.rr_interval_ms)
        for curve in (volumes.lv_ml, volumes.rv_ml)
    )
    lv, rv = reconcile_phases(*own, n_frames=cine.n_frames, rule=options.phase_rule)
    given = (options.ed_frame, options.es_frame, cine.n_frames)
    return override_phases(lv, *given), override_phases(rv, *given)


def _short_axis_values(study: Study, stack: _Stack, options: MeasureOptions) -> tuple[Measurement, ...]:
    """Return all measurements of the short axis, in the order of a report."""
    cine = stack.cine
    rate = heart_rate(study.subject, cine)
    surface = body_surface_area(study.subject, options.bsa_formula)
    volumes = (*ventricle_values(stack.lv), *mass_values(stack.lv, stack.myo), *ventricle_values(stack.rv))
    by_name = {value.name: value for value in volumes}
    output = cardiac_output(by_name["lv_sv_ml"], rate)
    by_name[output.name] = output
    times, interval = (cine.frame_times_ms, cine.rr_interval_ms) if cine else (None, None)
    rates = (
        value
        for chamber in (stack.lv, stack.rv)
        for value in rate_values(chamber, times_ms=times, rr_interval_ms=interval)
    )
    return (
        *volumes,
        rate,
        output,
        surface,
        *indexed_values(by_name, surface),
        *rates,
        *key_frame_values(stack.lv, times_ms=times, rr_interval_ms=interval),
        *circumferential_values(stack.contours_mm, stack.lv.phases),
        *wall_values(stack.wall_ed, stack.wall_es),
    )
