"""Journal of a run: a CSV table with one row per value, also for TensorBoard."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.safe_text import csv_cell
from cinema_cmr.files.text import read_text
from cinema_cmr.io.atomic import write_text

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["Journal"]

_HEAD = "step,kind,name,value\n"


class Journal:
    """`journal.csv` of a run: one row for each value of a step.

    With `events` the same values go to `events/`, for TensorBoard; raises `UsageError` if it is not installed.
    """

    def __init__(self, folder: Path, *, events: bool = False) -> None:
        self.path = folder / "journal.csv"
        self._make = _event_writer() if events else None
        self._events: SummaryWriter | None = None
        if not self.path.exists():
            write_text(self.path, _HEAD)

    def write(self, step: int, kind: str, values: Mapping[str, float]) -> None:
        """Append the values of a step; `kind` is "train", "validation" or "selection"."""
        with self._append() as file:
            rows = ([step, kind, csv_cell(name), f"{value:.6g}"] for name, value in values.items())
            csv.writer(file, lineterminator="\n").writerows(rows)
        if self._make is not None:
            self._events = self._events or self._make(str(self.path.parent / "events"), purge_step=step)
            for name, value in values.items():
                self._events.add_scalar(f"{kind}/{name}", value, step)
            self._events.flush()

    def _append(self) -> TextIO:
        """Open the table to append to it; a link in its place is refused, not followed."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        return os.fdopen(os.open(self.path, flags, 0o666), "a", newline="", encoding="utf-8")

    def has(self, step: int, kind: str) -> bool:
        """Return whether the table has a value of this kind at this step."""
        return any(line.startswith(f"{step},{kind},") for line in read_text(self.path).splitlines())

    def drop_after(self, step: int) -> None:
        """Drop the rows after a step, and a torn last one: those of a run interrupted after its last checkpoint."""
        lines = read_text(self.path).splitlines(keepends=True)
        kept = [line for line in lines[1:] if line.endswith("\n") and int(line.split(",", 1)[0]) <= step]
        write_text(self.path, "".join([_HEAD, *kept]), overwrite=True)


def _event_writer() -> type[SummaryWriter]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError(
            "--tensorboard needs the package tensorboard, which is not installed: pip install"
            " 'cinema-cmr[tensorboard]', or leave the option out"
        ) from error
    return SummaryWriter
