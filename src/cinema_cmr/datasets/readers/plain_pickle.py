"""Restricted reader of pickles with arrays and plain containers; run as a separate program, never imported.

`python -I plain_pickle.py IN.pickle OUT.npz` writes the arrays of the dictionary in IN. No name in a pickle reaches
foreign code: the few names that arrays consist of map to stand-ins in this file, which keep shape, type and bytes; any
other name is rejected. The process has limited memory and time, and its parent starts it without environment, in an
empty folder.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["PlainUnpickler", "load_arrays", "main"]

Array = NDArray[np.generic]

_MAX_BYTES = 8 << 30
_MAX_SECONDS = 300


class _DtypeStandIn:
    """Stand-in for `numpy.dtype`: the name of a number type."""

    def __init__(self, text: object = "", *_flags: object) -> None:
        self.text = str(text.decode("ascii") if isinstance(text, bytes) else text)
        self.order = "="

    def __setstate__(self, state: Sequence[object]) -> None:
        self.order = str(state[1]) if state[1] in ("<", ">") else "="

    def dtype(self) -> np.dtype[np.generic]:
        kind = np.dtype(self.text)
        if kind.kind not in "biufSU":
            raise pickle.UnpicklingError(f"an array of '{self.text}'; expected numbers or text")
        return kind.newbyteorder(self.order)  # type: ignore[arg-type]


class _ArrayStandIn:
    """Stand-in for `numpy.ndarray`, filled by the pickled state that follows it."""

    def __init__(self, *_shape: object) -> None:
        self.array: Array = np.zeros(0)

    def __setstate__(self, state: tuple[object, Sequence[int], object, object, object]) -> None:
        _, shape, kind, by_columns, data = state
        self.array = _to_array(data, kind, shape, "F" if by_columns else "C")


def _to_array(data: object, kind: object, shape: Sequence[int], order: object) -> Array:
    if not isinstance(kind, _DtypeStandIn) or not isinstance(data, bytes | bytearray):
        raise pickle.UnpicklingError("an array of objects; expected numbers")
    sides = tuple(int(n) for n in shape)
    return np.frombuffer(data, kind.dtype()).reshape(sides, order="F" if order == "F" else "C")


def _array_from_buffer(data: bytes | bytearray, kind: object, shape: Sequence[int], order: object) -> _ArrayStandIn:
    block = _ArrayStandIn()
    block.array = _to_array(bytes(data), kind, shape, order)
    return block


def _scalar(kind: object, data: object) -> np.generic:
    array = _to_array(data.encode("latin1") if isinstance(data, str) else data, kind, (1,), "C")
    scalar: np.generic = array[0]
    return scalar


def _encode_bytes(text: object, encoding: object = "latin1") -> bytes:
    """Decode bytes as written by older protocols."""
    if encoding not in ("latin1", "latin-1") or not isinstance(text, str):
        raise pickle.UnpicklingError(f"text in '{encoding}'; expected latin1")
    return text.encode("latin1")


def _empty_bytes() -> bytes:
    """Decode empty bytes as written by older protocols."""
    return b""


_OLD, _NEW = "numpy.core", "numpy._core"
_STAND_INS: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy", "ndarray"): _ArrayStandIn,
    ("numpy", "dtype"): _DtypeStandIn,
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _encode_bytes,
    ("builtins", "bytes"): _empty_bytes,
    ("__builtin__", "bytes"): _empty_bytes,
    **{(f"{core}.multiarray", "_reconstruct"): _ArrayStandIn for core in (_OLD, _NEW)},
    **{(f"{core}.multiarray", "scalar"): _scalar for core in (_OLD, _NEW)},
    **{(f"{core}.numeric", "_frombuffer"): _array_from_buffer for core in (_OLD, _NEW)},
}


class PlainUnpickler(pickle.Unpickler):
    """Unpickler restricted to arrays, numbers, text and plain containers."""

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        """Return the stand-in for a name; raise `UnpicklingError` for any other name."""
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"it refers to '{module}.{name}'; expected arrays and plain containers only")
        return _STAND_INS[module, name]


def load_arrays(data: bytes) -> dict[str, Array]:
    """Return the arrays, numbers and texts of a pickled dictionary, each as an array; other values are dropped.

    Raises `UnpicklingError` if it is not such a dictionary, and what `pickle` raises for truncated bytes.
    """
    content = PlainUnpickler(io.BytesIO(data)).load()
    if not isinstance(content, Mapping):
        raise pickle.UnpicklingError(f"it holds a {type(content).__name__}; expected a dictionary of arrays")
    arrays = {str(key): _plain_array(value) for key, value in content.items()}
    return {key: array for key, array in arrays.items() if array is not None}


def _plain_array(value: object) -> Array | None:
    if isinstance(value, _ArrayStandIn):
        return value.array
    if isinstance(value, bool | int | float | str | np.generic):
        return np.asarray(value)
    if isinstance(value, list | tuple):
        parts = [_plain_array(part) for part in value]
        arrays = [part for part in parts if part is not None]
        same = len(arrays) == len(parts) and len({array.shape for array in arrays}) == 1
        return np.stack(arrays) if same else None
    return None


def main(arguments: list[str]) -> int:
    """Read one pickle and write its arrays; on failure print the reason to stderr and return 1."""
    _limit()
    source, target = (Path(word) for word in arguments)
    try:
        np.savez(target, **load_arrays(source.read_bytes()))  # type: ignore[arg-type]  # names of arrays, no options
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _limit() -> None:
    """Limit the memory and CPU time of this process, if the system supports it."""
    try:
        import resource
    except ImportError:
        return
    for limit, value in ((resource.RLIMIT_AS, _MAX_BYTES), (resource.RLIMIT_CPU, _MAX_SECONDS)):
        _, hard = resource.getrlimit(limit)
        soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (soft, soft))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
