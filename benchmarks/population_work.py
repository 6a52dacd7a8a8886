"""Work of known cost and truth for benchmarks/population.py: masks without a network, and studies that misbehave."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import HeartLocation, Prediction
from cinema_cmr.core.run_facts import RunFacts
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.io.read import read_study
from cinema_cmr.measure.measure import MeasureOptions, measure_study
from cinema_cmr.population.listed_studies import ListedStudy
from cinema_cmr.population.work import StudyParts, Work, study_parts

LEVELS = (0.0, 600.0, 300.0, 1000.0)
"""Intensity of background, right ventricle, myocardium and left ventricle in a simple heart."""


@dataclass(frozen=True)
class MakeLabelWork:
    """Makes the work; picklable."""

    spin_s: float = 0.0
    """Processor time that stands for a network."""

    def __call__(self) -> Work:
        return LabelWork(self.spin_s)


class LabelWork:
    """Reads, measures and packs as `cinema population` does, with a phantom's own masks or those of a simple heart."""

    def __init__(self, spin_s: float = 0.0) -> None:
        self.spin_s = spin_s

    def __call__(self, study: ListedStudy) -> StudyParts:
        misbehave(study.name)
        read = read_study(study.path, name=study.name)
        read = replace(read, subject=study.subject.fill_from(read.subject))
        cine = read[View.SAX]
        own = study.path.parent / "labels" / "sax.nii.gz"
        codes = phantom_codes(own, cine) if own.exists() else simple_codes(cine)
        until = time.process_time() + self.spin_s
        while time.process_time() < until:
            pass
        prediction = Prediction(
            view=View.SAX,
            labels=LabelMap(array=codes),
            confidence=np.ones(codes.shape[3], np.float32),
            location=HeartLocation(centre=(codes.shape[0] / 2, codes.shape[1] / 2), method="given"),
            model="labels",
        )
        measured = measure_study(read, {View.SAX: prediction}, options=MeasureOptions())
        run = RunFacts(model_name="labels", model_hash=None, device="cpu", precision="fp32")
        analysis = Analysis(study=read, predictions={View.SAX: prediction}, measurements=measured, run=run)
        return study_parts(analysis, study.path)


def misbehave(name: str) -> None:
    """Hang, die or take memory, where the study's name says so."""
    kind = name.partition("-")[0]
    if kind == "hang":
        time.sleep(3600)
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "memory":
        np.ones(8 << 27)


def phantom_codes(path: Path, cine: Cine) -> np.ndarray:  # type: ignore[type-arg]
    """Return the phantom's own masks."""
    return read_label_codes(path, cine.array.shape, codes={1: 1, 2: 2, 3: 3})


def simple_codes(cine: Cine) -> np.ndarray:  # type: ignore[type-arg]
    """Return the codes of a simple heart from its intensities."""
    distance = np.abs(cine.array[..., None] - np.array(LEVELS))
    return distance.argmin(axis=-1).astype(np.uint8)


def write_simple_heart(path: Path, seed: int) -> None:
    """Write a heart of discs as NIfTI: 6 slices, 4 frames of 64 x 64 pixels of 2 mm."""
    rng = np.random.default_rng(seed)
    radius = rng.uniform(18, 28)
    x, y = np.meshgrid(np.arange(64) * 2.0 - 64, np.arange(64) * 2.0 - 64, indexing="ij")
    image = np.zeros((64, 64, 6, 4), np.float32)
    for frame, share in enumerate((1.0, rng.uniform(0.6, 0.8), 0.7, 0.9)):
        plane = np.zeros((64, 64), np.float32)
        plane[np.hypot(x + 38, y) < radius * 0.8 * share] = LEVELS[1]
        plane[np.hypot(x, y) < radius * share + 9] = LEVELS[2]
        plane[np.hypot(x, y) < radius * share] = LEVELS[3]
        image[..., frame] = plane[..., None]
    image[0] = rng.uniform(0, 20, image[0].shape)  # no two are equal
    path.parent.mkdir(parents=True, exist_ok=True)
    cine = Cine(array=image, affine=np.diag([2.0, 2.0, 8.0, 1.0]), view=View.SAX, slice_positions_mm=np.arange(6) * 8.0)
    write_cine(cine, path, overwrite=True)
