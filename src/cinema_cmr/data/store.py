"""Prepared studies: one file per study, one chunk per frame, so that any frame is one short read.

```
8 bytes  "CINEMAS1"
4 bytes  length of the header      4 bytes  CRC-32 of the header     (little-endian)
header   JSON: name, subject facts, cines with their geometry, SHA-256 of all frames
zeros    up to the next multiple of 64
frames   cine after cine, frame after frame: (x, y, z) as uint16, z fastest, uncompressed
```

Intensity = slope * stored + intercept; integers up to 65535 are restored exactly, others within half a slope. Only
acquired slices are stored. Nothing is unpickled and no personal data is kept.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
import threading
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import InputError, NoCineError, UnreadableFileError, UsageError
from cinema_cmr.core.geometry import spacing_of
from cinema_cmr.core.serialise import from_dict, to_dict
from cinema_cmr.core.study import Issue, Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.heart_position import heart_positions
from cinema_cmr.files.regular import open_regular
from cinema_cmr.files.text import parse_json
from cinema_cmr.io.atomic import atomic_path
from cinema_cmr.io.quantise import quantise

__all__ = ["STORE_SUFFIX", "StoredCine", "StoredHeader", "StoredStudy", "open_study", "write_study"]

STORE_SUFFIX = ".cine"

_MAGIC = b"CINEMAS1"
_START = struct.Struct("<8sII")
_ALIGNED = 64
_MAX_HEADER_BYTES = 16 << 20
"""Of a header; one of 11 cines of 50 frames has 30 KB."""
_VOXEL = np.dtype("<u2")

Key = TypeVar("Key")
Value = TypeVar("Value")


class _Recent(dict[Key, Value]):
    """A mapping of at most so many values: of more, those that were added or renewed first go."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most, self._lock = most, threading.Lock()

    def __setitem__(self, key: Key, value: Value) -> None:
        with self._lock:
            self.pop(key, None)
            super().__setitem__(key, value)
            if len(self) > self._most:
                del self[next(iter(self))]


_COMPARED: _Recent[tuple[int, int, int, int], bytearray] = _Recent(4096)
"""Frames that this process has compared with their checksums, by the state of their file: to compare takes a twentieth
of the time to read, and training reads each frame many times. Of a population a frame is seen once in hours, so that
few are kept."""
_HEADERS: _Recent[tuple[Path, str], tuple[StoredHeader, int]] = _Recent(1024)
"""Headers that this process has read, some 10 KB each, with the place of their first frame."""


@dataclass(frozen=True, kw_only=True)
class StoredCine:
    """One view of a stored study: its geometry in patient space and its position in the file."""

    view: View
    shape: tuple[int, int, int, int]
    """(x, y, z, t)."""
    affine: tuple[tuple[float, ...], ...]
    slice_positions_mm: tuple[float, ...]
    heart: tuple[float, float]
    """In-plane voxel indices (i, j) that a model's grid is centred on."""
    slope: float
    intercept: float
    offset: int
    """Bytes from the first frame of the file."""
    frame_times_ms: tuple[float, ...] | None = None
    rr_interval_ms: float | None = None
    slice_thickness_mm: float | None = None
    orientation_known: bool = True
    label: str = ""
    frame_crc32: tuple[int, ...] = ()
    """CRC-32 of each frame's bytes, compared where the frame is read; empty in files of before."""

    @property
    def n_frames(self) -> int:
        """Number of frames over the cycle."""
        return self.shape[3]

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """As `Cine.spacing_mm`."""
        return spacing_of(np.array(self.affine))

    @property
    def frame_bytes(self) -> int:
        """Size of one chunk in bytes."""
        return math.prod(self.shape[:3]) * _VOXEL.itemsize


@dataclass(frozen=True, kw_only=True)
class StoredHeader:
    """Header of a file."""

    name: str
    cines: tuple[StoredCine, ...]
    source_sha256: str
    """Hash of the input (`io.provenance.input_digest`); empty if unknown."""
    frames_sha256: str
    subject: Subject = field(default_factory=Subject)
    modality: Literal["cine", "lge"] = "cine"
    issues: tuple[tuple[str, str, str], ...] = ()
    """Code, severity and message of each."""


