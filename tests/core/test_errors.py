"""The tree of errors and its exit codes, which scripts rely on."""

from __future__ import annotations

import pytest

from cinema_cmr.core import errors
from cinema_cmr.core.errors import CinemaError

CODES = {
    "CinemaError": 1,
    "UsageError": 2,
    "InputError": 3,
    "MissingFileError": 3,
    "MissingViewError": 3,
    "UnknownNameError": 2,
    "UnreadableFileError": 3,
    "NoCineError": 3,
    "GeometryError": 3,
    "OutputExistsError": 3,
    "QualityError": 4,
    "RunStoppedError": 75,
    "WeightsError": 5,
}


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_exit_codes_are_fixed(name: str, code: int) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, CinemaError) and kind.exit_code == code


def test_the_list_is_complete_and_drawn() -> None:
    kinds = {name for name in errors.__all__ if name.endswith("Error")}
    assert kinds == CODES.keys()
    assert all(name in str(errors.__doc__) for name in kinds)
