"""Console output: progress on stderr, results on stdout, without control characters."""

from __future__ import annotations

import errno
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal, TextIO

from cinema_cmr.core.errors import CinemaError, as_cinema_error
from cinema_cmr.core.safe_text import json_line, printable

__all__ = ["Console", "print_error", "set_log_format", "silence", "write_line"]

_EVERY_S = 10.0
"""Between lines of progress where stderr is no terminal."""
_JSON_EVERY_S = 1.0
"""Between events of progress with --log json; the last of each stage is always written."""

_LOG: dict[str, Literal["text", "json"]] = {"format": "text"}


def set_log_format(name: Literal["text", "json"]) -> None:
    """Set the form of everything on stderr: text for people, or one JSON object a line (event, time and its fields)."""
    _LOG["format"] = name


def _log_event(event: str, **fields: object) -> None:
    time_utc = datetime.now(UTC).isoformat(timespec="milliseconds")
    write_line(sys.stderr, json_line({"event": event, "time": time_utc, **fields}))


def _as_json() -> bool:
    return _LOG["format"] == "json"


class Console:
    """Progress of the work at hand on stderr; on a terminal one line that is written over."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._terminal = _is_terminal(sys.stderr) and not _as_json()
        self._last = 0.0

    def stage(self, name: str) -> Callable[[str, int, int], None]:
        """A progress function (stage, done, all) for one study."""

        def report(stage: str, done: int, n: int) -> None:
            if _as_json():
                self._progress(name, stage, done, n)
                return
            line = printable(f"{name}: {stage} {done}/{n}" if n > 1 else f"{name}: {stage}")
            if self._terminal:
                end = "\n" if stage != "read" and done == n else ""
                write_line(sys.stderr, f"\r\x1b[2K{line}", end=end)
            elif time.monotonic() - self._last > _EVERY_S:
                self._last = time.monotonic()
                write_line(sys.stderr, line)

        return report

    def _progress(self, name: str, stage: str, done: int, n: int) -> None:
        if done == n or time.monotonic() - self._last > _JSON_EVERY_S:
            self._last = time.monotonic()
            _log_event("progress", name=name, stage=stage, done=done, total=n)

    @contextmanager
    def bar(self, title: str) -> Iterator[Callable[[int, int, str], None]]:
        """A bar for long work: call it with what is done, what there is, and how it goes; lines without a terminal."""
        if _as_json():
            yield lambda done, n, text: _log_event("progress", stage=title, done=done, total=n, text=text)
            return
        if not self._terminal:
            yield lambda done, n, text: self.note(f"{title} {done}/{n}, {text}")
            return
        from rich.console import Console as Terminal
        from rich.markup import escape
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
        )
        with Progress(*columns, console=Terminal(stderr=True)) as progress:
            task = progress.add_task("", total=None)
            yield lambda done, n, text: progress.update(
                task, completed=done, total=n, description=escape(printable(text))
            )

    def note(self, text: str) -> None:
        """A message to the person, one line on stderr."""
        if _as_json():
            _log_event("note", text=text)
        else:
            write_line(sys.stderr, printable(text))

    def failure(self, name: str, error: Exception) -> CinemaError:
        """Tell that one study failed, and return its error as one of the package; the others go on."""
        if os.environ.get("CINEMA_TRACEBACK") == "1":
            traceback.print_exception(error)
        reported = as_cinema_error(error)
        if _as_json():
            _log_event("error", name=name, text=str(reported), exit_code=reported.exit_code)
        else:
            self.note(f"cinema: {name}: {reported}")
        return reported

    def result(self, text: str, document: Mapping[str, object]) -> None:
        """One result: `text` for people, or with --json the document as one line."""
        write_line(sys.stdout, json_line(document) if self.as_json else printable(text, keep="\n"))


def print_error(text: str) -> None:
    """Print an error of the program as one line on stderr."""
    if _as_json():
        _log_event("error", text=text)
    else:
        write_line(sys.stderr, f"cinema: {printable(text)}")


def _is_terminal(stream: TextIO | None) -> bool:
    """Return whether a line of the stream can be written over; a terminal that calls itself dumb cannot."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def write_line(stream: TextIO | None, text: str, *, end: str = "\n") -> None:
    """Write a line at once; a pipe that was closed does not end the work, as its results are files."""
    if stream is None:
        return
    try:
        print(text, end=end, file=stream, flush=True)
    except UnicodeEncodeError:
        print(text.encode("ascii", "backslashreplace").decode("ascii"), end=end, file=stream, flush=True)
    except OSError as error:
        silence(stream)
        if error.errno != errno.EPIPE:
            raise


def silence(stream: TextIO) -> None:
    """Send what follows nowhere, so that no flush fails later, not even that of the interpreter's end."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
