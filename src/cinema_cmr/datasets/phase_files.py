"""Studies whose ED and ES lie in files of their own: joined to a cine of two frames, ED first, with their masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import GeometryError, InputError
from cinema_cmr.core.study import Issue
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.datasets.listing import existing
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.nifti.labels import read_label_codes

__all__ = ["read_phases"]


def read_phases(
    images: Sequence[Path], masks: Sequence[Path | None], *, view: View, codes: Mapping[int, int], name: str
) -> tuple[Cine, LabelMap, tuple[Issue, ...]]:
    """The frames of one view from one file each, with their label maps, `codes` translated (the file's -> ours).

    A single file may hold any number of frames. Where there is no label map (None) nothing is drawn. Raises
    `InputError` where a file is missing, holds another code or, of several, more than one frame, `GeometryError`
    where frames or masks lie on different grids; `name` is the case's, for messages.
    """
    read = [read_nifti_cine(existing(path), view=view) for path in images]
    first, *others = (cine for cine, _ in read)
    if others and first.n_frames > 1:
        raise InputError(
            f"{name}: its ED's file has {first.n_frames} frames; expected the one frame that it is named by"
        )
    for other in others:
        _check_one_grid(name, first, other)
    shape, header = first.array.shape, first.nifti_header
    arrays = [
        np.zeros(shape, np.uint8)
        if path is None
        else read_label_codes(existing(path), shape, codes=codes, image_header=header)
        for path in masks
    ]
    cine = first.with_array(np.concatenate([cine.array for cine, _ in read], axis=3))
    issues = tuple(issue for _, found in read for issue in found)
    return cine, LabelMap(array=np.concatenate(arrays, axis=3)), issues


def _check_one_grid(name: str, ed: Cine, es: Cine) -> None:
    if ed.array.shape != es.array.shape:
        raise GeometryError(f"{name}: ED has shape {ed.array.shape}, ES {es.array.shape}; expected one grid")
    if not np.allclose(ed.affine, es.affine, rtol=0, atol=0.01):
        raise GeometryError(
            f"{name}: ED has voxels of {ed.spacing_mm} mm, ES of {es.spacing_mm} mm, or another place;"
            " expected one grid"
        )
