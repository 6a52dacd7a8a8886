"""Measurements of corrected labels at once, by the functions that measured the model's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.results import LandmarkPrediction, Measurements
from cinema_cmr.core.serialise import from_dict
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.function import Chamber, mass_values, ventricle_values
from cinema_cmr.measure.measure import MeasureOptions, measure_masks
from cinema_cmr.measure.phases import Phases, find_phases, override_phases, reconcile_phases
from cinema_cmr.measure.quality.landmarks import plausible_by_view
from cinema_cmr.measure.valve_plane import find_valve_planes
from cinema_cmr.measure.volumes import CODES, Volumes, measure_volumes
from cinema_cmr.report.record.run_record import RunRecord
from cinema_cmr.report.record.study_record import LandmarkRecord, Point, StudyRecord

__all__ = ["Rules", "measure_all", "measure_stack"]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules of a run, and the frames that a reader chose."""

    run: RunRecord
    ed_frame: int | None
    es_frame: int | None

    @property
    def options(self) -> MeasureOptions:
        """The options of the run; the reader's frames take the place of those given to the run."""
        known = {field.name for field in fields(MeasureOptions)}
        options = from_dict(MeasureOptions, {name: one for name, one in self.run.options.items() if name in known})
        chosen = {"ed_frame": self.ed_frame, "es_frame": self.es_frame}
        return replace(options, **{name: frame for name, frame in chosen.items() if frame is not None})


def measure_all(record: StudyRecord, parts: Mapping[View, tuple[Cine, LabelMap]], rules: Rules) -> Measurements:
    """Return everything that `measure_masks` measures on these views."""
    study = Study(
        name="",
        cines=tuple(cine for cine, _ in parts.values()),
        subject=record.subject,
        modality=record.study.modality,
    )
    labels = {view: one for view, (_, one) in parts.items()}
    return measure_masks(study, labels, options=rules.options, landmarks=_plausible(record))


def measure_stack(record: StudyRecord, cine: Cine, labels: LabelMap, rules: Rules) -> Measurements:
    """Return volumes, function and mass of a short-axis stack: what must follow a stroke of the brush."""
    options = rules.options
    volumes = _volumes(record, cine, labels, options)
    own = (
        find_phases(curve, times_ms=cine.frame_times_ms, rr_interval_ms=cine.rr_interval_ms)
        for curve in (volumes.lv_ml, volumes.rv_ml)
    )
    phases = reconcile_phases(*own, n_frames=cine.n_frames, rule=options.phase_rule)
    if not cine.in_phase:
        unknown = Phases(ed=None, es=None, rule="", reason="the slices are not in phase")
        phases = unknown, unknown
    else:
        given = (options.ed_frame, options.es_frame, cine.n_frames)
        phases = override_phases(phases[0], *given), override_phases(phases[1], *given)
    lv, rv = (_chamber(name, volumes, labels, one) for name, one in zip(("lv", "rv"), phases, strict=True))
    myo = _chamber("myo", volumes, labels, phases[0])
    return Measurements(
        measured=(*ventricle_values(lv), *mass_values(lv, myo), *ventricle_values(rv)),
        curves={"lv_volume_ml": volumes.lv_ml, "rv_volume_ml": volumes.rv_ml, "myo_volume_ml": volumes.myo_ml},
        times_ms=cine.frame_times_ms,
    )


def _volumes(record: StudyRecord, cine: Cine, labels: LabelMap, options: MeasureOptions) -> Volumes:
    """Return the curves by the rule of the options; without hinge points "valve-plane" is "scmr"."""
    if options.basal_rule == "valve-plane":
        planes = find_valve_planes(cine, _plausible(record))
        if planes:
            return measure_volumes(cine, labels, basal_rule="valve-plane", valve_planes=planes)
    rule = "scmr" if options.basal_rule == "valve-plane" else options.basal_rule
    return measure_volumes(cine, labels, basal_rule=rule, min_myocardial_rim=options.min_myocardial_rim)


def _chamber(name: str, volumes: Volumes, labels: LabelMap, phases: Phases) -> Chamber:
    kind: Literal["lv", "rv", "myo"] = "lv" if name == "lv" else "rv" if name == "rv" else "myo"
    curve = {"lv": volumes.lv_ml, "rv": volumes.rv_ml, "myo": volumes.myo_ml}[kind]
    counted = volumes.lv_counted if kind == "lv" else np.any(labels.array == CODES[kind], axis=(0, 1))
    return Chamber(name=kind, volumes_ml=curve, counted=counted, phases=phases, rule="")


def _plausible(record: StudyRecord) -> dict[View, Landmarks]:
    return plausible_by_view({one.view: _landmarks(one) for one in record.landmarks})[0]


def _landmarks(one: LandmarkRecord) -> LandmarkPrediction:
    points = {name: np.array([_point(point) for point in by_frame]) for name, by_frame in one.points_ras_mm.items()}
    confidence = {name: np.array(by_frame, dtype=np.float64) for name, by_frame in one.confidence.items()}
    landmarks = Landmarks(view=one.view, points=points)
    return LandmarkPrediction(landmarks=landmarks, confidence=confidence, centre=(np.nan, np.nan), model=one.model)


def _point(point: Point | None) -> tuple[float, float, float]:
    return (np.nan, np.nan, np.nan) if point is None else point
