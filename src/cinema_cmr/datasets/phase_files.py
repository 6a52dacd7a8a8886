"""Studies with ED and ES in separate files, joined to a cine of two frames, ED first, with their masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import GeometryError, InputError
from cinema_cmr.core.study import Issue
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.datasets.listing import require_path
from cinema_cmr.io.nifti.header import make_header
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.io.nifti.source import stored_header

__all__ = ["read_phases"]


def read_phases(
    images: Sequence[Path], masks: Sequence[Path | None], *, view: View, codes: Mapping[int, int], name: str
) -> tuple[Cine, LabelMap, tuple[Issue, ...]]:
    """Read the frames of one view from one file each, with label maps translated by `codes` (file code -> our code).

    A single file may hold any number of frames. Without a label map (None) the labels are empty. Raises `InputError` if
    a file is missing, has another code or, as one of several, more than one frame, `GeometryError` if frames or masks
    lie on different grids; `name` is the case's, for messages.
    """
    read = [read_nifti_cine(require_path(path), view=view) for path in images]
    first, *others = (cine for cine, _ in read)
    if others and first.n_frames > 1:
        raise InputError(f"{name}: the ED file has {first.n_frames} frames; expected one frame: export it again")
    for other in others:
        _check_one_grid(name, first, other)
    shape, header = first.array.shape, stored_header(first) or make_header(first).binaryblock
    arrays = [
        np.zeros(shape, np.uint8)
        if path is None
        else read_label_codes(require_path(path), shape, codes=codes, image_header=header)
        for path in masks
    ]
    cine = first.with_array(np.concatenate([cine.array for cine, _ in read], axis=3))
    issues = tuple(issue for _, found in read for issue in found)
    return cine, LabelMap(array=np.concatenate(arrays, axis=3)), issues


def _check_one_grid(name: str, ed: Cine, es: Cine) -> None:
    if ed.array.shape != es.array.shape:
        raise GeometryError(
            f"{name}: ED has shape {ed.array.shape}, ES {es.array.shape}; expected one grid: export them again"
        )
    if not np.allclose(ed.affine, es.affine, rtol=0, atol=0.01):
        raise GeometryError(
            f"{name}: ED has voxels of {ed.spacing_mm} mm, ES of {es.spacing_mm} mm, or another position;"
            " expected one grid: export them again"
        )
