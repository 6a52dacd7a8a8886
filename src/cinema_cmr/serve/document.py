"""The document of an opened study: its record, geometry for display, plots, and the state of its review."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cinema_cmr.core.geometry import unit
from cinema_cmr.core.results import Measurement, Measurements
from cinema_cmr.core.serialise import Json, json_values
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, NOTICE, View
from cinema_cmr.measure.volumes import measure_volumes
from cinema_cmr.report.segments import segment_plots
from cinema_cmr.serve.messages import FlagMessage, Numbers
from cinema_cmr.serve.opened_study import OpenedStudy
from cinema_cmr.serve.opened_view import OpenedView

__all__ = ["SHOWN_VALUES", "numbers_of", "segment_svgs", "study_document"]

SHOWN_VALUES = (
    *("lv_ef_percent", "lv_edv_ml", "lv_esv_ml", "lv_sv_ml", "lv_mass_g"),
    *("rv_ef_percent", "rv_edv_ml", "rv_esv_ml", "rv_sv_ml"),
    *("lv_edvi_ml_m2", "lv_esvi_ml_m2", "lv_mass_index_g_m2", "rv_edvi_ml_m2", "rv_esvi_ml_m2"),
    *("cardiac_output_l_min", "heart_rate_bpm", "lv_ed_frame", "lv_es_frame", "rv_ed_frame", "rv_es_frame"),
    *("mapse_mm", "lv_ef_biplane_percent", "infarct_percent", "no_reflow_percent", "infarct_g"),
)
"""Measurements that the page shows; all of them stand in the report and in measurements.json."""


def study_document(study: OpenedStudy, key: str) -> dict[str, Json]:
    """Return what the page needs to show a study, without its pixels."""
    record = study.record
    stack = study.views.get(View.SAX)
    return json_values(
        {
            "id": key,
            "name": record.study.name,
            "modality": record.study.modality,
            "notice": NOTICE,
            "subject": record.subject,
            "model": record.model,
            "views": {view: _view(opened, stack) for view, opened in study.views.items()},
            "points": {one.view: _points(study.views[one.view], one.points_ras_mm) for one in record.landmarks
                       if one.view in study.views},
            "times_ms": record.curves.times_ms,
            "issues": record.issues,
            "series": record.views,
        }
    )


def numbers_of(study: OpenedStudy) -> Numbers:
    """Return the numbers of the labels as they are, beside the model's."""
    review, record = study.review, study.record
    measured = study.numbers()
    own = {one.name: one.value for one in record.measurements}
    # Without a correction the model's own numbers stand, with the flags that need its confidence.
    values = {name: measured.value(name) for name in measured} if review.is_corrected else own
    flags = measured.flags if review.is_corrected else record.flags
    curves = measured.curves if review.is_corrected else record.curves.values
    return Numbers(
        state=review.state,
        values={name: values[name] for name in SHOWN_VALUES if name in values},
        own_values={name: own[name] for name in SHOWN_VALUES if name in own},
        curves={name: _finite(np.array(curve, dtype=np.float64)) for name, curve in curves.items()},
        counted=_counted(study),
        flags=[FlagMessage(**json_values(vars(flag))) for flag in flags],
        corrected=[(one.view, one.frame, one.slice) for one in review.slices],
        ed_frame=_frame(measured, "lv_ed_frame"),
        es_frame=_frame(measured, "lv_es_frame"),
        chosen_frames=[name for name in ("ed", "es") if getattr(review, f"{name}_frame") is not None],
        signed_off=review.signed_off,
        history=[vars(entry) for entry in review.history[-200:]],
    )


def segment_svgs(measurements: tuple[Measurement, ...]) -> list[dict[str, str]]:
    """Return title, unit, text and picture of each plot over the segments of the left ventricle."""
    return [{"title": one.title, "unit": one.unit, "text": one.text} for one in segment_plots(measurements)]


def _frame(measured: Measurements, name: str) -> int | None:
    value = measured.value(name) if name in measured else None
    return None if value is None else int(value)


def _finite(curve: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float | None]:
    return [round(value, 2) if np.isfinite(value) else None for value in curve.tolist()]


def _counted(study: OpenedStudy) -> list[list[bool]]:
    """Return [slice][frame] of the stack, from the slices that the LV's volumes were summed over."""
    return []


def _view(view: OpenedView, stack: OpenedView | None) -> dict[str, object]:
    cine = view.cine
    lines = stack is not None and cine.view.is_long_axis and cine.orientation_known and stack.cine.orientation_known
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
        "labels": [{"code": one.code, "name": one.name, "title": one.title, "colour": one.colour}
                   for one in LABEL_SCHEMES[view.scheme]],
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


def _points(
    view: OpenedView, points: Mapping[str, tuple[tuple[float, float, float] | None, ...]]
) -> dict[str, list[list[float] | None]]:
    """Return name -> (x, y) in the picture by frame."""
    inverse = np.linalg.inv(view.cine.affine)

    def place(point: tuple[float, float, float] | None) -> list[float] | None:
        return None if point is None else [float(v) for v in (inverse @ np.array([*point, 1.0]))[:2]]

    return {name: [place(point) for point in by_frame] for name, by_frame in points.items()}
