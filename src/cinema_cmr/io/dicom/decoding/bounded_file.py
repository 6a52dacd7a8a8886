"""A DICOM file whose parsing is bounded: pydicom believes the lengths and the nesting that a file claims."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.files.regular import open_regular

__all__ = ["BoundedFile", "read_dataset", "read_pixel_bytes_and_header"]

_MAX_HEADER_BYTES = 32 << 20
"""Of the elements before the pixels. An enhanced object of 3000 frames has some 10 MB."""
_MAX_HEADER_READS = 1_500_000
"""Calls of `read`, one or more an element or item: some 500 MB once parsed."""
_INFLATED_FREELY = 16 << 20
_MAX_INFLATION = 100
"""Inflated over stored bytes of a deflated file; images reach 2 to 20."""
_CHUNK_BYTES = 1 << 20
_DEFLATED, _EXPLICIT = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.1"
_META_START = 144
"""Bytes of the preamble, the magic word and the length of the file's meta group, which ends them."""
_MAX_META_BYTES = 1 << 16


class BoundedFile:
    """A binary file that raises `UnreadableFileError` beyond so many bytes or calls of `read`."""

    def __init__(self, stream: BinaryIO, *, max_bytes: int | None = None, max_reads: int | None = None) -> None:
        self._stream = stream
        self._bytes_left, self._reads_left = max_bytes, max_reads
        self._size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        self.seek, self.tell, self.close = stream.seek, stream.tell, stream.close

    @property
    def size(self) -> int:
        """Length of the file in bytes."""
        return self._size

    def read(self, size: int = -1) -> bytes:
        """Read as a file does; a size beyond its end allocates nothing."""
        if self._reads_left is not None:
            self._reads_left -= 1
            if self._reads_left < 0:
                raise _too_large(f"more than {_MAX_HEADER_READS} elements")
        if size < 0 or size > _CHUNK_BYTES:
            left = max(0, self._size - self.tell())
            size = left if size < 0 else min(size, left)
        if self._bytes_left is not None:
            self._bytes_left -= size
            if self._bytes_left < 0:
                raise _too_large(f"more than {_MAX_HEADER_BYTES >> 20} MB")
        return self._stream.read(size)


def read_dataset(path: Path, tags: Iterable[str] | None = None, *, pixels: bool = False) -> Any:
    """Return a file's elements of these keywords (default all), with `pixels` those from the pixel data on too.

    Raises `UnreadableFileError` for a header out of proportion or a deflated file that inflates without end, and
    whatever pydicom raises for corrupt bytes.
    """
    return read_pixel_bytes_and_header(path, tags, pixels=pixels)[1]


def read_pixel_bytes_and_header(
    path: Path, tags: Iterable[str] | None = None, *, pixels: bool = False
) -> tuple[int, Any]:
    """Return the number of bytes from the pixel data on, and the elements as `read_dataset` does."""
    from pydicom import dcmread

    words = None if tags is None else list(tags)
    with _plain_stream(path) as stream:
        bounds = {} if pixels else {"max_bytes": _MAX_HEADER_BYTES, "max_reads": _MAX_HEADER_READS}
        file = BoundedFile(stream, **bounds)
        source: Any = file
        dataset = dcmread(source, stop_before_pixels=not pixels, force=True, specific_tags=words)
        return file.size - (0 if pixels else file.tell()), dataset


@contextmanager
def _plain_stream(path: Path) -> Iterator[BinaryIO]:
    """Yield the file, inflated if it is stored deflated."""
    with open_regular(path) as stream:
        start = stream.read(2048)
        stream.seek(0)
        yield _inflated(stream) if _DEFLATED in start else stream


def _inflated(stream: BinaryIO) -> BinaryIO:
    """Return a deflated file as one in explicit little endian, inflated within its limits."""
    head = stream.read(_META_START)
    meta = stream.read(min(int.from_bytes(head[-4:], "little"), _MAX_META_BYTES))
    if _DEFLATED not in meta:  # the UID stands elsewhere in the file, and means nothing there
        stream.seek(0)
        return stream
    packed = stream.read()
    plain = BytesIO()
    plain.write(head + meta.replace(_DEFLATED, _EXPLICIT.ljust(len(_DEFLATED), b"\0")))
    inflate, limit = zlib.decompressobj(-zlib.MAX_WBITS), max(_INFLATED_FREELY, _MAX_INFLATION * len(packed))
    while packed and not inflate.eof:
        plain.write(inflate.decompress(packed, _CHUNK_BYTES))
        packed = inflate.unconsumed_tail
        if plain.tell() > limit:
            raise _too_large(f"over {_MAX_INFLATION} times its size once inflated")
    plain.seek(0)
    return plain


def _too_large(found: str) -> UnreadableFileError:
    return UnreadableFileError(f"a DICOM header of {found}; expected a smaller one: export the file again")
