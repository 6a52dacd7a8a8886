"""The document of measurements.json: all results of one study, what it takes to trust them, no identity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cinema_cmr.core.results import (
    DiseaseClassification,
    Flag,
    LandmarkPrediction,
    Measurement,
    Measurements,
    Prediction,
)
from cinema_cmr.core.serialise import json_text, json_values
from cinema_cmr.core.study import Issue, SeriesDecision, Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.atomic import write_text
from cinema_cmr.measure.scar import SCAR_SUMMARY
from cinema_cmr.report.run import RunFacts
from cinema_cmr.report.schema import SCHEMA_VERSION, check_document

__all__ = ["NOTICE", "SUMMARY_NAMES", "build_document", "mask_file", "write_measurements_json"]

NOTICE = "For research use only. Not a medical device: not for diagnosis and not for decisions on treatment."

SUMMARY_NAMES = (
    "lv_edv_ml",
    "lv_esv_ml",
    "lv_sv_ml",
    "lv_ef_percent",
    "lv_mass_g",
    "rv_edv_ml",
    "rv_esv_ml",
    "rv_sv_ml",
    "rv_ef_percent",
    "ed_frame",
    "es_frame",
    "heart_rate_bpm",
    "cardiac_output_l_min",
)
"""Keys of the summary in their order; all are always there, null where unknown. Of late enhancement those of
`measure.scar.SCAR_SUMMARY` follow."""

_FRAMES_OF = {"ed_frame": "lv_edv_ml", "es_frame": "lv_esv_ml"}
"""The summary's frames are those that the left ventricle's volumes were measured in."""


def mask_file(view: View) -> str:
    """Where a view's mask stands, beside measurements.json.

    >>> mask_file(View.SAX)
    'segmentation/sax.nii.gz'
    """
    return f"segmentation/{view}.nii.gz"


def build_document(
    study: Study,
    predictions: Mapping[View, Prediction],
    *,
    measurements: Measurements,
    run: RunFacts,
    landmarks: Mapping[View, LandmarkPrediction] | None = None,
) -> dict[str, Any]:
    """The measurements document in JSON values, NaN as null, as `measurements.schema.json` describes it."""
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "notice": NOTICE,
        "study": {
            "name": study.name,
            "modality": study.modality,
            "input_sha256": run.input_sha256,
        },
        "subject": vars(study.subject),
        "summary": _summary(study, measurements),
        "measurements": [_measurement(value) for value in measurements.values()],
        "curves": {"times_ms": measurements.times_ms, "values": measurements.curves},
        "flags": [_notable(flag) for flag in measurements.flags],
        "disease": _classification(measurements.classification),
        "views": [_decision(decision) for decision in study.decisions],
        "cines": [_cine(cine) for cine in study.cines],
        "predictions": [_prediction(prediction, study) for prediction in predictions.values()],
        "landmarks": [_landmarks(found, study) for found in (landmarks or {}).values()],
        "issues": [_notable(issue) for issue in study.issues],
        "model": run.model,
        "versions": run.versions,
        "seconds": run.seconds,
    }
    cleaned: dict[str, Any] = json_values(document)
    return cleaned


def write_measurements_json(document: Mapping[str, Any], path: Path, *, overwrite: bool = False) -> None:
    """Write measurements.json whole or not at all, after checking it against the schema (`ValueError`)."""
    check_document(document)
    write_text(path, json_text(document), overwrite=overwrite)


def _summary(study: Study, measurements: Measurements) -> dict[str, float | int | None]:
    known = {measurement.name: measurement for measurement in measurements.values()}
    summary: dict[str, float | int | None] = {}
    for name in (*SUMMARY_NAMES, *(SCAR_SUMMARY if study.modality == "lge" else ())):
        if name in _FRAMES_OF:
            source = known.get(_FRAMES_OF[name])
            summary[name] = source.frames[0] if source and source.frames else None
        else:
            summary[name] = known[name].value if name in known else None
    # A rate that was looked at and found implausible stays unknown.
    if "heart_rate_bpm" not in known:
        summary["heart_rate_bpm"] = study.subject.heart_rate_bpm
    return summary


def _measurement(measurement: Measurement) -> dict[str, Any]:
    names = ("name", "title", "value", "unit", "method", "rule", "frames", "slices", "reason")
    return {name: getattr(measurement, name) for name in names}


def _notable(item: Flag | Issue) -> dict[str, Any]:
    return {name: getattr(item, name) for name in ("code", "severity", "message", "evidence")}


def _classification(classification: DiseaseClassification | None) -> dict[str, Any] | None:
    if classification is None:
        return None
    names = (
        "notice",
        "model",
        "group",
        "probabilities",
        "contributions",
        "features",
        "out_of_distribution",
        "titles",
        "reason",
    )
    return {name: getattr(classification, name) for name in names}


def _decision(decision: SeriesDecision) -> dict[str, Any]:
    return {name: getattr(decision, name) for name in ("series", "view", "kept", "reason", "evidence")}


def _cine(cine: Cine) -> dict[str, Any]:
    """What was scanned: the grid and the times, as they really are."""
    return {
        "view": cine.view,
        "label": cine.label,
        "n_slices": cine.n_slices,
        "n_frames": cine.n_frames,
        "size_voxels": cine.array.shape[:2],
        "spacing_mm": cine.spacing_mm[:2],
        "slice_positions_mm": cine.slice_positions_mm,
        "slice_thickness_mm": cine.slice_thickness_mm,
        "frame_times_ms": cine.frame_times_ms,
        "rr_interval_ms": cine.rr_interval_ms,
        "orientation_known": cine.orientation_known,
    }


def _landmarks(found: LandmarkPrediction, study: Study) -> dict[str, Any]:
    """What the model found, implausible frames and all; the flags tell which were not measured."""
    view = found.landmarks.view
    return {
        "view": view,
        "cine": study.cine(view).label,
        "model": found.model,
        "points_ras_mm": {
            name: [None if np.isnan(point).any() else point for point in points]
            for name, points in found.landmarks.points.items()
        },
        "confidence": found.confidence,
    }


def _prediction(prediction: Prediction, study: Study) -> dict[str, Any]:
    location = prediction.location
    removed = ("structure", "frame", "volume_ml")
    return {
        "view": prediction.view,
        "cine": study.cine(prediction.view).label,
        "mask": mask_file(prediction.view),
        "model": prediction.model,
        "located_by": location.method,
        "centre_voxels": location.centre,
        "evidence": location.evidence,
        "confidence": prediction.confidence,
        "removed": [{name: getattr(piece, name) for name in removed} for piece in prediction.removed_components],
    }
