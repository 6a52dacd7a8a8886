"""What happened in a run, as a table that grows: one row a logged step, readable by any program."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

__all__ = ["Journal"]


class Journal:
    """`journal.csv` of a run: columns are fixed by the first row of each kind of entry (step, kind, name, value)."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.csv"
        if not self.path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            self.path.write_text("step,kind,name,value\n", encoding="utf-8")

    def write(self, step: int, kind: str, values: Mapping[str, float]) -> None:
        """Append the values of a step; `kind` is "train" or "validation"."""
        with self.path.open("a", newline="", encoding="utf-8") as file:
            rows = ([step, kind, name, f"{value:.6g}"] for name, value in values.items())
            csv.writer(file).writerows(rows)

    def forget_after(self, step: int) -> None:
        """Drop the rows past a step, written by a run that was cut off after its last checkpoint."""
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines[1:] if line.endswith("\n") and int(line.split(",", 1)[0]) <= step]
        self.path.write_text("".join([lines[0], *kept]), encoding="utf-8")
