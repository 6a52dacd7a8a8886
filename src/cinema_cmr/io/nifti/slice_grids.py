"""Slices of one scan that were written on grids of their own, or with numbers of frames of their own, made alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import unit
from cinema_cmr.core.study import Issue
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.pixels import resample_cycle
from cinema_cmr.io.dicom.regrid import on_common_grid, resample_in_plane
from cinema_cmr.io.dicom.stack import PARALLEL, CineSlice, SliceGrid

__all__ = ["alike_slices", "are_parallel"]

Array = NDArray[np.float64]


def are_parallel(affines: Sequence[Array]) -> bool:
    """Return True if the planes of several images differ by less than the tilt of slices of one stack."""
    normals = [unit(np.cross(affine[:3, 0], affine[:3, 1])) for affine in affines]
    return all(abs(float(normal @ normals[0])) > PARALLEL for normal in normals)


def alike_slices(cines: Sequence[Cine]) -> tuple[list[Cine], list[Issue]]:
    """Return single slices (x, y, 1, t) on the in-plane grid and with the number of frames of most, and notes.

    They must be parallel, with known orientation. The order is kept. Positions are RAS throughout.
    """
    n_frames = Counter(cine.n_frames for cine in cines).most_common(1)[0][0]
    slices = [
        CineSlice(
            series=str(k),
            origin=tuple(cine.affine[:3, 3].tolist()),
            frames=(k,),
            grid=_grid(cine),
        )
        for k, cine in enumerate(cines)
    ]
    stack, issues = on_common_grid(slices)
    usual = next(cines[int(one.series)] for one in stack.slices if one.grid is None)
    complete = next(cine for cine in cines if cine.n_frames == n_frames)
    placed: dict[int, Cine] = {}
    for one in stack.slices:
        cine = cines[int(one.series)]
        images = resample_cycle(cine.array[:, :, 0], n_frames)
        if one.grid is not None and one.own_origin is not None:
            images = resample_in_plane(images, one.grid, one.own_origin, onto=stack.grid, at=one.origin)
        affine = usual.affine.copy()
        affine[:3, 3] = one.origin
        timed = cine if cine.n_frames == n_frames else complete
        placed[int(one.series)] = replace(
            cine,
            array=images[:, :, None],
            affine=affine,
            frame_times_ms=timed.frame_times_ms,
            rr_interval_ms=timed.rr_interval_ms,
            source=None,
        )
    return [placed[k] for k in range(len(cines))], [*issues, *_count_issues(cines, n_frames)]


def _grid(cine: Cine) -> SliceGrid:
    columns, rows = cine.affine[:3, 0], cine.affine[:3, 1]
    nx, ny = cine.array.shape[:2]
    directions = np.concatenate([unit(columns), unit(rows)])
    dx, dy, _ = cine.spacing_mm
    return SliceGrid(
        orientation=tuple(directions.round(5).tolist()),
        pixel_spacing=(round(dy, 4), round(dx, 4)),
        rows=ny,
        columns=nx,
    )


def _count_issues(cines: Sequence[Cine], n_frames: int) -> list[Issue]:
    count = sum(cine.n_frames != n_frames for cine in cines)
    if not count:
        return []
    message = (
        f"most slices have {n_frames} frames, {count} another number; these were resampled over the cycle: check that"
        " each covers one beat"
    )
    evidence = {"n_frames": n_frames, "slices": count}
    return [Issue(code="frame-count-differs", severity="warning", message=message, evidence=evidence)]
