"""Small short-axis files in the layouts that the tests of datasets read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

SHAPE = (20, 18, 4)
SPACING_MM = (1.5, 1.5, 10.0)


def image_of(seed: int, shape: tuple[int, ...] = SHAPE) -> NDArray[np.int16]:
    return np.random.default_rng(seed).integers(20, 900, shape).astype(np.int16)


def labels_of(seed: int, shape: tuple[int, ...] = SHAPE) -> NDArray[np.uint8]:
    labels = np.zeros(shape, np.uint8)
    labels[4:14, 4:14] = 2
    labels[6:12, 6:12] = 3
    labels[1:4, 5 : 9 + seed % 5] = 1
    return labels


def write_scan(path: Path, array: NDArray[Any], spacing_mm: tuple[float, ...] = SPACING_MM) -> Path:
    """As ACDC's files are: sizes in pixdim, and an affine diag(-1, -1, 1) that tells neither size nor place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(array, np.diag([-1.0, -1.0, 1.0, 1.0]))
    image.header["pixdim"][1:4] = spacing_mm
    image.header["sform_code"], image.header["qform_code"] = 1, 0
    path.write_bytes(image.to_bytes())
    if path.name.endswith(".gz"):
        import gzip

        path.write_bytes(gzip.compress(image.to_bytes()))
    return path
