"""A population read for its page: the table, the failures, and pictures of the studies that most need a look."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from cinema_cmr.core.errors import InputError, unknown_name
from cinema_cmr.core.study import Fact
from cinema_cmr.population.cohort.centiles import Values
from cinema_cmr.population.outcome_store import OutcomeStore, StoredOutcome
from cinema_cmr.population.result_tables import Tables, build_tables
from cinema_cmr.report.wide.columns import Columns

__all__ = ["PRINCIPAL", "Cohort", "Concern", "FailureGroup", "read_cohort"]

PRINCIPAL = (
    *("lv_edv_ml", "lv_esv_ml", "lv_ef_percent", "lv_mass_g", "lv_edvi_ml_m2"),
    *("rv_edv_ml", "rv_esv_ml", "rv_ef_percent"),
)
"""Measurements with a figure of their own."""
_QUOTED = re.compile(r"'[^']*'")
_NUMBER = re.compile(r"\d[\d.,]*")


@dataclass(frozen=True, kw_only=True)
class Concern:
    """A study that needs a look."""

    study: str
    flags: tuple[str, ...]
    n_errors: int
    n_warnings: int
    confidence: float | None
    report: str | None
    picture: str | None
    """PNG as a data address."""


@dataclass(frozen=True, kw_only=True)
class FailureGroup:
    """Failures of one cause and one kind of reason."""

    cause: str
    reason: str
    """With names and numbers left out."""
    n: int
    examples: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """The tables of a population, and its outcomes on disk."""

    folder: Path
    tables: Tables
    outcomes: Mapping[str, StoredOutcome]

    @property
    def table(self) -> Columns:
        """A row a study with numbers."""
        return self.tables.measurements

    @cached_property
    def studies(self) -> list[str]:
        """The studies with numbers."""
        return [str(name) for name in self.table.values("study")]

    def column(self, name: str) -> list[Fact]:
        """Return a fact of the manifest by its column there, else a column of the table by its name.

        Raises `UnknownNameError` for a column that is not there.
        """
        for found in (f"fact_{name}", name):
            if found in self.table.names:
                return self.table.values(found)
        raise unknown_name("column", name, (each.removeprefix("fact_") for each in self.table.names))

    def values(self, name: str, chosen: Sequence[bool] | None = None) -> Values:
        """Return a measurement with sex and age; of the others of `chosen` nothing."""
        keep = np.ones(len(self.table), bool) if chosen is None else np.array(chosen, bool)
        numbers = np.where(keep, np.array(self.table.numbers(name)), np.nan)
        return Values(
            name=name,
            unit=self.tables.codebook.meaning(name).unit,
            values=numbers,
            sex=[None if one is None else str(one) for one in self.table.values("sex")],
            age=np.array(self.table.numbers("age_years")),
        )

    def title(self, name: str) -> str:
        """Return a measurement's name in words."""
        return self.tables.codebook.meaning(name).meaning or name

    def flag_counts(self) -> list[tuple[str, int]]:
        """Return flag -> number of studies, the most frequent first."""
        counts = Counter(code for flags in self.table.values("flags") for code in str(flags or "").split())
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))

    def failure_groups(self) -> list[FailureGroup]:
        """Return the failures by cause and reason, the most frequent first."""
        failures, groups = self.tables.failures, dict[tuple[str, str], list[str]]()
        rows = zip(*(failures.values(name) for name in ("study", "cause", "reason")), strict=True)
        for study, cause, reason in rows:
            kind = _NUMBER.sub("…", _QUOTED.sub("'…'", str(reason)))
            groups.setdefault((str(cause), kind), []).append(str(study))
        found = [
            FailureGroup(cause=cause, reason=reason, n=len(names), examples=tuple(names[:5]))
            for (cause, reason), names in groups.items()
        ]
        return sorted(found, key=lambda group: (-group.n, group.cause, group.reason))

    def worst(self, n: int) -> list[Concern]:
        """Return the studies with the most errors, then warnings, then the least confidence; pictured."""
        columns = [self.table.values(name) for name in ("n_errors", "n_warnings", "confidence", "flags", "report")]
        rows = sorted(zip(self.studies, *columns, strict=True), key=_concern)[:n]
        rows = [row for row in rows if row[1] or row[2]]
        chosen = [self.outcomes[str(row[0])] for row in rows]
        store = OutcomeStore(self.folder)
        pictures = {one.name: content for one, content in store.members(chosen, "thumbnail.png")}
        return [
            Concern(
                study=str(study),
                n_errors=int(str(errors)),
                n_warnings=int(str(warnings)),
                confidence=confidence if isinstance(confidence, float) else None,
                flags=tuple(str(flags or "").split()),
                report=None if report is None else str(report),
                picture=_address(pictures.get(str(study))),
            )
            for study, errors, warnings, confidence, flags, report in rows
        ]


def read_cohort(folder: Path) -> Cohort:
    """Read all outcomes of a population; raises `InputError` for a folder without any study with numbers."""
    store = OutcomeStore(folder)
    tables = build_tables(store)
    if not len(tables.measurements):
        raise InputError(
            f"'{folder.name}' has no study with numbers; expected a folder that `cinema population` wrote: see its"
            " failures.csv"
        )
    return Cohort(folder=folder, tables=tables, outcomes=store.outcomes())


def _concern(row: tuple[Fact, ...]) -> tuple[float, float, float, str]:
    study, errors, warnings, confidence = row[:4]
    sure = confidence if isinstance(confidence, float) else 1.0
    return -float(str(errors or 0)), -float(str(warnings or 0)), sure, str(study)


def _address(png: bytes | None) -> str | None:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}" if png else None
