"""Compressed pixels through a limited process: one for this process, started when first needed and kept.

A stream that crashes the decoder, or takes it too long, is one image that cannot be decoded; the next one gets a new
process.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.io.dicom.decoding.child import FAILED, UNSUPPORTED

__all__ = ["PixelDecoder"]

_WAIT_S = 60.0
"""Limit of the clock on a frame, for a process that waits; one that works is ended after 2.5 seconds of its own."""
_MAX_ENDS = 3
"""Crashed or ended processes in a study, after which its other compressed images are not tried."""
_MAX_FRAME_BYTES = 4096 * 4096 * 16
_CRASHES = (OSError, ValueError, LookupError, TypeError)
"""What an answer that is missing or cut short raises."""
_REASONS = {
    FAILED: "its decoder refuses it: it is damaged, or not what its header says",
    UNSUPPORTED: "its encoding is not supported (JPEG Extended with 12 bits and films are not; DCMTK decodes it:"
    " `dcmdjpeg IN OUT` for each file)",
}
_START = "from cinema_cmr.io.dicom.decoding.child import main; main()"


class PixelDecoder:
    """Decodes the compressed frames of one study."""

    def __init__(self) -> None:
        self._n_ends = 0

    def frame(self, path: Path, index: int) -> NDArray[np.generic]:
        """Return the stored values of a frame; raises `UnreadableFileError`, which names no file."""
        if self._n_ends >= _MAX_ENDS:
            raise UnreadableFileError(f"not tried, as {_MAX_ENDS} others of this study ended the decoder")
        try:
            return _SHARED.frame(path, index)
        except _CRASHES:
            self._n_ends += 1
            raise UnreadableFileError("it crashed the decoder, or took it too long") from None


class _Process:
    """A running child and the pipes to it."""

    def __init__(self) -> None:
        places = [place for place in sys.path if place] + [str(Path.cwd())] * ("" in sys.path)
        self._popen = subprocess.Popen(
            [sys.executable, "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(places), "OPENBLAS_NUM_THREADS": "1"},
        )

    def frame(self, path: Path, index: int) -> NDArray[np.generic]:
        """Return a frame; raises `UnreadableFileError`, and `_CRASHES` after a crash."""
        assert self._popen.stdin is not None and self._popen.stdout is not None
        timer = threading.Timer(_WAIT_S, self._popen.kill)
        timer.start()
        try:
            request = {"path": os.path.abspath(path), "frame": index}
            self._popen.stdin.write(json.dumps(request).encode() + b"\n")
            self._popen.stdin.flush()
            answer = json.loads(self._popen.stdout.readline(4096))
            if "reason" in answer:
                raise UnreadableFileError(_REASONS[answer["reason"]])
            dtype, shape = np.dtype(answer["dtype"]), tuple(answer["shape"])
            n_bytes = dtype.itemsize * math.prod(shape)
            content = self._popen.stdout.read(min(n_bytes, _MAX_FRAME_BYTES))
            return np.frombuffer(content, dtype).reshape(shape)
        finally:
            timer.cancel()

    def end(self) -> None:
        """End the process, which has nothing to save."""
        self._popen.kill()
        self._popen.communicate()


class _Shared:
    """The one child of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._inherited: list[_Process] = []

    def frame(self, path: Path, index: int) -> NDArray[np.generic]:
        with self._lock:
            if self._process is None:
                self._process = _Process()
            try:
                return self._process.frame(path, index)
            except _CRASHES:
                self.end()
                raise

    def end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None

    def leave_to_parent(self) -> None:
        """Forget the child after a fork: it is the parent's, and its pipes must not be shared."""
        self._lock = threading.Lock()
        self._inherited += [] if self._process is None else [self._process]
        self._process = None


_SHARED = _Shared()
atexit.register(_SHARED.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_SHARED.leave_to_parent)
