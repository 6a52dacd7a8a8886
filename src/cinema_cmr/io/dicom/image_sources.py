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

    A frame whose image is missing or unreadable, and which was interpolated, has none; one between two images, as in a
    slice of another number of frames than the stack, has the nearest in time.
    """
    images = (
        tuple(None if index is None else _source(headers[index], resampled=cine_slice.is_resampled) for index in row)
        for cine_slice, row in zip(one.stack.slices, one.shown, strict=True)
    )
    origins = np.asarray(lps_to_ras(one.stack.origins), dtype=np.float64)
    return CineSources(images=tuple(images), origins_mm=origins)


def _source(header: FrameHeader, *, resampled: bool) -> SourceImage | None:
    if not header.instance_uid:
        return None
    return SourceImage(instance_uid=header.instance_uid, frame=header.frame, resampled=resampled)
