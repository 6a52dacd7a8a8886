"""The exception tree of the package. A message says what was found, what was expected and what to do.

CinemaError                    (exit code 1)
├── InternalError              (1)  a defect of the program, not of the call
├── UsageError                 (2)  a wrong call: an option out of range, options that exclude each other
│   └── UnknownNameError       (2)  an unknown name where some are known; a KeyError too
├── InputError                 (3)  the input cannot be used
│   ├── MissingFileError       (3)  a file that the layout of a data set requires is missing
│   ├── UnreadableFileError    (3)  truncated, corrupt, or not the format that its name says
│   ├── NoCineError            (3)  no cine in the input, or none of a view that the task needs
│   │   └── MissingViewError   (3)  a view that the study lacks; a KeyError too
│   ├── OutOfMemoryError       (3)  the input needs more memory than is free
│   ├── GeometryError          (3)  spacing, affine or shape that cannot be right
│   └── OutputExistsError      (3)  the output exists and `--overwrite` was not given
├── QualityError               (4)  measured, but flagged, and `--strict` was asked for
├── RunStoppedError            (75) a signal ended a training run after its checkpoint was saved
└── WeightsError               (5)  weights missing, of another model, or with another hash
"""

from __future__ import annotations

import difflib
import errno
import os
import traceback
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "CinemaError",
    "GeometryError",
    "InputError",
    "InternalError",
    "MissingFileError",
    "MissingViewError",
    "NoCineError",
    "OutOfMemoryError",
    "OutputExistsError",
    "QualityError",
    "RunStoppedError",
    "UnknownNameError",
    "UnreadableFileError",
    "UsageError",
    "WeightsError",
    "as_cinema_error",
    "unknown_name",
]

_ROOM = "; expected room for what is written: free some, then make the same call again"
_WANTED = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EROFS: "; expected a folder that can be written to: choose another, or work on a copy",
}
"""Error of the system -> what was expected, and what to do."""

_MANY = 24
"""Of more names only the nearest are printed."""


class CinemaError(Exception):
    """Base of every error that the package raises on purpose; `exit_code` is the command line's."""

    exit_code = 1


class InternalError(CinemaError):
    """A defect of the program: an error that nothing here raises on purpose."""


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


class OutOfMemoryError(InputError):
    """The input needs more memory than is free, or than the process may take."""


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


def as_cinema_error(error: Exception) -> CinemaError:
    """Return any error as one of the package, so that one study's never ends a batch and no traceback meets a user.

    Nothing of its text is kept, which may quote a file; of a path the last part, as folders can name a patient.
    """
    if isinstance(error, CinemaError):
        return error
    if isinstance(error, OSError):
        return InputError(_system_error(error))
    if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__ or "allocate memory" in str(error):
        return OutOfMemoryError(
            "needs more memory than is free; expected a study that fits: check its sizes, or free memory"
        )
    return InternalError(
        f"{type(error).__name__} at {_place_of(error)}; expected no such error, a defect of this program: please report"
        " this line (SECURITY.md says where); CINEMA_TRACEBACK=1 prints more"
    )


def _system_error(error: OSError) -> str:
    where = ""
    if isinstance(error.filename, str | bytes | os.PathLike):
        where = f"'{Path(os.fsdecode(error.filename)).name}': "
    return f"{where}{error.strerror or 'a file cannot be read or written'}{_WANTED.get(error.errno or 0, '')}"


def _place_of(error: Exception) -> str:
    """Return the last line of this package on the way to an error, or the very last one."""
    frames = traceback.extract_tb(error.__traceback__)
    package = Path(__file__).parent.parent
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(package)]
    if not frames:
        return "an unknown place"
    last = (ours or frames)[-1]
    name = Path(last.filename)
    shown = name.relative_to(package).as_posix() if ours else name.name
    return f"{shown}, line {last.lineno}"
