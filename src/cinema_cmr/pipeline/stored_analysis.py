"""The analysis of a finished run, read back from its results and the study that it was made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.errors import GeometryError, InputError, MissingFileError
from cinema_cmr.core.results import (
    Flag,
    HeartLocation,
    LandmarkPrediction,
    Measurements,
    Prediction,
    RemovedComponent,
)
from cinema_cmr.core.run_facts import RunFacts
from cinema_cmr.core.serialise import from_dict
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.io.provenance import file_digest, input_digest
from cinema_cmr.io.read import read_study
from cinema_cmr.measure.measure import MeasureOptions, measure_study
from cinema_cmr.measure.quality.landmarks import plausible_by_view
from cinema_cmr.report.record.run_record import RunRecord
from cinema_cmr.report.record.stored import read_measurements, read_run
from cinema_cmr.report.record.study_record import LandmarkRecord, Numbers, Point, PredictionRecord, StudyRecord

__all__ = ["read_analysis"]


def read_analysis(results: Path | str, study: Path | str) -> Analysis:
    """Read the masks and measurements of a results folder, on the cines of the study that they were made of.

    The disease model's result and normal ranges are left out, and landmarks as such. Masks that were corrected by hand
    are measured again by the options of the run, with the flag `masks-edited`. Raises `InputError` if `study` is not
    the very input of the run, `MissingFileError` for an incomplete folder, `GeometryError` for a mask on another grid.
    """
    results, source = Path(results), Path(study)
    if not (results / "run.json").exists():
        raise MissingFileError(
            f"'{results.name}' has no run.json; expected a folder that `cinema analyse` wrote: analyse the study first"
        )
    record, run = read_measurements(results / "measurements.json"), read_run(results / "run.json")
    if run.input_sha256 != input_digest(source):
        raise InputError(
            f"'{source.name}' is not the input of the results in '{results.name}'; expected the same folder or zip with"
            " the same files: give that one, or analyse this one"
        )
    whole = read_study(source, name=record.study.name)
    cines = tuple(_cine(one, whole) for one in record.predictions)
    kept = replace(whole, cines=cines, subject=record.subject, modality=record.study.modality)
    pairs = zip(record.predictions, cines, strict=True)
    predictions = {one.view: _prediction(one, cine, results, record) for one, cine in pairs}
    edited = [one.mask for one in record.predictions if file_digest(results / one.mask) != run.outputs.get(one.mask)]
    measurements = _stored(record) if not edited else _measured_again(kept, predictions, record, run, edited)
    return Analysis(study=kept, predictions=predictions, measurements=measurements, run=_run_facts(run))


def _stored(record: StudyRecord) -> Measurements:
    return Measurements(
        measured=record.measurements,
        curves={name: _array(values) for name, values in record.curves.values.items()},
        times_ms=None if record.curves.times_ms is None else _array(record.curves.times_ms),
        flags=record.flags,
    )


def _measured_again(
    study: Study, predictions: Mapping[View, Prediction], record: StudyRecord, run: RunRecord, edited: Sequence[str]
) -> Measurements:
    """Measure masks that are not those of the run, by its options and landmarks, with a flag for it."""
    names = {field.name for field in fields(MeasureOptions)}
    options = from_dict(MeasureOptions, {name: value for name, value in run.options.items() if name in names})
    landmarks = {one.view: _landmarks(one) for one in record.landmarks}
    plausible, _ = plausible_by_view(landmarks)
    measured = measure_study(study, predictions, options=options, landmarks=plausible)
    flag = Flag(
        code="masks-edited",
        severity="warning",
        message="masks were changed after the analysis and measured again",
        evidence={"masks": ", ".join(edited)},
    )
    return replace(measured, flags=(*measured.flags, flag))


def _landmarks(one: LandmarkRecord) -> LandmarkPrediction:
    points = {name: _points(by_frame) for name, by_frame in one.points_ras_mm.items()}
    return LandmarkPrediction(
        landmarks=Landmarks(view=one.view, points=points),
        confidence={name: _array(by_frame) for name, by_frame in one.confidence.items()},
        centre=(np.nan, np.nan),
        model=one.model,
    )


def _points(points: Sequence[Point | None]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array([(np.nan,) * 3 if point is None else point for point in points], dtype=np.float64)


def _cine(prediction: PredictionRecord, study: Study) -> Cine:
    """Return the cine that a mask belongs to, under the view that it was analysed as."""
    found = [cine for cine in study if cine.label == prediction.cine]
    if not found:
        raise InputError(
            f"the study has no cine '{prediction.cine}', which was analysed as {prediction.view.title}; expected the"
            " study as it was read then: analyse it again with this version"
        )
    same = [cine for cine in found if cine.view == prediction.view]
    return replace((same or found)[0], view=prediction.view)


def _prediction(one: PredictionRecord, cine: Cine, results: Path, record: StudyRecord) -> Prediction:
    path = results / one.mask
    if not path.exists():
        raise MissingFileError(f"'{results.name}' has no {one.mask}; expected the masks of the run: analyse it again")
    scheme = "scar" if record.study.modality == "lge" else "cine"
    codes = {label.code: label.code for label in LABEL_SCHEMES[scheme]}
    array = read_label_codes(path, cine.shape, codes=codes)
    _check_place(path, cine)
    return Prediction(
        view=one.view,
        labels=LabelMap(array=array, scheme=scheme),
        confidence=_array(one.confidence).astype(np.float32),
        location=HeartLocation(centre=one.centre_voxels, method=one.location_method, evidence=one.evidence),
        removed_components=tuple(RemovedComponent(**vars(part)) for part in one.removed_components),
        model=one.model,
    )


def _check_place(path: Path, cine: Cine) -> None:
    """Raise `GeometryError` for a mask that lies elsewhere than its cine, e.g. saved by an editor that turned it."""
    import nibabel

    affine = np.asarray(nibabel.load(path).affine)
    off_mm = float(np.abs(affine - cine.affine).max())
    if off_mm > 0.01:
        raise GeometryError(
            f"'{path.name}' lies up to {off_mm:.2f} mm from its cine; expected the grid of the mask that was written:"
            " save it without resampling or turning"
        )


def _run_facts(run: RunRecord) -> RunFacts:
    return RunFacts(
        model_name=run.model.name,
        model_hash=run.model.hash,
        device=run.model.device,
        precision=run.model.precision,
        inference_settings=run.model.inference_settings,
        seconds=run.seconds,
        options=run.options,
        input_sha256=run.input_sha256,
        package_version=run.versions.get("cinema_cmr"),
        python_version=run.versions.get("python") or "unknown",
        torch_version=run.versions.get("torch"),
        numpy_version=run.versions.get("numpy"),
    )


def _array(values: Numbers) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
