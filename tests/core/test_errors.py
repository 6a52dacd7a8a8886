"""The tree of errors and its exit codes, which scripts rely on."""

from __future__ import annotations

import pytest

from cinema_cmr.core import errors
from cinema_cmr.core.errors import CinemaError, InputError, InternalError, OutOfMemoryError, UsageError, as_cinema_error

CODES = {
    "CinemaError": 1,
    "InternalError": 1,
    "UsageError": 2,
    "InputError": 3,
    "MissingFileError": 3,
    "MissingViewError": 3,
    "UnknownNameError": 2,
    "UnreadableFileError": 3,
    "NoCineError": 3,
    "GeometryError": 3,
    "OutOfMemoryError": 3,
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


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (OSError(28, "No space left on device", "/home/doe_jane/a.csv"), InputError, "'a.csv': No space left"),
        (OSError(28, "No space left on device"), InputError, "free some, then make the same call again"),
        (
            OSError(30, "Read-only file system", "/x/doe_jane/r.json"),
            InputError,
            "'r.json': Read-only file system; expected",
        ),
        (OSError("doe_jane"), InputError, "a file cannot be read or written"),
        (MemoryError("doe_jane"), OutOfMemoryError, "needs more memory than is free"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), OutOfMemoryError, "needs more"),
        (ValueError("doe_jane"), InternalError, "ValueError at an unknown place"),
        (RecursionError("doe_jane"), InternalError, "RecursionError at"),
    ],
)
def test_any_error_becomes_one_of_ours_that_quotes_nothing(
    error: Exception, kind: type[CinemaError], told: str
) -> None:
    reported = as_cinema_error(error)
    assert type(reported) is kind and told in str(reported) and "doe_jane" not in str(reported)


def test_a_defect_names_its_place_and_an_error_of_ours_stays() -> None:
    ours = UsageError("x")
    assert as_cinema_error(ours) is ours
    with pytest.raises(TypeError) as caught:
        errors.unknown_name("view", None, ["sax"])  # type: ignore[arg-type]
    assert "TypeError at core/errors.py, line" in str(as_cinema_error(caught.value))
