"""Reads a pickle of arrays and plain containers, and nothing else; run as a program of its own, never imported.

`python -I plain_pickle.py IN.pickle OUT.npz` writes the arrays of the dictionary in IN. No name in a pickle
leads to foreign code: the few that arrays are made of lead to stand-ins of this file, which keep shape, type and
bytes; any other name is refused. Whatever a pickle asks for, this process may open no more than so much memory
and time, and its parent starts it without environment, in an empty folder.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["PlainUnpickler", "main", "plain"]

_MAX_BYTES = 8 << 30
_MAX_SECONDS = 300


class _Kind:
    """Stand-in for `numpy.dtype`: the text of a number type."""

    def __init__(self, text: object = "", *_flags: object) -> None:
        self.text = str(text.decode("ascii") if isinstance(text, bytes) else text)
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        self.order = state[1] if state[1] in ("<", ">") else "="

    def dtype(self) -> np.dtype[Any]:
        kind = np.dtype(self.text)
        if kind.kind not in "biufSU":
            raise pickle.UnpicklingError(f"an array of '{self.text}'; expected numbers or text")
        return kind.newbyteorder(self.order)  # type: ignore[arg-type]


class _Block:
    """Stand-in for `numpy.ndarray`, filled by the state that follows it."""

    def __init__(self, *_shape: object) -> None:
        self.array = np.zeros(0)

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, by_columns, data = state
        self.array = _filled(data, kind, shape, "F" if by_columns else "C")


def _filled(data: Any, kind: Any, shape: Any, order: Any) -> Any:
    if not isinstance(kind, _Kind) or not isinstance(data, bytes | bytearray):
        raise pickle.UnpicklingError("an array of objects; expected numbers")
    sides = tuple(int(n) for n in shape)
    return np.frombuffer(data, kind.dtype()).reshape(sides, order="F" if order == "F" else "C")


def _buffered(data: Any, kind: Any, shape: Any, order: Any) -> _Block:
    block = _Block()
    block.array = _filled(bytes(data), kind, shape, order)
    return block


def _scalar(kind: Any, data: Any) -> Any:
    return _filled(data.encode("latin1") if isinstance(data, str) else data, kind, (1,), "C")[0]


def _bytes_of(text: Any, encoding: Any = "latin1") -> bytes:
    """How older protocols write bytes."""
    if encoding not in ("latin1", "latin-1") or not isinstance(text, str):
        raise pickle.UnpicklingError(f"text in '{encoding}'; expected latin1")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How older protocols write none."""
    return b""


_OLD, _NEW = "numpy.core", "numpy._core"
_STAND_INS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _Block,
    ("numpy", "dtype"): _Kind,
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _bytes_of,
    ("builtins", "bytes"): _no_bytes,
    ("__builtin__", "bytes"): _no_bytes,
    **{(f"{core}.multiarray", "_reconstruct"): _Block for core in (_OLD, _NEW)},
    **{(f"{core}.multiarray", "scalar"): _scalar for core in (_OLD, _NEW)},
    **{(f"{core}.numeric", "_frombuffer"): _buffered for core in (_OLD, _NEW)},
}


class PlainUnpickler(pickle.Unpickler):
    """An unpickler that knows arrays, numbers, text and plain containers."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in of a name; raises `UnpicklingError` for any other."""
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"it asks for '{module}.{name}', which is no array or plain container")
        return _STAND_INS[module, name]


def plain(data: bytes) -> dict[str, Any]:
    """The arrays, numbers and texts of a pickled dictionary, each as an array; other values are left out.

    Raises `UnpicklingError` for what is no such dictionary, and what `pickle` raises for torn bytes.
    """
    content = PlainUnpickler(io.BytesIO(data)).load()
    if not isinstance(content, Mapping):
        raise pickle.UnpicklingError(f"it holds a {type(content).__name__}; expected a dictionary of arrays")
    arrays = {str(key): _array(value) for key, value in content.items()}
    return {key: array for key, array in arrays.items() if array is not None}


def _array(value: Any) -> Any:
    if isinstance(value, _Block):
        return value.array
    if isinstance(value, bool | int | float | str | np.generic):
        return np.asarray(value)
    if isinstance(value, list | tuple):
        parts = [_array(part) for part in value]
        same = all(part is not None and part.shape == parts[0].shape for part in parts)
        return np.stack(parts) if parts and same else None
    return None


def main(arguments: list[str]) -> int:
    """Read one pickle and write its arrays; the reason of a failure goes to stderr, the exit code is then 1."""
    _limit()
    source, target = (Path(word) for word in arguments)
    try:
        np.savez(target, **plain(source.read_bytes()))
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _limit() -> None:
    """Bound memory, time and processes of this process, where the system can."""
    try:
        import resource
    except ImportError:
        return
    for what, wanted in ((resource.RLIMIT_AS, _MAX_BYTES), (resource.RLIMIT_CPU, _MAX_SECONDS)):
        _, hard = resource.getrlimit(what)
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
