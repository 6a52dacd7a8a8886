"""The analysis of a finished run, read back from its results and the study that it was made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.errors import GeometryError, InputError, MissingFileError
from cinema_cmr.core.results import Flag, Measurements, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.io.nifti.voxels import check_nifti
from cinema_cmr.io.provenance import input_digest
from cinema_cmr.io.read import read_study
from cinema_cmr.pipeline.restored_parts import (
    label_scheme,
    measure_again,
    scheme_codes,
    stored_measurements,
    stored_options,
    stored_prediction,
    stored_run_facts,
)
from cinema_cmr.pipeline.results_folder import is_mask_changed
from cinema_cmr.report.record.run_record import RunRecord
from cinema_cmr.report.record.stored import read_measurements, read_run
from cinema_cmr.report.record.study_record import PredictionRecord, StudyRecord

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
    edited = [one.mask for one in record.predictions if is_mask_changed(results, run, one.view)]
    measurements = (
        stored_measurements(record) if not edited else _measured_again(kept, predictions, record, run, edited)
    )
    facts = stored_run_facts(run)
    return Analysis(study=kept, predictions=predictions, measurements=measurements, run=facts, edits=record.edits)


def _measured_again(
    study: Study, predictions: Mapping[View, Prediction], record: StudyRecord, run: RunRecord, edited: Sequence[str]
) -> Measurements:
    """Measure masks that are not those of the run, by its options and landmarks, with a flag for it."""
    measured = measure_again(study, predictions, stored_options(run), record)
    flag = Flag(
        code="masks-edited",
        severity="warning",
        message="masks were changed after the analysis and measured again",
        evidence={"masks": ", ".join(edited)},
    )
    return replace(measured, flags=(*measured.flags, flag))


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
    array = read_label_codes(path, cine.shape, codes=scheme_codes(label_scheme(record, one.view)))
    _check_place(path, cine)
    return stored_prediction(one, array, record)


def _check_place(path: Path, cine: Cine) -> None:
    """Raise `GeometryError` for a mask that lies elsewhere than its cine, e.g. saved by an editor that turned it."""
    import nibabel

    check_nifti(path)
    affine = np.asarray(nibabel.load(path).affine)
    off_mm = float(np.abs(affine - cine.affine).max())
    if off_mm > 0.01:
        raise GeometryError(
            f"'{path.name}' lies up to {off_mm:.2f} mm from its cine; expected the grid of the mask that was written:"
            " save it without resampling or turning"
        )
