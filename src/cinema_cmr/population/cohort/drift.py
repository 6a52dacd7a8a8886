"""Whether scanners or periods differ: numbers of studies, flags, and the mean of each principal measurement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.study import Fact
from cinema_cmr.io.names import natural_key
from cinema_cmr.population.cohort.cohort import Cohort

__all__ = ["DriftRow", "drift_rows", "period_of"]

_MOST_GROUPS = 40
_FEWEST = 5
"""Studies for a mean."""


@dataclass(frozen=True, kw_only=True)
class DriftRow:
    """The studies of one scanner or period."""

    group: str
    n: int
    flagged: float
    """Share with a warning or an error, 0 to 1."""
    differences: dict[str, tuple[float, float] | None]
    """Measurement -> mean less that of all others, in their standard deviations, with half the 95 % interval."""


def drift_rows(
    cohort: Cohort, column: Sequence[Fact], measured: Sequence[str], *, periods: bool = False
) -> list[DriftRow]:
    """Return a row for each of the 40 largest groups of a column, largest first; for periods (quarters of a year) for
    each of the 40 latest, in their order."""
    groups: dict[str, list[int]] = defaultdict(list)
    for row, value in enumerate(column):
        if value is not None:
            groups[period_of(value) if periods else str(value)].append(row)
    if periods:
        order = sorted(groups, key=lambda name: natural_key(Path(name)))[-_MOST_GROUPS:]
    else:
        order = sorted(groups, key=lambda name: (-len(groups[name]), name))[:_MOST_GROUPS]
    flags = cohort.table.values("flags")
    numbers = {name: np.array(cohort.table.numbers(name)) for name in measured}
    return [
        DriftRow(
            group=name,
            n=len(groups[name]),
            flagged=float(np.mean([bool(flags[row]) for row in groups[name]])),
            differences={key: _difference(values, groups[name]) for key, values in numbers.items()},
        )
        for name in order
    ]


def period_of(value: Fact) -> str:
    """Return the quarter of a date, the year of a number.

    >>> period_of("2019-05-17"), period_of("20190517"), period_of(2019), period_of("spring")
    ('2019 Q2', '2019 Q2', '2019', 'spring')
    """
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    digits = text[:10].replace("-", "").replace("/", "")
    if len(digits) == 8 and digits.isdecimal() and 1 <= int(digits[4:6]) <= 12:
        return f"{digits[:4]} Q{(int(digits[4:6]) + 2) // 3}"
    return text


def _difference(values: NDArray[np.float64], rows: Sequence[int]) -> tuple[float, float] | None:
    inside = np.zeros(len(values), bool)
    inside[list(rows)] = True
    known = np.isfinite(values)
    own, others = values[inside & known], values[~inside & known]
    if min(len(own), len(others)) < _FEWEST:
        return None
    spread = float(others.std(ddof=1))
    if spread == 0:
        return None
    error = np.sqrt(own.var(ddof=1) / len(own) + others.var(ddof=1) / len(others))
    return float(own.mean() - others.mean()) / spread, float(1.96 * error) / spread
