"""Which stored image each slice and frame of an assembled stack shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cinema_cmr.core.geometry import lps_to_ras
from cinema_cmr.core.sources import CineSources, SourceImage
from cinema_cmr.io.dicom.header import FrameHeader
from cinema_cmr.io.dicom.pixels import AssembledStack

__all__ = ["cine_sources"]


def cine_sources(headers: Sequence[FrameHeader], one: AssembledStack) -> CineSources:
    """Return the images of each slice and frame of a stack, and the true slice origins.

    A frame that was interpolated, because its image is missing or unreadable, has none. In a slice of another number
    of frames than the stack, a frame is given the image nearest in time.
    """
    stack = one.stack
    n_original = len(stack.slices) + len(one.lost_slices)
    kept = [k for k in range(n_original) if k not in one.lost_slices]
    broken = {(image.slice, image.frame) for image in one.broken}
    rows = []
    for k, cine_slice in zip(kept, stack.slices, strict=True):
        n = len(cine_slice.frames)
        nearest = [round(t * n / stack.n_frames) % n for t in range(stack.n_frames)]
        found = [None if (k, t) in broken else cine_slice.frames[t] for t in nearest]
        rows.append(tuple(None if index is None else _source(headers[index]) for index in found))
    return CineSources(images=tuple(rows), origins_mm=np.asarray(lps_to_ras(stack.origins), dtype=np.float64))


def _source(header: FrameHeader) -> SourceImage | None:
    return SourceImage(instance_uid=header.instance_uid, frame=header.frame) if header.instance_uid else None
