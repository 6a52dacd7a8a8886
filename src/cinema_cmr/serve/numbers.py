"""Measurements of corrected labels at once, by the functions that measured the model's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.edits import MovedPoint
from cinema_cmr.core.results import Measurements
from cinema_cmr.core.run_facts import OptionValue
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.function import Chamber, mass_values, ventricle_values
from cinema_cmr.measure.long_axis.measurements import long_axis_values
from cinema_cmr.measure.measure import MeasureOptions, count_volumes, phases_of
from cinema_cmr.measure.phases import Phases
from cinema_cmr.measure.quality.landmarks import plausible_by_view
from cinema_cmr.measure.valve_plane import find_valve_planes
from cinema_cmr.measure.volumes import CODES, Volumes
from cinema_cmr.pipeline.moved_points import move_points
from cinema_cmr.pipeline.restored_parts import (
    complete_options,
    measure_again,
    stored_options,
    stored_prediction,
)
from cinema_cmr.report.record.run_record import RunRecord
from cinema_cmr.report.record.study_record import StudyRecord

__all__ = [
    "FRAMES",
    "CountedStack",
    "chosen_rules",
    "count_stack",
    "follows_landmarks",
    "measure_all",
    "measure_stack",
    "model_rules",
    "result_rules",
]

FRAMES = ("ed_frame", "es_frame")
"""Options of the phases, which a reader of the page may choose."""

_RULES = (*FRAMES, "basal_rule")
"""All options that a reader of the page may change."""

Chosen = Mapping[str, OptionValue]
"""Option -> the reader's choice; None where there is none."""

Parts = Mapping[View, tuple[Cine, LabelMap]]


@dataclass(frozen=True, kw_only=True)
class CountedStack:
    """What the labels of a short-axis stack come to, whichever frames are ED and ES."""

    cine: Cine
    volumes: Volumes
    present: Mapping[str, NDArray[np.bool_]]
    """Structure -> (z, t) whether a slice holds it."""


def model_rules(record: StudyRecord, run: RunRecord) -> dict[str, OptionValue]:
    """Return ED and ES as they were given to the model's own run, None where they were found, and its basal rule."""
    options = complete_options(run.options if record.edits is None else record.edits.model_options(run.options))
    return {name: options[name] for name in _RULES}


def result_rules(run: RunRecord) -> dict[str, OptionValue]:
    """Return ED, ES and the basal rule that the results were measured with."""
    options = complete_options(run.options)
    return {name: options[name] for name in _RULES}


def chosen_rules(record: StudyRecord, run: RunRecord, chosen: Chosen) -> dict[str, OptionValue]:
    """Return the reader's choices; else ED and ES as given to the model's run, and the basal rule of the results."""
    own = {**model_rules(record, run), "basal_rule": result_rules(run)["basal_rule"]}
    return {name: own[name] if chosen.get(name) is None else chosen[name] for name in _RULES}


def _options(record: StudyRecord, run: RunRecord, chosen: Chosen) -> MeasureOptions:
    return replace(stored_options(run), **chosen_rules(record, run, chosen))  # type: ignore[arg-type]  # of the run


def measure_all(
    record: StudyRecord,
    run: RunRecord,
    parts: Parts,
    chosen: Chosen,
    moved: Sequence[MovedPoint] = (),
    *,
    corrected: bool = True,
) -> Measurements:
    """Return everything that `cinema remeasure` measures on these views, by the rules of the run, without its notes on
    what was edited; flags of the reader and of the model are those of the record.

    `moved` are landmarks that lie elsewhere than in the record; `corrected` masks differ from the model's own.
    """
    cines = tuple(cine for cine, _ in parts.values())
    study = Study(name="", cines=cines, subject=record.subject, modality=record.study.modality, issues=record.issues)
    predictions = {
        one.view: stored_prediction(one, parts[one.view][1].array, record)
        for one in record.predictions
        if one.view in parts
    }
    return measure_again(
        study,
        predictions,
        _options(record, run, chosen),
        record,
        landmarks=move_points(record, moved)[0],
        corrected=corrected,
    )


def count_stack(
    record: StudyRecord,
    run: RunRecord,
    part: tuple[Cine, LabelMap],
    chosen: Chosen,
    moved: Sequence[MovedPoint] = (),
) -> CountedStack:
    """Return the volume curves of a short-axis stack by the rules of the run and the reader's basal rule.

    Landmarks change them by the rule "valve-plane" (`follows_landmarks`); else they are evidence for the base alone.
    """
    cine, labels = part
    options = _options(record, run, chosen)
    landmarks = _plausible(record, moved)
    planes = find_valve_planes(cine, landmarks) if options.basal_rule == "valve-plane" else None
    present = {name: np.any(labels.array == code, axis=(0, 1)) for name, code in CODES.items()}
    return CountedStack(cine=cine, volumes=count_volumes(cine, labels, options, planes, landmarks), present=present)


def follows_landmarks(record: StudyRecord, run: RunRecord, chosen: Chosen) -> bool:
    """Return whether the volumes depend on the hinge points of the long axes."""
    return _options(record, run, chosen).basal_rule == "valve-plane"


def measure_stack(
    record: StudyRecord,
    run: RunRecord,
    counted: CountedStack,
    chosen: Chosen,
    moved: Sequence[MovedPoint] = (),
) -> Measurements:
    """Return volumes, function and mass of a short-axis stack, and motion of landmarks: what must follow the hand."""
    cine, volumes = counted.cine, counted.volumes
    options = _options(record, run, chosen)
    phases = phases_of(cine, volumes, options)
    lv, rv = _chamber("lv", counted, phases[0]), _chamber("rv", counted, phases[1])
    landmarks = _plausible(record, moved)
    return Measurements(
        measured=(
            *ventricle_values(lv),
            *mass_values(lv, _chamber("myo", counted, phases[0])),
            *ventricle_values(rv),
            *long_axis_values(landmarks, ed=options.ed_frame, es=options.es_frame, n_stack=cine.n_frames),
        ),
        curves={"lv_volume_ml": volumes.lv_ml, "rv_volume_ml": volumes.rv_ml, "myo_volume_ml": volumes.myo_ml},
        times_ms=cine.frame_times_ms,
    )


def _chamber(name: Literal["lv", "rv", "myo"], stack: CountedStack, phases: Phases) -> Chamber:
    volumes = stack.volumes
    curve = {"lv": volumes.lv_ml, "rv": volumes.rv_ml, "myo": volumes.myo_ml}[name]
    counted = volumes.lv_counted if name == "lv" else stack.present[name]
    return Chamber(name=name, volumes_ml=curve, counted=counted, phases=phases, rule="")


def _plausible(record: StudyRecord, moved: Sequence[MovedPoint]) -> dict[View, Landmarks]:
    return plausible_by_view(move_points(record, moved)[0])[0]
