"""Pixels of a stack: decoded, rescaled and arranged as (x, y, z, t), with missing frames interpolated in time.

Intensities are those of the scanner (rescale slope and intercept applied, MONOCHROME1 inverted), never normalised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import CinemaError, UnreadableFileError
from cinema_cmr.core.memory import check_memory
from cinema_cmr.io.dicom.decoding.bounded_file import read_dataset
from cinema_cmr.io.dicom.decoding.polarity import looks_inverted
from cinema_cmr.io.dicom.decoding.signed import SignedPixels, Signs, judge_signs, signed_pixels, true_bits
from cinema_cmr.io.dicom.files import FoundFiles, quiet_pydicom
from cinema_cmr.io.dicom.regrid import resample_in_plane
from cinema_cmr.io.dicom.stack import CineSlice, Stack
from cinema_cmr.io.dicom.values import integer_of, is_stated, number_of, text_of, value_of

__all__ = ["AssembledStack", "BrokenImage", "assemble", "fill_missing", "resample_cycle", "rescale_frame"]

Image = NDArray[np.float32]

_HEADER_TAGS = (
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("RescaleSlope", "RescaleIntercept", "PixelPaddingValue"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)


_BYTES_A_PIXEL = 12
"""Of an image of float32, of the stack that it is copied to, and of what is made of that."""
_OUTLIER = 50.0
_SAMPLED_IMAGES = 30
"""Of a stack, from which its polarity is judged."""


@dataclass(frozen=True, kw_only=True)
class BrokenImage:
    """A frame whose pixels are unreadable."""

    number: int
    """Place of its file among those of the study in the order of their names, from 1; names may be those of people."""
    slice: int
    frame: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class AssembledStack:
    """A stack with its pixels."""

    stack: Stack
    """The readable slices; all requested slices if none is readable."""
    array: Image
    """(x, y, z, t): x along columns, y along rows as stored; z is 0 if no slice is readable."""
    broken: tuple[BrokenImage, ...] = ()
    shown: tuple[tuple[int | None, ...], ...] = ()
    """Slice, then frame of the array -> header index of the image nearest in time; None if that one is missing."""
    lost_slices: tuple[int, ...] = ()
    """Original indices of slices with fewer than half of their frames readable; they are not in `stack`."""
    signs: Signs = "signed"
    """Whether pixels that the header declares signed are; "wrapped" ones were read as unsigned."""
    inverted: tuple[int, ...] = ()
    """Header indices of images that were inverted against the photometric interpretation that they state."""


def assemble(found: FoundFiles, stack: Stack) -> AssembledStack:
    """Read the pixels of a stack; missing and broken frames are interpolated in time within their slice."""
    images, broken, signs, inverted = _read_images(found, stack)
    kept, columns, shown = [], [], []
    for k, cine_slice in enumerate(stack.slices):
        row = [images.get(index) if index is not None else None for index in cine_slice.frames]
        if sum(image is not None for image in row) * 2 < len(row):
            continue
        kept.append(k)
        n = len(row)
        nearest = (round(t * n / stack.n_frames) % n for t in range(stack.n_frames))
        shown.append(tuple(None if row[t] is None else cine_slice.frames[t] for t in nearest))
        images_of_slice = resample_cycle(fill_missing(row), stack.n_frames)
        columns.append(_on_stack_grid(images_of_slice, stack, cine_slice))
    lost = tuple(k for k in range(len(stack.slices)) if k not in kept)
    empty = np.zeros((stack.columns, stack.rows, 0, stack.n_frames), dtype=np.float32)
    array = np.stack(columns, axis=2) if columns else empty
    remaining = replace(stack, slices=tuple(stack.slices[k] for k in kept)) if columns else stack
    return AssembledStack(
        stack=remaining,
        array=array,
        broken=tuple(broken),
        shown=tuple(shown),
        lost_slices=lost,
        signs=signs,
        inverted=inverted,
    )


def _on_stack_grid(images: Image, stack: Stack, cine_slice: CineSlice) -> Image:
    if cine_slice.grid is None or cine_slice.own_origin is None:
        return images
    return resample_in_plane(images, cine_slice.grid, cine_slice.own_origin, onto=stack.grid, at=cine_slice.origin)


def _read_images(found: FoundFiles, stack: Stack) -> tuple[dict[int, Image], list[BrokenImage], Signs, tuple[int, ...]]:
    """Return header index -> image (x, y), each file read once, the unreadable, signs, and the inverted ones."""
    images_to_read = sorted(
        (found.headers[index].file, index, k, t)
        for k, cine_slice in enumerate(stack.slices)
        for t, index in enumerate(cine_slice.frames)
        if index is not None
    )
    check_memory(len(images_to_read) * stack.rows * stack.columns * _BYTES_A_PIXEL, "a stack of this study")
    images: dict[int, Image] = {}
    signed: dict[int, SignedPixels] = {}
    mirrors: dict[int, tuple[bool, float]] = {}
    reasons: dict[int, str] = {}
    current: tuple[int, Any] = (-1, None)
    with quiet_pydicom():
        for file, index, _, _ in images_to_read:
            header = found.headers[index]
            try:
                if current[0] != file:
                    current = (file, _pixel_dataset(found, file))
                stored = _stored(found, file, current[1], header.frame)
                image = rescale_frame(stored, current[1], header.frame, shape=(header.rows, header.columns))
                signs = _signs(stored, current[1], header.frame)
                images[index] = image
                mirrors[index] = _mirror(current[1], header.frame)
                if signs is not None:
                    signed[index] = signs
            except Exception as error:
                # Decoders raise any exception for a corrupt stream; only this image counts as missing.
                reasons[index] = _reason(error)
    judged = judge_signs(signed.values())
    if judged == "wrapped":
        for index, one in signed.items():
            images[index] = np.where(one.negative.T, images[index] + np.float32(one.step), images[index])
    inverted = _against_statement(images, mirrors)
    for index in inverted:
        images[index] = np.float32(mirrors[index][1]) - images[index]
    for index in _blank(images):
        reasons[index] = "it is blank, of one grey value"
        del images[index]
    for index in _out_of_proportion(images):
        reasons[index] = f"its intensities are over {_OUTLIER:g} times those of the others"
        del images[index]
    places = {index: (found.numbers[file], k, t) for file, index, k, t in images_to_read}
    broken = [
        BrokenImage(number=places[index][0], slice=places[index][1], frame=places[index][2], reason=reason)
        for index, reason in sorted(reasons.items())
    ]
    return images, broken, judged, inverted


def _is_negative(dataset: Any) -> bool:
    return text_of(dataset, "PhotometricInterpretation").upper() == "MONOCHROME1"


def _mirror(dataset: Any, frame: int) -> tuple[bool, float]:
    """Return whether low values are stated to be bright, and the sum of an intensity and its inverse."""
    slope, intercept = _rescale(dataset, frame)
    return _is_negative(dataset), sum(_stored_range(dataset)) * slope + 2 * intercept


def _against_statement(images: Mapping[int, Image], mirrors: Mapping[int, tuple[bool, float]]) -> tuple[int, ...]:
    """Return the images that look inverted, judged together with all of the same photometric interpretation."""
    found: list[int] = []
    for negative in (False, True):
        own = [index for index in images if mirrors[index][0] is negative]
        sampled = own[:: max(len(own) // _SAMPLED_IMAGES, 1)]
        if own and looks_inverted([images[index] for index in sampled]):
            found += own
    return tuple(sorted(found))


def _stored(found: FoundFiles, file: int, dataset: Any, frame: int) -> NDArray[np.generic]:
    """Return the stored values (rows, columns) of one frame of a file."""
    from pydicom.pixels import pixel_array

    if file in found.compressed:
        return found.decoder.frame(found.paths[file], frame)
    stated, allocated = dataset.get("BitsStored"), dataset.get("BitsAllocated")
    unsigned = integer_of(dataset, "PixelRepresentation") == 0 and isinstance(allocated, int)
    if unsigned and isinstance(stated, int) and stated < allocated:
        dataset.BitsStored = allocated
        try:
            return true_bits(pixel_array(dataset, index=frame), stated)
        finally:
            dataset.BitsStored = stated
    stored: NDArray[np.generic] = pixel_array(dataset, index=frame)
    return stored


def _signs(stored: NDArray[np.generic], dataset: Any, frame: int) -> SignedPixels | None:
    """Return the signs of an image with negative values, its step rescaled; None for another or an inverted one."""
    if stored.dtype.kind != "i" or _is_negative(dataset):
        return None
    low, high = _stored_range(dataset)
    signs = signed_pixels(stored, int(high - low).bit_length())
    return None if signs is None else replace(signs, step=signs.step * _rescale(dataset, frame)[0])


def _blank(images: Mapping[int, Image]) -> list[int]:
    """Return the images of one value among others that show something: their frame is missing."""
    blank = [index for index, one in images.items() if one[0, 0] == one.max() == one.min()]
    return [] if len(blank) == len(images) else blank


def _out_of_proportion(images: Mapping[int, Image]) -> list[int]:
    """Return the images whose largest value is far above that of the others: a damaged scale."""
    largest = {index: max(abs(float(image.min())), abs(float(image.max()))) for index, image in images.items()}
    typical = float(np.median(list(largest.values()))) if largest else 0.0
    return [index for index, value in largest.items() if value > _OUTLIER * typical > 0]


def _reason(error: Exception) -> str:
    """Return our own words on an unreadable image: those of decoders and of the system quote values and paths."""
    if isinstance(error, CinemaError):
        return str(error)
    return "its file cannot be read" if isinstance(error, OSError) else "its pixels are not what its header says"


def _pixel_dataset(found: FoundFiles, file: int) -> Any:
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

    compressed = file in found.compressed
    words = _HEADER_TAGS if compressed else (*_HEADER_TAGS, "PixelData")
    dataset = read_dataset(found.paths[file], words, pixels=not compressed)
    if not text_of(dataset.file_meta, "TransferSyntaxUID"):
        # Without a file meta header the transfer syntax has to be inferred from the bytes.
        implicit, _ = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    return dataset


def rescale_frame(stored: NDArray[np.generic], dataset: Any, frame: int, *, shape: tuple[int, int]) -> Image:
    """Return the stored values (rows, columns) of one frame as float32 (x, y), rescaled.

    Raises `UnreadableFileError` if it does not have `shape` (rows, columns), or a scale that gives no finite values.
    """
    if stored.shape != shape:
        raise UnreadableFileError(f"it has pixels of shape {stored.shape}, not {shape} as its header says")
    values: Image = stored.T.astype(np.float32)
    if _is_negative(dataset):
        values = np.float32(sum(_stored_range(dataset))) - values
    _fill_padding(values, stored, dataset)
    slope, intercept = _rescale(dataset, frame)
    if (slope, intercept) != (1.0, 0.0):
        with np.errstate(over="ignore", invalid="ignore"):
            values = values * np.float32(slope) + np.float32(intercept)
        if not np.isfinite(values).all():
            raise UnreadableFileError("its rescaled intensities are not finite")
    return values


def _fill_padding(values: Image, stored: NDArray[np.generic], dataset: Any) -> None:
    """Make the margin without image, in place, as dark as the darkest pixel: its value is no intensity.

    Only where a corner has that value, which may be an intensity elsewhere.
    """
    padding = number_of(dataset, "PixelPaddingValue")
    if padding is None or padding not in (float(one) for one in stored[[0, 0, -1, -1], [0, -1, 0, -1]]):
        return
    outside = (stored == padding).T
    if not outside.all():
        values[outside] = values[~outside].min()


def _stored_range(dataset: Any) -> tuple[float, float]:
    bits = integer_of(dataset, "BitsStored") or integer_of(dataset, "BitsAllocated") or 16
    if integer_of(dataset, "PixelRepresentation") == 1:
        return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
    return 0.0, 2.0**bits - 1


def _rescale(dataset: Any, frame: int) -> tuple[float, float]:
    """Return slope and intercept of a frame: its own, else those shared by all frames, else the object's.

    Raises `UnreadableFileError` for one that is stated and no finite number.
    """
    sources = [dataset]
    shared = value_of(dataset, "SharedFunctionalGroupsSequence")
    own = value_of(dataset, "PerFrameFunctionalGroupsSequence")
    for group in ([shared[0]] if shared else []) + ([own[frame]] if own else []):
        sources = [*(value_of(group, "PixelValueTransformationSequence") or []), *sources]
    slope, intercept = (_scale(sources, word) for word in ("RescaleSlope", "RescaleIntercept"))
    return slope or 1.0, intercept or 0.0  # a slope of 0 was left out, not meant


def _scale(sources: Sequence[Any], keyword: str) -> float | None:
    """Return the first number under this keyword; None if it is absent or empty."""
    stating = (source for source in sources if is_stated(source, keyword))
    source = next(stating, None)
    if source is None:
        return None
    number = number_of(source, keyword)
    if number is None:
        raise UnreadableFileError("its rescale slope or intercept is not a number")
    return number


def fill_missing(row: Sequence[Image | None]) -> Image:
    """Stack the images of one slice over the cycle, (x, y, t), interpolating missing ones linearly in time.

    The cycle is closed: the last frame precedes the first. At least one image must be present.
    """
    present_indices = [k for k, image in enumerate(row) if image is not None]
    present: Mapping[int, Image] = {k: image for k, image in enumerate(row) if image is not None}
    n = len(row)
    filled = []
    for k in range(n):
        before = max((j for j in present_indices if j <= k), default=present_indices[-1] - n)
        after = min((j for j in present_indices if j >= k), default=present_indices[0] + n)
        weight = 0.0 if after == before else (k - before) / (after - before)
        start, end = present[before % n], present[after % n]
        filled.append(start if weight == 0 else start * np.float32(1 - weight) + end * np.float32(weight))
    return np.stack(filled, axis=-1)


def resample_cycle(images: Image, n_frames: int) -> Image:
    """Resample (x, y, t) to `n_frames` over the same closed cycle, linearly in time; the first frame is unchanged."""
    n = images.shape[-1]
    if n == n_frames:
        return images
    positions = np.arange(n_frames) * (n / n_frames)
    before = np.floor(positions).astype(int)
    weight = (positions - before).astype(np.float32)
    resampled: Image = images[..., before % n] * (1 - weight) + images[..., (before + 1) % n] * weight
    return resampled
