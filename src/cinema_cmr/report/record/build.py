"""The record of measurements.json, built from an analysis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.results import DiseaseClassification, LandmarkPrediction, Measurements, Prediction
from cinema_cmr.core.run_facts import RunFacts
from cinema_cmr.core.serialise import from_dict, json_values
from cinema_cmr.core.study import Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nifti.source import nifti_source
from cinema_cmr.report.record.study_record import (
    CineRecord,
    Curves,
    DiseaseRecord,
    LandmarkRecord,
    ModelRecord,
    Numbers,
    Point,
    PredictionRecord,
    RemovedComponentRecord,
    StudyIdentity,
    StudyRecord,
    Summary,
)

__all__ = ["build_record", "image_file", "mask_file", "model_mask_file", "model_record", "without_folders"]

_FRAME_SOURCES = {"ed_frame": "lv_edv_ml", "es_frame": "lv_esv_ml"}
"""Frame of the summary -> the measurement whose first frame it is."""


def mask_file(view: View) -> str:
    """Return the path of a view's mask, relative to measurements.json.

    >>> mask_file(View.SAX)
    'segmentation/sax.nii.gz'
    """
    return f"segmentation/{view}.nii.gz"


def model_mask_file(view: View) -> str:
    """Return the path of the model's own mask of a view, which no correction changes.

    >>> model_mask_file(View.SAX)
    'segmentation/original/sax.nii.gz'
    """
    return f"segmentation/original/{view}.nii.gz"


def image_file(view: View) -> str:
    """Return the path of the image that a view's mask belongs to, relative to measurements.json.

    >>> image_file(View.SAX)
    'images/sax.nii.gz'
    """
    return f"images/{view}.nii.gz"


def build_record(analysis: Analysis) -> StudyRecord:
    """Build the record of an analysis, with the very values that reading measurements.json gives back."""
    study, measurements = analysis.study, analysis.measurements
    record = StudyRecord(
        study=StudyIdentity(name=study.name, modality=study.modality, input_sha256=analysis.run.input_sha256),
        subject=study.subject,
        summary=_summary(study.subject, measurements),
        measurements=measurements.measured,
        curves=_curves(measurements),
        flags=measurements.flags,
        disease=_disease(measurements.classification),
        views=study.decisions,
        cines=tuple(_cine(cine) for cine in study.cines),
        predictions=tuple(_prediction(one, study[one.view]) for one in analysis.predictions.values()),
        landmarks=tuple(_landmarks(one, study[one.landmarks.view]) for one in analysis.landmarks.values()),
        issues=study.issues,
        edits=analysis.edits,
        model=model_record(analysis.run),
        versions=analysis.run.versions,
        seconds=analysis.run.seconds,
    )
    return from_dict(StudyRecord, json_values(record))


def model_record(run: RunFacts) -> ModelRecord:
    """Return the model of a run, without the folders of its path."""
    return ModelRecord(
        name=without_folders(run.model_name),
        hash=run.model_hash,
        inference_settings=run.inference_settings,
        device=run.device,
        precision=run.precision,
    )


def without_folders(text: str) -> str:
    """Return the text, or its stem if it is a path: folders can name a patient, a person or a site.

    >>> without_folders("/home/anna/scans/study7.zip"), without_folders("lv_only")
    ('study7', 'lv_only')
    """
    return PurePath(text.replace("\\", "/")).stem if "/" in text or "\\" in text else text


def _summary(subject: Subject, measurements: Measurements) -> Summary:
    # A heart rate that was measured and found implausible stays unknown.
    summary: dict[str, object] = {field.name: None for field in fields(Summary)}
    summary["heart_rate_bpm"] = subject.heart_rate_bpm
    for name in summary:
        if name in _FRAME_SOURCES:
            source = measurements.get(_FRAME_SOURCES[name])
            summary[name] = source.frames[0] if source and source.frames else None
        elif name in measurements:
            summary[name] = measurements.value(name)
    return from_dict(Summary, summary, "summary")


def _curves(measurements: Measurements) -> Curves:
    values = {name: _numbers(curve) for name, curve in measurements.curves.items()}
    return Curves(times_ms=_times(measurements.times_ms), values=values)


def _disease(classification: DiseaseClassification | None) -> DiseaseRecord | None:
    if classification is None:
        return None
    return DiseaseRecord(**{field.name: getattr(classification, field.name) for field in fields(DiseaseRecord)})


def _cine(cine: Cine) -> CineRecord:
    n_x, n_y, n_z, n_t = cine.shape
    return CineRecord(
        view=cine.view,
        label=cine.label,
        n_slices=n_z,
        n_frames=n_t,
        size_voxels=(n_x, n_y),
        spacing_mm=cine.spacing_mm[:2],
        slice_positions_mm=_numbers(cine.slice_positions_mm),
        slice_thickness_mm=cine.slice_thickness_mm,
        frame_times_ms=_times(cine.frame_times_ms),
        rr_interval_ms=cine.rr_interval_ms,
        orientation_known=cine.orientation_known,
        in_phase=cine.in_phase,
        on_file_grid=nifti_source(cine) is not None,
    )


def _prediction(prediction: Prediction, cine: Cine) -> PredictionRecord:
    removed = (
        RemovedComponentRecord(structure=one.structure, frame=one.frame, volume_ml=one.volume_ml)
        for one in prediction.removed_components
    )
    return PredictionRecord(
        view=prediction.view,
        cine=cine.label,
        mask=mask_file(prediction.view),
        model=prediction.model,
        location_method=prediction.location.method,
        centre_voxels=prediction.location.centre,
        evidence=prediction.location.evidence,
        confidence=_numbers(prediction.confidence),
        removed_components=tuple(removed),
    )


def _landmarks(prediction: LandmarkPrediction, cine: Cine) -> LandmarkRecord:
    points = prediction.landmarks.points
    return LandmarkRecord(
        view=prediction.landmarks.view,
        cine=cine.label,
        model=prediction.model,
        points_ras_mm={name: tuple(map(_point, by_frame)) for name, by_frame in points.items()},
        confidence={name: _numbers(by_frame) for name, by_frame in prediction.confidence.items()},
    )


def _point(point: NDArray[np.float64]) -> Point | None:
    if np.isnan(point).any():
        return None
    x, y, z = point.tolist()
    return x, y, z


def _numbers(values: NDArray[np.floating] | Sequence[float]) -> Numbers:
    return tuple(None if np.isnan(value) else float(value) for value in values)


def _times(times_ms: NDArray[np.float64] | None) -> Numbers | None:
    return None if times_ms is None else _numbers(times_ms)
