"""How commands speak: progress on stderr, results on stdout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

__all__ = ["Console"]

_EVERY_S = 10.0
"""Between lines of progress where stderr is no terminal."""


class Console:
    """Progress of the work at hand on stderr; on a terminal one line that is written over."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._terminal = sys.stderr.isatty()
        self._last = 0.0

    def stage(self, name: str) -> Callable[[str, int, int], None]:
        """A progress function (stage, done, all) for one study."""

        def tell(stage: str, done: int, n: int) -> None:
            line = f"{name}: {stage} {done}/{n}" if n > 1 else f"{name}: {stage}"
            if self._terminal:
                end = "\n" if stage != "read" and done == n else ""
                print(f"\r\x1b[2K{line}", end=end, file=sys.stderr, flush=True)
            elif time.monotonic() - self._last > _EVERY_S:
                self._last = time.monotonic()
                print(line, file=sys.stderr, flush=True)

        return tell

    @contextmanager
    def bar(self, title: str) -> Iterator[Callable[[int, int, str], None]]:
        """A bar for long work: call it with what is done, what there is, and how it goes; lines without a terminal."""
        if not self._terminal:
            yield lambda done, n, text: self.note(f"{title} {done}/{n}, {text}")
            return
        from rich.console import Console as Terminal
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
            yield lambda done, n, text: progress.update(task, completed=done, total=n, description=text)

    def note(self, text: str) -> None:
        """A message to the person, on stderr."""
        print(text, file=sys.stderr, flush=True)

    def result(self, text: str, document: Mapping[str, object]) -> None:
        """One result: `text` for people, or with --json the document as one line."""
        print(json.dumps(document, ensure_ascii=False) if self.as_json else text, flush=True)
