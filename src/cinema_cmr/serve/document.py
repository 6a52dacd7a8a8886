"""The document of an opened study: geometry for display, plots, and its numbers beside the model's."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import apply_affine, unit
from cinema_cmr.core.results import Flag, LandmarkPrediction, Measurement, Measurements
from cinema_cmr.core.serialise import Json, json_values
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, NOTICE, View
from cinema_cmr.interop.older_objects import has_older_objects
from cinema_cmr.pipeline.moved_points import move_points, taken_back
from cinema_cmr.pipeline.restored_parts import label_scheme
from cinema_cmr.report.record.study_record import StudyRecord
from cinema_cmr.report.wording import sentence, words
from cinema_cmr.serve.messages import FlagMessage, Numbers, SegmentValues
from cinema_cmr.serve.opened_study import OpenedStudy
from cinema_cmr.serve.opened_view import OpenedView

__all__ = ["SHOWN_VALUES", "flag_message", "numbers_of", "own_values", "segments_of", "study_document"]

SHOWN_VALUES = (
    *("lv_ef_percent", "lv_edv_ml", "lv_esv_ml", "lv_sv_ml", "lv_mass_g"),
    *("rv_ef_percent", "rv_edv_ml", "rv_esv_ml", "rv_sv_ml"),
    *("lv_edvi_ml_m2", "lv_esvi_ml_m2", "lv_mass_index_g_m2", "rv_edvi_ml_m2", "rv_esvi_ml_m2"),
    *("mapse_mean_mm", "mapse_septal_mm", "mapse_lateral_mm", "mapse_anterior_mm", "mapse_inferior_mm"),
    *("mapse_anteroseptal_mm", "mapse_inferolateral_mm"),
    *("long_axis_shortening_4c_percent", "long_axis_shortening_2c_percent", "long_axis_shortening_3c_percent"),
    *("cardiac_output_l_min", "heart_rate_bpm", "infarct_percent", "no_reflow_percent", "infarct_g"),
)
"""Measurements that the page shows; all of them stand in the report and in measurements.json."""

Place = list[float] | None

_SEGMENT = re.compile(r"(?P<what>.+)_aha(?P<number>0[1-9]|1[0-6])")
_UNIT_WORDS = re.compile(r"_(mm|percent|ml|g|degrees?)(?=_|$)")
_N_SEGMENTS = 16


def study_document(study: OpenedStudy, key: str) -> dict[str, Json]:
    """Return what the page needs to show a study, without its pixels and labels."""
    record = study.record
    present = move_points(record, study.moved_points)[0]
    own = move_points(record, taken_back(record))[0]
    return json_values(
        {
            "id": key,
            "name": record.study.name,
            "modality": record.study.modality,
            "scheme": label_scheme(record, View.SAX),
            "notice": NOTICE,
            "subject": record.subject,
            "model": record.model,
            "views": {view: _view(opened, study.views.get(View.SAX)) for view, opened in study.views.items()},
            "points": _points(study, present),
            "own_points": _points(study, own),
            "times_ms": record.curves.times_ms,
            "issues": record.issues,
        }
    )


def numbers_of(study: OpenedStudy, *, quick: bool = False) -> Numbers:
    """Return the numbers of the labels as they are, beside the model's; quick ones without flags.

    Numbers of which nothing has changed since the results were written are those of the results, with the flags that
    need the model's confidence.
    """
    review, record = study.review, study.record
    measured = study.quick_numbers() if quick else study.numbers()
    own = own_values(record)
    values = measured.to_dict()
    return Numbers(
        state=review.state(record.edits),
        revision=study.revision,
        values={name: values[name] for name in SHOWN_VALUES if name in values},
        own_values={name: own[name] for name in SHOWN_VALUES if name in own},
        curves={name: _finite(curve) for name, curve in measured.curves.items()},
        slices={name: list(measured[name].slices) for name in ("lv_edv_ml", "lv_esv_ml") if name in measured},
        flags=None if quick else [flag_message(flag) for flag in measured.flags],
        corrected=[(one.view, one.frame, one.slice) for one in review.slices],
        moved=[one.key for one in review.points],
        ed_frame=_frame(measured, "lv_ed_frame"),
        es_frame=_frame(measured, "lv_es_frame"),
        chosen_frames=[name for name in ("ed", "es") if getattr(review, f"{name}_frame") is not None],
        basal_rule=study.basal_rules[0],
        own_basal_rule=study.basal_rules[1],
        signed_off=review.signed_off,
        older_objects=not quick and has_older_objects(study.folder, record.edits),
        history=[vars(entry) for entry in review.history[-200:]],
    )


def own_values(record: StudyRecord) -> dict[str, float | None]:
    """Return the numbers of the model's own masks."""
    if record.edits is not None:
        return dict(record.edits.model_values)
    return {one.name: one.value for one in record.measurements}


