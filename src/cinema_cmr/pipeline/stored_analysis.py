"""The analysis of a finished run, read back from its results and the study that it was made of."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import GeometryError, InputError, MissingFileError
from cinema_cmr.core.results import Flag, HeartLocation, Measurement, Measurements, Prediction, RemovedComponent
from cinema_cmr.core.run_facts import RunFacts
from cinema_cmr.core.serialise import from_dict
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import LABEL_SCHEMES
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.io.provenance import input_digest
from cinema_cmr.io.read import read_study
from cinema_cmr.measure.measure import MeasureOptions, measure_study
from cinema_cmr.report.record.run_record import RunRecord
from cinema_cmr.report.record.stored import read_measurements, read_run
from cinema_cmr.report.record.study_record import Numbers, PredictionRecord, StudyRecord

__all__ = ["read_analysis"]

_LANDMARK_VALUES = ("mapse_", "long_axis_shortening_")
"""Start of the names of values that do not come from masks."""
_SAME = 1e-4
"""Relative difference that rounding to six digits explains."""


def read_analysis(results: Path | str, study: Path | str) -> Analysis:
    """Read the masks and measurements of a results folder, on the cines of the study that they were made of.

    Landmarks, the disease model's result and normal ranges are left out. Masks that were corrected by hand are measured
    again by the options of the run, with the flag `masks-edited`. Raises `InputError` if `study` is not the very
    input of the run, `MissingFileError` for an incomplete folder, `GeometryError` for a mask on another grid.
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
    names = {field.name for field in fields(MeasureOptions)}
    options = from_dict(MeasureOptions, {name: value for name, value in run.options.items() if name in names})
    measured = measure_study(kept, predictions, options=options)
    return Analysis(
        study=kept, predictions=predictions, measurements=_measurements(record, measured), run=_run_facts(run)
    )


def _measurements(record: StudyRecord, measured: Measurements) -> Measurements:
    """Return the measurements of the run; where the masks give other numbers now, the new ones with a flag."""
    pairs = [(one, measured[one.name]) for one in record.measurements if one.name in measured]
    changed = [old for old, new in pairs if not _is_same(old, new)]
    if not changed:
        return Measurements(
            measured=record.measurements,
            curves={name: _array(values) for name, values in record.curves.values.items()},
            times_ms=None if record.curves.times_ms is None else _array(record.curves.times_ms),
            flags=record.flags,
        )
    of_landmarks = (one for one in record.measurements if one.name.startswith(_LANDMARK_VALUES))
    of_masks = (one for one in measured.measured if not one.name.startswith(_LANDMARK_VALUES))
    flag = Flag(
        code="masks-edited",
        severity="warning",
        message=f"the masks were changed after the analysis: {len(changed)} values were measured again",
        evidence={"first": changed[0].name},
    )
    return replace(measured, measured=(*of_masks, *of_landmarks), flags=(*measured.flags, flag))


def _is_same(old: Measurement, new: Measurement) -> bool:
    if old.name.startswith(_LANDMARK_VALUES) or old.value is None or new.value is None:
        return old.name.startswith(_LANDMARK_VALUES) or old.value == new.value
    return abs(old.value - new.value) <= _SAME * max(abs(old.value), abs(new.value))


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
