"""A pickle is a program: arrays and plain values come through, every other name is refused and nothing runs."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cinema_cmr.datasets.readers import plain_pickle
from cinema_cmr.datasets.readers.plain_pickle import load_arrays

ARRAYS = {
    "c order": np.arange(24, dtype=np.int16).reshape(2, 3, 4),
    "f order": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big end": np.arange(5, dtype=">u2"),
    "bool": np.array([True, False]),
    "text": np.array(["ab", "c"]),
    "no axis": np.array(3.5),
    "empty": np.zeros((0, 3)),
}
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_of_every_kind_come_back(protocol: int) -> None:
    read = load_arrays(pickle.dumps(ARRAYS, protocol=protocol))
    assert read.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert np.array_equal(read[name], array) and read[name].dtype == array.dtype, name


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values_become_arrays_and_the_rest_is_left_out(protocol: int) -> None:
    content = OrderedDict(
        number=2.5, np=np.float32(1.5), list=[1.0, 2.0], rows=[np.ones(2), np.zeros(2)], none=None, mixed=[1, None]
    )
    read = load_arrays(pickle.dumps(content, protocol=protocol))
    assert {name: array.tolist() for name, array in read.items()} == {
        "number": 2.5,
        "np": 1.5,
        "list": [1.0, 2.0],
        "rows": [[1.0, 1.0], [0.0, 0.0]],
    }


class Runs:
    """Pickled, it calls a function when it is read."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        Runs(os.system, "exit 1"),
        Runs(eval, "1"),
        Runs(np.load, "x.npy"),
        Runs(getattr, "x", "upper"),
        Runs(np.fromfile, "x"),
        Fraction(1, 2),
        np.ma.masked_array([1]),
        Path,
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_other_name_is_refused(value: Any, protocol: int) -> None:
    with pytest.raises(pickle.UnpicklingError, match="expected arrays and plain containers only"):
        load_arrays(pickle.dumps({"a": value}, protocol=protocol))


def test_objects_in_arrays_and_other_encodings_are_refused() -> None:
    with pytest.raises(pickle.UnpicklingError, match="array of objects"):
        load_arrays(pickle.dumps({"a": np.array([1, "x", None], dtype=object)}))
    # _codecs.encode("x", "rot13"), by hand: a codec is code too.
    with pytest.raises(pickle.UnpicklingError, match="expected latin1"):
        load_arrays(b"c_codecs\nencode\n(Vx\nVrot13\ntR.")
    with pytest.raises(pickle.UnpicklingError, match="expected a dictionary"):
        load_arrays(pickle.dumps([1]))


def test_an_object_type_smuggled_into_raw_bytes_is_refused() -> None:
    """Eight bytes read as an object would be a pointer of the pickle's own choice."""
    made = io.BytesIO()
    pickler = pickle.Pickler(made, protocol=2)
    pickler.dump({"a": np.frombuffer(b"\x01" * 8, dtype=np.int64)})
    data = made.getvalue().replace(b"X\x02\x00\x00\x00i8", b"X\x02\x00\x00\x00O8")
    assert data != made.getvalue()
    with pytest.raises(pickle.UnpicklingError, match="expected numbers"):
        load_arrays(data)


def test_the_program_writes_arrays_or_the_reason(tmp_path: Path) -> None:
    good, bad, out = tmp_path / "good.pickle", tmp_path / "bad.pickle", tmp_path / "out.npz"
    good.write_bytes(pickle.dumps({"a": np.arange(3)}))
    bad.write_bytes(pickle.dumps({"a": Runs(os.mkdir, str(tmp_path / "made"))}))
    program = [sys.executable, "-I", str(plain_pickle.__file__)]
    assert subprocess.run([*program, str(good), str(out)], env={}, check=False).returncode == 0
    assert np.load(out, allow_pickle=False)["a"].tolist() == [0, 1, 2]
    done = subprocess.run([*program, str(bad), str(out)], env={}, check=False, capture_output=True, text=True)
    assert done.returncode == 1 and "mkdir" in done.stderr and not (tmp_path / "made").exists()