@dataclass(frozen=True, kw_only=True)
class StoredStudy:
    """A study in a file, neither frames nor header read yet: some 0.7 KB, so that a process holds 100,000 of them.

    The header is read when it is first needed, and kept for the studies of most recent use.
    """

    path: Path
    name: str
    views: tuple[View, ...]
    """Views in the file."""
    sha256: str
    """Hash of the header, which includes that of the frames: it identifies the whole content."""

    @property
    def header(self) -> StoredHeader:
        """Header of the file; raises `InputError` as `open_study`, `UnreadableFileError` for that of another study."""
        return self._opened()[0]

    @property
    def frames_start(self) -> int:
        """Bytes before the first frame; raises as `header`."""
        return self._opened()[1]

    def _opened(self) -> tuple[StoredHeader, int]:
        key = (self.path, self.sha256)
        found = _HEADERS.get(key)
        if found is None:
            header, start, sha256 = _read_header(self.path)
            if sha256 != self.sha256:
                raise UnreadableFileError(
                    f"'{self.path.name}' does not match the manifest; expected the study it lists: run `cinema prepare`"
                    " again"
                )
            found = header, start
        _HEADERS[key] = found  # renewed: those that are in use stay
        return found

    def cine(self, view: View) -> StoredCine:
        """Return geometry and position of a view; raises `NoCineError` if it is absent."""
        for cine in self.header.cines:
            if cine.view == view:
                return cine
        raise NoCineError(
            f"stored study '{self.name}' has no {view.title} cine; expected one of {', '.join(self.views)}: choose"
            " another view"
        )

    def frame(self, view: View, index: int) -> NDArray[np.float32]:
        """Read one frame (x, y, z) of a view: one seek, one read. Raises `UnreadableFileError` for a damaged file.

        A process compares each frame with its checksum when it first reads it, and again once the file has changed.
        """
        cine = self.cine(view)
        if not 0 <= index < cine.n_frames:
            raise UsageError(
                f"frame {index} of '{self.name}'; expected 0 to {cine.n_frames - 1} for its {view.title} view"
            )
        stored, state = self._read(cine.offset + index * cine.frame_bytes, cine.frame_bytes)
        if cine.frame_crc32:
            self._compare(stored, state, cine, index)
        image = stored.reshape(cine.shape[:3]).astype(np.float32)
        if (cine.slope, cine.intercept) != (1.0, 0.0):
            image *= np.float32(cine.slope)
            image += np.float32(cine.intercept)
        return image

    def _compare(self, stored: NDArray[np.uint16], state: os.stat_result, cine: StoredCine, index: int) -> None:
        key = (state.st_dev, state.st_ino, state.st_mtime_ns, cine.offset)
        compared = _COMPARED.get(key)
        if compared is None or len(compared) != cine.n_frames:
            compared = bytearray(cine.n_frames)
            _COMPARED[key] = compared
        if compared[index]:
            return
        if zlib.crc32(stored.data) != cine.frame_crc32[index]:
            raise _damaged_error(self.path, f"frame {index} of its {cine.view.title} view does not match its checksum")
        compared[index] = 1

    def study(self) -> Study:
        """Read the whole study into memory."""
        cines = tuple(self._to_cine(cine) for cine in self.header.cines)
        issues = tuple(Issue(code=c, severity=s, message=m) for c, s, m in self.header.issues)  # type: ignore[arg-type]
        subject, modality = self.header.subject, self.header.modality
        return Study(name=self.name, cines=cines, subject=subject, issues=issues, modality=modality)

    def check(self) -> None:
        """Read every frame and verify the hash; raises `UnreadableFileError` on a mismatch."""
        digest, n_bytes = hashlib.sha256(), sum(cine.frame_bytes * cine.n_frames for cine in self.header.cines)
        digest.update(self._read(0, n_bytes)[0].data)
        if digest.hexdigest() != self.header.frames_sha256:
            raise _damaged_error(self.path, "its frames do not match their hash")

    def _to_cine(self, cine: StoredCine) -> Cine:
        frames = [self.frame(cine.view, index) for index in range(cine.n_frames)]
        times = cine.frame_times_ms
        return Cine(
            array=np.stack(frames, axis=3),
            affine=np.array(cine.affine),
            view=cine.view,
            slice_positions_mm=np.array(cine.slice_positions_mm),
            frame_times_ms=None if times is None else np.array(times),
            rr_interval_ms=cine.rr_interval_ms,
            slice_thickness_mm=cine.slice_thickness_mm,
            orientation_known=cine.orientation_known,
            label=cine.label,
        )

    def _read(self, offset: int, n_bytes: int) -> tuple[NDArray[np.uint16], os.stat_result]:
        """Return voxels, and the state of the file that they are from."""
        try:
            with self.path.open("rb", buffering=0) as stream:
                state = os.fstat(stream.fileno())
                stream.seek(self.frames_start + offset)
                stored = np.fromfile(stream, dtype=_VOXEL, count=n_bytes // _VOXEL.itemsize)
        except OSError as error:
            raise _damaged_error(self.path, f"it is unreadable ({error.strerror})") from error
        if stored.nbytes != n_bytes:
            raise _damaged_error(self.path, "it is truncated")
        return stored, state


def write_study(study: Study, path: Path | str, *, source_sha256: str = "", overwrite: bool = False) -> StoredStudy:
    """Write the measured views of a study, atomically.

    Raises `NoCineError` if it has none, `InputError` for intensities that are not finite, `OutputExistsError` if the
    file exists and `overwrite` is False.
    """
    cines = [cine for cine in study.cines if cine.view is not View.OTHER]
    if not cines:
        raise NoCineError(
            f"study '{study.name}' has no cine to store; expected a short-axis or long-axis view: check the input"
        )
    quantised = [quantise(cine.array) for cine in cines]
    chunks = [np.ascontiguousarray(np.moveaxis(one.stored, 3, 0), dtype=_VOXEL) for one in quantised]
    hearts, offset = heart_positions(study), 0
    cine_headers: list[StoredCine] = []
    digest = hashlib.sha256()
    for cine, one, chunk in zip(cines, quantised, chunks, strict=True):
        described = _describe_cine(cine, hearts[cine.view], (one.slope, one.intercept), offset)
        cine_headers.append(replace(described, frame_crc32=tuple(zlib.crc32(frame.data) for frame in chunk)))
        offset += chunk.nbytes
        digest.update(chunk.data)
    header = StoredHeader(
        name=study.name,
        cines=tuple(cine_headers),
        source_sha256=source_sha256,
        frames_sha256=digest.hexdigest(),
        subject=study.subject,
        modality=study.modality,
        issues=tuple((issue.code, issue.severity, issue.message) for issue in study.issues),
    )
    _write(Path(path), header, chunks, overwrite=overwrite)
    return open_study(path)


def open_study(path: Path | str) -> StoredStudy:
    """Read the header of a stored study.

    Raises `InputError` if the file does not exist, `UnreadableFileError` if it is damaged or of another kind.
    """
    path = Path(path)
    header, start, sha256 = _read_header(path)
    _HEADERS[path, sha256] = header, start
    return StoredStudy(path=path, name=header.name, views=tuple(cine.view for cine in header.cines), sha256=sha256)


def _read_header(path: Path) -> tuple[StoredHeader, int, str]:
    """Return the header, where its frames start, and the hash of the header; raises as `open_study`."""
    try:
        with open_regular(path) as stream:
            start = stream.read(_START.size)
            n_text = min(_START.unpack(start)[1], _MAX_HEADER_BYTES) if len(start) == _START.size else 0
            text = stream.read(n_text)
            length = stream.seek(0, 2)
    except OSError as error:
        raise InputError(
            f"stored study '{path.name}' cannot be read ({error.strerror}); expected a readable file: check the path"
        ) from error
    if not start.startswith(_MAGIC):
        raise UnreadableFileError(
            f"'{path.name}' is not a stored study; expected a file written by `cinema prepare`: check the path"
        )
    if len(text) != _START.unpack(start)[1] or zlib.crc32(text) != _START.unpack(start)[2]:
        raise _damaged_error(path, "its header does not match its checksum")
    header = _parse_header(path, text)
    frames_start = _align(_START.size + len(text))
    n_bytes = _checked_bytes(path, header)
    if length != frames_start + n_bytes:
        raise _damaged_error(path, f"it has {length} bytes; expected {frames_start + n_bytes}")
    return header, frames_start, hashlib.sha256(text).hexdigest()


def _describe_cine(cine: Cine, heart: tuple[float, float], scale: tuple[float, float], offset: int) -> StoredCine:
    nx, ny, nz, nt = cine.array.shape
    times = cine.frame_times_ms
    return StoredCine(
        view=cine.view,
        shape=(nx, ny, nz, nt),
        affine=tuple(tuple(row) for row in cine.affine.tolist()),
        slice_positions_mm=tuple(cine.slice_positions_mm.tolist()),
        heart=heart,
        slope=scale[0],
        intercept=scale[1],
        offset=offset,
        frame_times_ms=None if times is None else tuple(times.tolist()),
        rr_interval_ms=cine.rr_interval_ms,
        slice_thickness_mm=cine.slice_thickness_mm,
        orientation_known=cine.orientation_known,
        label=cine.label,
    )


def _write(path: Path, header: StoredHeader, chunks: list[NDArray[np.uint16]], *, overwrite: bool) -> None:
    text = json.dumps(to_dict(header, "header"), ensure_ascii=False, sort_keys=True).encode("utf-8")
    start = _START.pack(_MAGIC, len(text), zlib.crc32(text)) + text
    with atomic_path(path, overwrite=overwrite) as sibling, sibling.open("wb") as stream:
        stream.write(start.ljust(_align(len(start)), b"\0"))
        for chunk in chunks:
            chunk.tofile(stream)


def _parse_header(path: Path, text: bytes) -> StoredHeader:
    try:
        return from_dict(StoredHeader, parse_json(text.decode("utf-8"), path.name), f"header of '{path.name}'")
    except (ValueError, UnreadableFileError, UsageError) as error:
        raise _damaged_error(path, f"its header is invalid, {type(error).__name__}") from error


def _checked_bytes(path: Path, header: StoredHeader) -> int:
    """Return the bytes of all frames; raises `UnreadableFileError` unless the cines fill them one after the other."""
    n_bytes = 0
    for cine in header.cines:
        if min(cine.shape) < 1 or cine.offset != n_bytes or len(cine.frame_crc32) not in (0, cine.n_frames):
            raise _damaged_error(path, "its header does not describe its frames")
        n_bytes += cine.frame_bytes * cine.n_frames
    return n_bytes


def _align(n_bytes: int) -> int:
    return -(-n_bytes // _ALIGNED) * _ALIGNED


def _damaged_error(path: Path, reason: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"stored study '{path.name}' is damaged ({reason}); expected a complete file: prepare it again with --overwrite"
    )
