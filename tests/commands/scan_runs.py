"""Synthetic scans and calls of the command line, with a segmenter that reads the labels off the intensities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from oracles import annotated, heart, segmenter

from cinema_cmr.cli import main
from cinema_cmr.io.nifti.image import write_cine

RADII = tuple(12.0 + 3.0 * np.cos(np.linspace(0, 2 * np.pi, 12, endpoint=False)))
LABELS = heart(RADII, n_slices=6)


def use_oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the bundled model by one that reads synthetic hearts."""
    monkeypatch.setattr("cinema_cmr.pipeline.analyzer.load_segmenter", lambda model, **_: segmenter(size=(63, 59)))


def scan(folder: Path, name: str = "scan", labels: NDArray[np.uint8] = LABELS) -> Path:
    """Write the image of these labels as NIfTI."""
    path = folder / f"{name}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_cine(annotated(labels).study.cines[0], path, overwrite=True)
    return path


def call(*words: object) -> int:
    """Run `cinema` with these words; return the exit code."""
    return main([str(word) for word in words])
