"""Label maps that experts drew, read from NIfTI with their codes translated to ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from cinema_cmr.core.errors import GeometryError, InputError, UnreadableFileError

__all__ = ["read_label_codes"]


def read_label_codes(
    path: Path | str, shape: tuple[int, ...], *, codes: Mapping[int, int]
) -> NDArray[np.uint8]:
    """The label map of an image of `shape` (x, y, z, t), translated by `codes` (the file's code -> ours).

    Background is 0 in both. Raises `GeometryError` for another grid than the image's, `InputError` for values
    that are no whole numbers or that `codes` does not name, `UnreadableFileError` for a damaged file.
    """
    path = Path(path)
    values = _values(path)
    if values.shape + (1,) * (4 - values.ndim) != tuple(shape):
        raise GeometryError(f"'{path.name}' has shape {values.shape}, its image {shape}; a mask must be on its grid")
    table = {0: 0, **codes}
    found = np.unique(values)
    unknown = [value for value in found.tolist() if value not in table]
    if unknown:
        raise InputError(f"'{path.name}' holds the values {unknown[:8]}; expected the label codes {sorted(table)}")
    translated = np.zeros(shape, np.uint8)
    for code in found:
        translated[values.reshape(shape) == code] = table[int(code)]
    return translated


def _values(path: Path) -> NDArray[np.float32]:
    try:
        image = nib.load(path)
        return np.asarray(image.dataobj, dtype=np.float32)  # type: ignore[attr-defined]
    except (ImageFileError, EOFError, OSError) as error:
        raise UnreadableFileError(f"'{path.name}' is no readable NIfTI label map: {error}") from error
