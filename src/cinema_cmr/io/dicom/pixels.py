"""Pixels of a stack: decoded, rescaled, laid out as (x, y, z, t), with what is missing filled in time.

Intensities are the scanner's own (rescale slope and intercept applied, MONOCHROME1 turned round), never
normalised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.io.dicom.files import FoundFiles, quiet_pydicom
from cinema_cmr.io.dicom.stack import Stack
from cinema_cmr.io.dicom.values import integer_of, number_of, text_of, value_of

__all__ = ["AssembledStack", "BrokenImage", "assemble", "decoded_frame", "fill_missing", "resample_cycle"]

Image = NDArray[np.float32]

_PIXEL_TAGS = (
    *("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("RescaleSlope", "RescaleIntercept", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)


@dataclass(frozen=True, kw_only=True)
class BrokenImage:
    """An image that was to be a frame and whose pixels cannot be read."""

    stem: str
    slice: int
    frame: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class AssembledStack:
    """A stack with its pixels."""

    stack: Stack
    """The slices that could be read; all of the slices asked for where none could."""
    array: Image
    """(x, y, z, t): x along columns, y along rows as stored; z is 0 where no slice could be read."""
    broken: tuple[BrokenImage, ...] = ()
    lost_slices: tuple[int, ...] = ()
    """Slices, by their number before, of which less than half could be read; they are not in `stack`."""


def assemble(found: FoundFiles, stack: Stack) -> AssembledStack:
    """Reads the pixels of a stack; missing and broken frames are interpolated in time within their slice."""
    images, broken = _images(found, stack)
    kept, columns = [], []
    for k, cut in enumerate(stack.slices):
        row = [images.get(index) if index is not None else None for index in cut.frames]
        if sum(image is not None for image in row) * 2 < len(row):
            continue
        kept.append(k)
        columns.append(resample_cycle(fill_missing(row), stack.n_frames))
    lost = tuple(k for k in range(len(stack.slices)) if k not in kept)
    nothing = np.zeros((stack.columns, stack.rows, 0, stack.n_frames), dtype=np.float32)
    array = np.stack(columns, axis=2) if columns else nothing
    left = replace(stack, slices=tuple(stack.slices[k] for k in kept)) if columns else stack
    return AssembledStack(stack=left, array=array, broken=tuple(broken), lost_slices=lost)


def _images(found: FoundFiles, stack: Stack) -> tuple[dict[int, Image], list[BrokenImage]]:
    """Header index -> image (x, y), each file read once; and the images that could not be read."""
    wanted = sorted(
        (found.headers[index].file, index, k, t)
        for k, cut in enumerate(stack.slices)
        for t, index in enumerate(cut.frames)
        if index is not None
    )
    images: dict[int, Image] = {}
    broken: list[BrokenImage] = []
    opened: tuple[int, Any] = (-1, None)
    with quiet_pydicom():
        for file, index, k, t in wanted:
            path = found.paths[file]
            try:
                if opened[0] != file:
                    opened = (file, _pixel_dataset(path))
                images[index] = decoded_frame(opened[1], found.headers[index].frame, shape=(stack.rows, stack.columns))
            except Exception as error:
                # Decoders raise whatever a corrupt stream leads to; this one image counts as missing.
                broken.append(BrokenImage(stem=path.stem, slice=k, frame=t, reason=_reason(error)))
    return images, broken


def _reason(error: Exception) -> str:
    """The first line of a decoder's complaint: sizes and codecs. An operating system's would name paths."""
    if isinstance(error, OSError) and error.filename:
        return type(error).__name__
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def _pixel_dataset(path: Path) -> Any:
    from pydicom import dcmread
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

    dataset = dcmread(path, force=True, specific_tags=list(_PIXEL_TAGS))
    if not text_of(dataset.file_meta, "TransferSyntaxUID"):
        # Files without a preamble leave the transfer syntax to be seen from the bytes.
        implicit, _ = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    return dataset


def decoded_frame(dataset: Any, frame: int, *, shape: tuple[int, int]) -> Image:
    """One frame as float32 (x, y), rescaled; `ValueError` where it has not the shape (rows, columns)."""
    from pydicom.pixels import pixel_array

    stored = pixel_array(dataset, index=frame)
    if stored.shape != shape:
        raise ValueError(f"pixels of shape {stored.shape} where the header says {shape}")
    values: Image = stored.T.astype(np.float32)
    if text_of(dataset, "PhotometricInterpretation").upper() == "MONOCHROME1":
        values = np.float32(sum(_stored_range(dataset))) - values
    slope, intercept = _rescale(dataset, frame)
    if (slope, intercept) != (1.0, 0.0):
        values = values * np.float32(slope) + np.float32(intercept)
    return values


def _stored_range(dataset: Any) -> tuple[float, float]:
    bits = integer_of(dataset, "BitsStored") or integer_of(dataset, "BitsAllocated") or 16
    if integer_of(dataset, "PixelRepresentation") == 1:
        return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
    return 0.0, 2.0**bits - 1


def _rescale(dataset: Any, frame: int) -> tuple[float, float]:
    """Slope and intercept of a frame: its own, else those shared by all frames, else the object's."""
    sources = [dataset]
    shared = value_of(dataset, "SharedFunctionalGroupsSequence")
    own = value_of(dataset, "PerFrameFunctionalGroupsSequence")
    for group in ([shared[0]] if shared else []) + ([own[frame]] if own else []):
        sources = [*(value_of(group, "PixelValueTransformationSequence") or []), *sources]
    slope = next((s for s in (number_of(source, "RescaleSlope") for source in sources) if s), 1.0)
    intercepts = (number_of(source, "RescaleIntercept") for source in sources)
    return slope, next((value for value in intercepts if value is not None), 0.0)


def fill_missing(row: Sequence[Image | None]) -> Image:
    """Images of one slice over the cycle -> (x, y, t); a missing one lies between its neighbours in time.

    The cycle closes: before the first frame comes the last. At least one image must be there.
    """
    known = [k for k, image in enumerate(row) if image is not None]
    present: Mapping[int, Image] = {k: image for k, image in enumerate(row) if image is not None}
    n = len(row)
    filled = []
    for k in range(n):
        before = max((j for j in known if j <= k), default=known[-1] - n)
        after = min((j for j in known if j >= k), default=known[0] + n)
        share = 0.0 if after == before else (k - before) / (after - before)
        start, end = present[before % n], present[after % n]
        filled.append(start if share == 0 else start * np.float32(1 - share) + end * np.float32(share))
    return np.stack(filled, axis=-1)


def resample_cycle(images: Image, n_frames: int) -> Image:
    """(x, y, t) -> (x, y, n_frames) over the same closed cycle, linear in time; the first frame stays."""
    n = images.shape[-1]
    if n == n_frames:
        return images
    places = np.arange(n_frames) * (n / n_frames)
    before = np.floor(places).astype(int)
    share = (places - before).astype(np.float32)
    resampled: Image = images[..., before % n] * (1 - share) + images[..., (before + 1) % n] * share
    return resampled
