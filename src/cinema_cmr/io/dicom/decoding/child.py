"""A limited process that decodes compressed pixels: `python -c "from ...child import main; main()"`.

Decoders are programs in C and C++ that a damaged stream can abort, hang or make allocate without end. Here that ends a
process that has nothing to lose. A request is a line of JSON, {"path", "frame"}; the answer a line of JSON with the
shape and the type of the stored values, and their bytes, or with the reason why there are none.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["FAILED", "UNSUPPORTED", "main"]

FAILED, UNSUPPORTED = "failed", "unsupported"
"""Reasons: the stream is damaged; there is no decoder for it."""

_ADDRESS_SPACE = 1200 << 20
_COPIES = 4
"""Copies of a file's bytes that the process may hold beside that."""
_CPU_SECONDS = 2.5
_TAGS = (
    *("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
)


def main() -> None:
    """Answer requests on standard input until it ends."""
    # What decoders print must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with suppress(ValueError, OSError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    current: tuple[str, Any] = ("", None)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        path = str(request["path"])
        _limit(path)
        try:
            if current[0] != path:
                current = (path, _dataset(path))
            _answer(current[1], int(request["frame"]), answers)
        except Exception as error:
            # Decoders raise any exception for a corrupt stream.
            reason = UNSUPPORTED if _is_unsupported(error) else FAILED
            answers.write(json.dumps({"reason": reason}).encode() + b"\n")
        answers.flush()
        _time(0.0)


def _is_unsupported(error: Exception) -> bool:
    """Return True for an encoding without a decoder, or with none for so many bits, as JPEG Extended with 12."""
    text = str(error)
    return isinstance(error, NotImplementedError) or "does not support" in text or "missing dependencies" in text


def _limit(path: str) -> None:
    """Limit the memory of this process by the size of the file, and its time for this request."""
    try:
        import resource

        size = _ADDRESS_SPACE + _COPIES * os.stat(path).st_size
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        pass  # a system without these limits: the process is still one of its own
    _time(_CPU_SECONDS)


def _time(seconds: float) -> None:
    """End this process, even within a decoder, after so many seconds of the processor; 0 takes that back."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _dataset(path: str) -> Any:
    from cinema_cmr.io.dicom.decoding.bounded_file import read_dataset

    return read_dataset(Path(path), _TAGS, pixels=True)


def _answer(dataset: Any, frame: int, answers: BinaryIO) -> None:
    from pydicom.pixels import pixel_array

    stored = pixel_array(dataset, index=frame)
    shape = {"shape": stored.shape, "dtype": stored.dtype.str}
    answers.write(json.dumps(shape).encode() + b"\n")
    answers.write(stored.tobytes())