def flag_message(flag: Flag) -> FlagMessage:
    """Return a flag for an answer."""
    return FlagMessage(
        code=flag.code, severity=flag.severity, message=flag.message, evidence=dict(json_values(flag.evidence))
    )


def segments_of(measurements: Iterable[Measurement]) -> list[SegmentValues]:
    """Return each measurement of the segments of the left ventricle that has any value."""
    groups: dict[str, dict[int, Measurement]] = defaultdict(dict)
    for one in measurements:
        match = _SEGMENT.fullmatch(one.name)
        if match:
            groups[match["what"]][int(match["number"])] = one
    plots = []
    for what, by_number in groups.items():
        values = [by_number[n].value if n in by_number else None for n in range(1, _N_SEGMENTS + 1)]
        known = [value for value in values if value is not None]
        if known:
            one = next(iter(by_number.values()))
            title = sentence(words(_UNIT_WORDS.sub("", what)))
            plots.append(SegmentValues(title=title, unit=one.unit, low=min(known), high=max(known), values=values))
    return plots


def _frame(measured: Measurements, name: str) -> int | None:
    value = measured.value(name) if name in measured else None
    return None if value is None else int(value)


def _finite(curve: NDArray[np.float64]) -> list[float | None]:
    return [round(value, 2) if np.isfinite(value) else None for value in curve.tolist()]


def _view(view: OpenedView, stack: OpenedView | None) -> dict[str, object]:
    cine = view.cine
    lines = stack is not None and cine.view.is_long_axis and cine.orientation_known and stack.cine.orientation_known
    labels = [
        {"code": one.code, "name": one.name, "title": one.title, "colour": one.colour}
        for one in LABEL_SCHEMES[view.scheme]
    ]
    return {
        "title": cine.view.title,
        "label": cine.label,
        "size": cine.shape[:2],
        "n_slices": cine.n_slices,
        "n_frames": cine.n_frames,
        "spacing_mm": cine.spacing_mm[:2],
        "slice_positions_mm": cine.slice_positions_mm,
        "rr_interval_ms": cine.rr_interval_ms,
        "frame_times_ms": cine.frame_times_ms,
        "slope": view.scaling[0],
        "intercept": view.scaling[1],
        "window": view.window,
        "box": view.box,
        "has_mask": view.labels is not None,
        "scheme": view.scheme,
        "labels": labels,
        "slice_lines": _slice_lines(view, stack) if lines and stack is not None else [],
    }


def _slice_lines(view: OpenedView, stack: OpenedView) -> list[list[float]]:
    """Return (a, b, c) for each slice of the stack: it meets the picture where a x + b y + c = 0."""
    normal = unit(np.cross(stack.cine.affine[:3, 0], stack.cine.affine[:3, 1]))
    if normal @ stack.cine.affine[:3, 2] < 0:
        normal = -normal
    plane = view.cine.affine
    offsets = stack.cine.slice_positions_mm + normal @ stack.cine.affine[:3, 3]
    a, b, c = normal @ plane[:3, 0], normal @ plane[:3, 1], normal @ plane[:3, 3]
    return [[float(a), float(b), float(c - offset)] for offset in offsets]


def _points(study: OpenedStudy, landmarks: Mapping[View, LandmarkPrediction]) -> dict[str, dict[str, list[Place]]]:
    """Return view -> name -> (x, y) in the picture by frame."""
    return {
        view: {name: _places(study.views[view], points) for name, points in found.landmarks.points.items()}
        for view, found in landmarks.items()
        if view in study.views
    }


def _places(view: OpenedView, points: NDArray[np.float64]) -> list[Place]:
    """Return (x, y) in the picture of points (t, 3) in RAS mm; None for a frame without the point."""
    places = apply_affine(np.linalg.inv(view.cine.affine), points)
    return [[float(x), float(y)] if np.isfinite(x) else None for x, y, _ in places]
