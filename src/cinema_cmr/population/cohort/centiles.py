"""Distributions of a population by sex and age, and its centiles as a table of reference ranges of its own."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.analysis import NormalRange
from cinema_cmr.core.safe_text import csv_row
from cinema_cmr.measure.normal_ranges import NORMAL_RANGES, normal_range

__all__ = ["Distribution", "Values", "age_bands", "centile_ranges", "distributions", "ranges_csv"]

_CENTILES = (2.5, 50.0, 97.5)
_FEWEST = 40
"""Studies of a sex and age band: of fewer, a 2.5th centile lies outside all of them."""
_BAND_YEARS = 10
_RULE = "as the model draws it: see its card"

Array = NDArray[np.float64]
Sex = Literal["F", "M"]


@dataclass(frozen=True, kw_only=True)
class Values:
    """A measurement of all studies, with what it is compared by; NaN where unknown."""

    name: str
    unit: str
    values: Array
    """(n,)"""
    sex: Sequence[str | None]
    age: Array
    """(n,) years."""

    def of_sex(self, sex: str) -> NDArray[np.bool_]:
        """Return which studies have a value and this sex."""
        chosen: NDArray[np.bool_] = np.isfinite(self.values) & np.array([one == sex for one in self.sex], dtype=bool)
        return chosen


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A measurement in one sex: number, mean, spread, centiles, and how many lie outside the published range."""

    name: str
    unit: str
    sex: str
    n: int
    mean: float
    sd: float
    low: float
    """2.5th centile."""
    median: float
    high: float
    """97.5th centile."""
    n_with_range: int
    """Studies whose sex and age the published table covers."""
    below: int
    above: int
    citation: str


def distributions(values: Values, ranges: Iterable[NormalRange] = NORMAL_RANGES) -> list[Distribution]:
    """Return the distribution in each sex that has a value, and in all where no sex is known."""
    table = tuple(row for row in ranges if row.name == values.name)
    found = [_distribution(values, sex, values.of_sex(sex), table) for sex in ("F", "M")]
    if not any(one.n for one in found):
        found = [_distribution(values, "all", np.isfinite(values.values), table)]
    return [one for one in found if one.n]


def age_bands(ages: Array, *, fewest: int = _FEWEST) -> list[tuple[int, int]]:
    """Return decades from the youngest to the oldest, each completed (50 to 59), that hold enough studies.

    A decade with fewer is joined with its older neighbours; what is left at the end joins the last band.
    """
    known = ages[np.isfinite(ages)]
    if len(known) < fewest:
        return []
    bands: list[tuple[int, int]] = []
    low = int(known.min()) // _BAND_YEARS * _BAND_YEARS
    last = int(known.max())
    high = low + _BAND_YEARS - 1
    while low <= last:
        inside = ((known >= low) & (known < high + 1)).sum()
        if inside >= fewest:
            bands.append((low, high))
            low = high + 1
        elif high >= last:
            bands[-1:] = [(bands[-1][0], high)] if bands else [(low, high)]
            break
        high += _BAND_YEARS
    return bands


def centile_ranges(values: Values, source: str, *, fewest: int = _FEWEST) -> list[NormalRange]:
    """Return the 2.5th and 97.5th centile of each sex and age band, in the form that `--normal-ranges` takes."""
    rows = []
    sexes: tuple[Sex, ...] = ("F", "M")
    for sex in sexes:
        of_sex = values.of_sex(sex)
        for low, high in age_bands(values.age[of_sex], fewest=fewest):
            chosen = values.values[of_sex & (values.age >= low) & (values.age < high + 1)]
            lower, upper = np.percentile(chosen, (_CENTILES[0], _CENTILES[-1]))
            if lower < upper:
                rows.append(_range(values, sex, (low, high), (lower, upper), f"{source}, n {len(chosen)}"))
    return rows


def ranges_csv(rows: Iterable[NormalRange]) -> str:
    """Return the table as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(NormalRange)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(csv_row(asdict(row)) for row in rows)
    return text.getvalue()


def _range(values: Values, sex: Sex, ages: tuple[int, int], limits: tuple[float, float], citation: str) -> NormalRange:
    return NormalRange(
        name=values.name,
        sex=sex,
        age_low=ages[0],
        age_high=ages[1],
        lower=float(f"{limits[0]:.4g}"),
        upper=float(f"{limits[1]:.4g}"),
        unit=values.unit,
        citation=citation,
        papillary_rule=_RULE,
        limits="2.5th to 97.5th centile",
    )


def _distribution(values: Values, sex: str, chosen: NDArray[np.bool_], table: Sequence[NormalRange]) -> Distribution:
    some = values.values[chosen]
    low, median, high = np.percentile(some, _CENTILES) if len(some) else (np.nan,) * 3
    limits = [_published(sex, age, table, values.name) for age in values.age[chosen]]
    known = [(value, limit) for value, limit in zip(some, limits, strict=True) if limit is not None]
    return Distribution(
        name=values.name,
        unit=values.unit,
        sex=sex,
        n=len(some),
        mean=float(some.mean()) if len(some) else np.nan,
        sd=float(some.std(ddof=1)) if len(some) > 1 else np.nan,
        low=float(low),
        median=float(median),
        high=float(high),
        n_with_range=len(known),
        below=sum(value < limit.lower for value, limit in known),
        above=sum(value > limit.upper for value, limit in known),
        citation=known[0][1].citation if known else "",
    )


def _published(sex: str, age: float, table: Sequence[NormalRange], name: str) -> NormalRange | None:
    if not np.isfinite(age):
        return None
    return normal_range(name, "F" if sex == "F" else "M", age, table) if sex in ("F", "M") else None
