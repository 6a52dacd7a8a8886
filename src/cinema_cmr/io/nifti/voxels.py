"""The bytes of a NIfTI file: its header as stored, and its voxels, bounded by what is there.

One function a rule. A compressed file is unpacked once, as a stream, up to its last voxel and no further.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from nibabel import Nifti1Header, Nifti2Header
from nibabel.spatialimages import HeaderDataError

from cinema_cmr.core.errors import GeometryError, InputError, UnreadableFileError
from cinema_cmr.core.memory import check_memory
from cinema_cmr.files.regular import open_regular

__all__ = ["check_nifti", "parse_header", "read_voxels", "stored_shape"]

_HEADERS = {348: Nifti1Header, 540: Nifti2Header}
_MAGIC = {348: (slice(344, 348), b"n+1\0"), 540: (slice(4, 8), b"n+2\0")}
_MAX_OFFSET = 16 << 20
"""First byte of the voxels: extensions with a whole DICOM header reach some 100 KB."""
_MAX_BYTES = 8 << 30
_MAX_RATIO = 200
"""Unpacked over packed bytes; images reach 2 to 20, and masks, of zeros nearly, 1000."""
_MASK_RATIO = 1200
"""The most that deflate can reach is 1030."""
_UNPACKED_FREELY = 64 << 20
_COPIES = 6
"""Bytes of memory a voxel's byte takes at most while it is made an image: int8 to float32, beside the stored ones."""


def read_voxels(path: Path) -> tuple[Nifti1Header, bytes | memoryview]:
    """Return the header as stored, without repairs, and the bytes of the voxels.

    Raises `UnreadableFileError` for a file that is cut short or damaged or claims more than it can hold,
    `GeometryError` and `InputError` as the rules do.
    """
    with _opened(path) as (stream, size, packed):
        start = stream.read(540)
        header = parse_header(start)
        first, end = _voxel_range(header)
        _check_size(end, size, packed=packed, ratio=_MAX_RATIO)
        check_memory(_COPIES * (end - first), "the image")
        content = start + stream.read(max(0, end - len(start)))
        stream.read(1)  # beyond the last voxel, so that gzip verifies its checksum
    if len(content) < end:
        raise UnreadableFileError(f"truncated to {len(content)} bytes; expected {end} from its header: copy it again")
    return header, memoryview(content)[first:end]


def check_nifti(path: Path) -> Nifti1Header:
    """Return the header of a mask or an image that another reader is to open, after the same checks."""
    with _opened(path) as (stream, size, packed):
        header = parse_header(stream.read(540))
        _, end = _voxel_range(header)
    _check_size(end, size, packed=packed, ratio=_MASK_RATIO)
    return header


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@contextmanager
def _opened(path: Path) -> Iterator[tuple[_Readable, int, bool]]:
    """Yield the unpacked bytes as a stream, the size of the file, and whether it is packed."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            packed = file.peek(2)[:2] == b"\x1f\x8b"
            if packed:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield unpacked, size, True
            else:
                yield file, size, False
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnreadableFileError(
            "the compressed file is truncated or damaged; expected a complete file: copy it again"
        ) from error
    except OSError as error:
        raise UnreadableFileError(
            f"cannot be opened ({error.strerror}); expected a readable file: check the path"
        ) from error


def _check_size(end: int, size: int, *, packed: bool, ratio: float) -> None:
    """Refuse a header that claims more bytes than the file has, or than a file of its kind unpacks to."""
    if not packed and end > size:
        raise UnreadableFileError(f"truncated to {size} bytes; expected {end} from its header: copy it again")
    if packed and end > max(_UNPACKED_FREELY, ratio * size):
        raise UnreadableFileError(
            f"claims {end} bytes from {size} compressed ones; expected at most {ratio:g} times as many: refused as a"
            " decompression bomb"
        )


def parse_header(start: bytes) -> Nifti1Header:
    """Return the header that a file starts with, without repairs; raises `UnreadableFileError` for another format."""
    sizes = {int.from_bytes(start[:4], "little"): "<", int.from_bytes(start[:4], "big"): ">"}
    size = min(sizes)
    if size not in _HEADERS or len(start) < size:
        raise UnreadableFileError(
            "not a NIfTI file, or truncated in its header; expected .nii or .nii.gz: export it again"
        )
    place, magic = _MAGIC[size]
    if start[place] != magic:
        raise UnreadableFileError("an Analyze file or a .hdr/.img pair; expected NIfTI: convert it to one .nii file")
    return _HEADERS[size](start[:size], endianness=sizes[size], check=False)


def _voxel_range(header: Nifti1Header) -> tuple[int, int]:
    """Return the byte range of the image; raises unless each voxel is one real number."""
    code = int(header["datatype"])
    try:
        voxel = header.get_data_dtype()
    except (HeaderDataError, KeyError) as error:
        raise UnreadableFileError(
            f"unknown data type {code}; expected a real number type: export it as int16 or float32"
        ) from error
    if voxel.kind not in "iuf":
        raise InputError(
            f"data type {code} is colour or complex; expected one real number per voxel: export it as int16 or float32"
        )
    length = voxel.itemsize * math.prod(stored_shape(header))
    offset = float(header["vox_offset"]) or header.single_vox_offset
    if length > _MAX_BYTES or not header.single_vox_offset <= offset <= _MAX_OFFSET:
        raise UnreadableFileError(
            f"the header claims {length} bytes from byte {offset:g}; expected a plausible size: the header is damaged,"
            " copy it again"
        )
    return int(offset), int(offset) + length


def stored_shape(header: Nifti1Header) -> tuple[int, ...]:
    """Return the lengths of all axes; raises `GeometryError` for fewer than two, more than seven, or an empty one."""
    n_axes = int(header["dim"][0])
    shape = tuple(int(extent) for extent in header["dim"][1 : max(n_axes, 0) + 1])
    if not 2 <= n_axes <= 7 or min(shape) < 1:
        raise GeometryError(
            f"has {n_axes} axes of lengths {shape}; expected two to four, (x, y, z, t): export it again"
        )
    return shape
