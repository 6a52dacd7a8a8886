"""The exception tree of the package. A message says what was found, what was expected and what to do.

CinemaError                    (exit code 1)
├── UsageError                 (2)  a wrong call: an option out of range, options that exclude each other
│   └── UnknownNameError       (2)  an unknown name where some are known; a KeyError too
├── InputError                 (3)  the input cannot be used
│   ├── MissingFileError       (3)  a file that the layout of a data set requires is missing
│   ├── UnreadableFileError    (3)  truncated, corrupt, or not the format that its name says
│   ├── NoCineError            (3)  no cine in the input, or none of a view that the task needs
│   │   └── MissingViewError   (3)  a view that the study lacks; a KeyError too
│   ├── GeometryError          (3)  spacing, affine or shape that cannot be right
│   └── OutputExistsError      (3)  the output exists and `--overwrite` was not given
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
    "MissingViewError",
    "NoCineError",
    "OutputExistsError",
    "QualityError",
    "RunStoppedError",
    "UnknownNameError",
    "UnreadableFileError",
    "UsageError",
    "WeightsError",
    "unknown_name",
]

_MANY = 24
"""Of more names only the nearest are printed."""


class CinemaError(Exception):
    """Base of every error that the package raises on purpose; `exit_code` is the command line's."""

    exit_code = 1


class UsageError(CinemaError):
    """A wrong call: an option out of range, or options that exclude each other."""

    exit_code = 2


class UnknownNameError(UsageError, KeyError):
    """A name that is not among the known ones; also a `KeyError`, so that mappings behave as mappings."""

    __str__ = Exception.__str__  # a KeyError would print its message in quotes


class InputError(CinemaError):
    """The input cannot be used; nothing was written for it."""

    exit_code = 3


class MissingFileError(InputError):
    """A file that the layout of a data set requires is missing."""


class UnreadableFileError(InputError):
    """A file is truncated, corrupt or not of the format its name says."""


class NoCineError(InputError):
    """The input holds no cine, or none of a view that the task needs."""


class MissingViewError(NoCineError, KeyError):
    """A view that the study lacks; also a `KeyError`, as `study["lax_2c"]` asks a mapping."""

    __str__ = Exception.__str__


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


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Return the error for an unknown name: it lists the known ones, or of many the nearest.

    >>> str(unknown_name("view", "4ch", ["sax", "lax_2c", "lax_4c"]))
    "unknown view '4ch'; known: lax_2c, lax_4c, sax"
    >>> str(unknown_name("dataset", "acdcc", ["acdc", "mnms"]))
    "unknown dataset 'acdcc'; did you mean 'acdc'? known: acdc, mnms"
    """
    names = sorted(map(str, known))
    nearest = difflib.get_close_matches(name, names, n=1 if len(names) <= _MANY else 3)
    hint = f"did you mean {' or '.join(repr(near) for near in nearest)}? " if nearest else ""
    listed = ", ".join(names) if len(names) <= _MANY or not nearest else f"{len(names)} names"
    return UnknownNameError(f"unknown {kind} '{name}'; {hint}known: {listed}")
