"""The one exception tree of the package, drawn here; every message says what was found, expected, and what to do.

CinemaError                    (exit code 1)
├── UsageError                 (2)  the call's words are off: an unknown name, an option out of range
├── InputError                 (3)  the input cannot be used
│   ├── MissingFileError       (3)  a file that a data set's layout names is not there
│   ├── UnreadableFileError    (3)  truncated, corrupt, not the format its name says
│   ├── NoCineError            (3)  nothing in it is a cine (or no view that the task needs)
│   ├── GeometryError          (3)  spacing, affine or shape that cannot be right
│   └── OutputExistsError      (3)  the output is there already and `--overwrite` was not given
├── QualityError               (4)  measured, but flagged, and `--strict` was asked for
├── RunStoppedError            (75) a signal ended a training run after its checkpoint was saved
└── WeightsError               (5)  weights missing, of another model, or with another hash
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "CinemaError",
    "GeometryError",
    "InputError",
    "MissingFileError",
    "NoCineError",
    "OutputExistsError",
    "QualityError",
    "RunStoppedError",
    "UnreadableFileError",
    "UsageError",
    "WeightsError",
    "unknown_name",
]


class CinemaError(Exception):
    """Anything the package raises on purpose; `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(CinemaError):
    """The call's words are off: an unknown name or an option out of range."""

    exit_code = 2


class InputError(CinemaError):
    """The input cannot be used; nothing was written for it."""

    exit_code = 3


class MissingFileError(InputError):
    """A file that a data set's layout names is not there."""


class UnreadableFileError(InputError):
    """A file is truncated, corrupt or not of the format its name says."""


class NoCineError(InputError):
    """The input holds no cine, or none of the views that the work needs."""


class GeometryError(InputError):
    """Spacing, affine or shape cannot be right (zero, negative, NaN, another grid than the image's)."""


class OutputExistsError(InputError):
    """The output exists and `--overwrite` was not given."""


class QualityError(CinemaError):
    """The study was measured but raised flags, and `--strict` was asked for."""

    exit_code = 4


class RunStoppedError(CinemaError):
    """A signal ended a training run after its checkpoint was saved; the same call goes on with it.

    The exit code is that of a passing failure in sysexits.h, so that a scheduler can tell it from a broken run.
    """

    exit_code = 75


class WeightsError(CinemaError):
    """Model weights are missing, belong to another architecture, or do not match their hash."""

    exit_code = 5


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """A `UsageError` that lists the nearest known names.

    >>> str(unknown_name("view", "4ch", ["sax", "lax_2c", "lax_4c"]))
    "unknown view '4ch'; known: lax_2c, lax_4c, sax"
    >>> str(unknown_name("dataset", "acdcc", ["acdc", "mnms"]))
    "unknown dataset 'acdcc'; did you mean 'acdc'? known: acdc, mnms"
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return UsageError(f"unknown {kind} '{name}'; {hint}known: {', '.join(names)}")
