"""Limits on what a DICOM header claims about its pixels, held against the bytes that are there.

One function a rule. Each raises `GeometryError` with what was found, so that the image is excluded with that reason.
"""

from __future__ import annotations

from typing import Any

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.io.dicom.values import integer_of, text_of, value_of

__all__ = ["check_claims", "check_frame_count", "check_groups", "check_matrix", "is_compressed"]

_MIN_MATRIX, _MAX_MATRIX = 2, 4096
"""Rows or columns; magnetic resonance images have 64 to 1024."""
_MAX_FRAMES = 20_000
"""Frames of one object; a cine stack in one object has 1500, a 4D flow measurement 4000."""
_MAX_EXPANSION = 300
"""Decoded over stored bytes of compressed pixels; lossless coding reaches 2 to 4, lossy coding 50."""
_EXPANDED_FREELY = 64 << 20
_FRAGMENT_BYTES = 8
"""Least size of a compressed frame: the tag and length of its fragment."""


def is_compressed(dataset: Any) -> bool:
    """Return whether the pixels have to be decoded; True for a transfer syntax that is unknown."""
    from pydicom.uid import UID

    syntax = UID(text_of(dataset.file_meta, "TransferSyntaxUID"))
    try:
        return bool(syntax) and syntax.is_encapsulated
    except ValueError:
        return True


def check_claims(dataset: Any, pixel_bytes: int) -> None:
    """Check an object of which `pixel_bytes` follow the header; raises as the rules do."""
    check_matrix(dataset)
    check_frame_count(dataset, pixel_bytes)
    check_groups(dataset)


def check_matrix(dataset: Any) -> None:
    """Refuse a matrix smaller or larger than any scanner's."""
    rows, columns = integer_of(dataset, "Rows") or 0, integer_of(dataset, "Columns") or 0
    if not (min(rows, columns) >= _MIN_MATRIX and max(rows, columns) <= _MAX_MATRIX):
        raise GeometryError(f"a matrix of {columns} x {rows} ({_MIN_MATRIX} to {_MAX_MATRIX} are expected)")


def check_frame_count(dataset: Any, pixel_bytes: int) -> None:
    """Refuse more frames than the file can hold; a single frame that is cut short is one broken image."""
    stated = integer_of(dataset, "NumberOfFrames")
    n = 1 if stated is None else stated
    if n < 0 or n > _MAX_FRAMES:
        raise GeometryError(f"an implausible number of frames (at most {_MAX_FRAMES} are expected)")
    if n < 2:
        return
    bits = (integer_of(dataset, "BitsAllocated") or 16) * (integer_of(dataset, "SamplesPerPixel") or 1)
    size = n * (integer_of(dataset, "Rows") or 0) * (integer_of(dataset, "Columns") or 0) * bits // 8
    if is_compressed(dataset):
        fits = n * _FRAGMENT_BYTES <= pixel_bytes and size <= max(_EXPANDED_FREELY, _MAX_EXPANSION * pixel_bytes)
    else:
        fits = size <= pixel_bytes
    if not fits:
        raise GeometryError(f"{n} frames stated, more than the file has bytes for (it is cut short or damaged)")


def check_groups(dataset: Any) -> None:
    """Refuse another number of functional groups than of frames."""
    groups = value_of(dataset, "PerFrameFunctionalGroupsSequence")
    n_groups, n_frames = len(groups) if groups else 0, integer_of(dataset, "NumberOfFrames") or 1
    if n_groups > _MAX_FRAMES or (n_groups > n_frames > 1):
        raise GeometryError(f"{n_groups} functional groups for {n_frames} frames (one for each is expected)")
