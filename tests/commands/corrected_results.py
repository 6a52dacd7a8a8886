"""Results folders of a synthetic heart whose labels are known, and masks of them edited by script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from interop_hearts import labels_of, long_axis_cine, stack_cine
from numpy.typing import NDArray

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.results import HeartLocation, Prediction
from cinema_cmr.core.run_facts import RunFacts
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.measure import MeasureOptions, measure_study
from cinema_cmr.report.write import write_results

Labels = NDArray[np.uint8]
LV = 3


@cache
def heart_study() -> Study:
    """A short-axis stack of eight frames and a 4-chamber plane, as of DICOM: no NIfTI file holds them."""
    subject = Subject(sex="F", age_years=50, height_cm=165, weight_kg=60, heart_rate_bpm=75)
    cines = (stack_cine(), long_axis_cine())
    return Study(name="heart", cines=cines, subject=subject)


def heart_analysis(study: Study | None = None, **run_options: Any) -> Analysis:
    """The analysis of the heart, with its own labels as predictions."""
    study = study or heart_study()
    predictions = {
        cine.view: Prediction(
            view=cine.view,
            labels=labels_of(cine),
            confidence=np.ones(cine.n_frames, np.float32),
            location=HeartLocation(centre=(10.0, 10.0), method="given"),
            model="test-model",
        )
        for cine in study.cines
    }
    return Analysis(
        study=study,
        predictions=predictions,
        measurements=measure_study(study, predictions),
        run=RunFacts(
            model_name="test-model",
            model_hash="ab" * 32,
            device="cpu",
            precision="fp32",
            input_sha256="cd" * 32,
            options={**asdict(MeasureOptions()), **run_options},
        ),
    )


def written_results(folder: Path, *, images: bool | None = None) -> Path:
    """Write the results of the heart; return their folder."""
    write_results(heart_analysis(), folder, images=images)
    return folder


def stored_labels(results: Path, view: View = View.SAX, folder: str = "segmentation") -> Labels:
    """The codes of a mask in a results folder."""
    return np.asarray(nibabel.load(results / folder / f"{view}.nii.gz").dataobj).astype(np.uint8)


def edited_mask(
    results: Path, path: Path, change: Callable[[Labels], None], *, view: View = View.SAX, affine: Any = None
) -> Path:
    """Write a changed copy of a mask, as an editor does: another header, int16, the same grid."""
    labels = stored_labels(results, view)
    change(labels)
    stored = nibabel.load(results / "segmentation" / f"{view}.nii.gz")
    place = stored.affine if affine is None else affine
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.Nifti1Image(labels.astype(np.int16), place).to_filename(path)
    return path


def shrunk(*frames: int) -> Callable[[Labels], None]:
    """A change: every second voxel of the cavity is wall in these frames."""

    def change(labels: Labels) -> None:
        for frame in frames:
            blood = np.argwhere(labels[..., frame] == LV)[::2]
            labels[(*blood.T, frame)] = 2

    return change
