"""Published normal ranges by sex and age, with citation and papillary rule, and the variability of human readers.

The built-in table is Petersen et al., JCMR 2017;19:18 (UK Biobank, 800 healthy Caucasians of 45-74 years,
papillary muscles in the blood pool, 1.5 T). It contains only values confirmed by the abstract
of the paper or by independent transcriptions that agree; each row states the kind of its limits. A user-supplied table
replaces it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from cinema_cmr.core.analysis import NormalRange
from cinema_cmr.core.errors import InputError
from cinema_cmr.files.text import parse_json, parse_rows
from cinema_cmr.measure.papillary import PAPILLARY_RULES, PapillaryRule

__all__ = ["HUMAN_NOISE", "NORMAL_RANGES", "HumanNoise", "normal_range", "parse_normal_ranges", "ranges_of_rule"]

Sex = Literal["F", "M"]

PETERSEN = "Petersen et al., JCMR 2017;19:18, doi 10.1186/s12968-017-0327-9"

SUINESIAPUTRA = "Suinesiaputra et al., JCMR 2015, doi 10.1186/s12968-015-0170-9"

DAVIES = "Davies et al. 2022, PMC8908603"

BLOOD_POOL = PAPILLARY_RULES["blood"]


@dataclass(frozen=True, kw_only=True)
class HumanNoise:
    """Variability within or between expert readers, reported with a measurement."""

    name: str
    """The measurement's name."""
    low: float
    high: float
    unit: str
    meaning: str
    citation: str


INTERVAL = "95 % interval"
MEAN_SD = "mean +- 1.96 SD of the published mean and SD"
BORDERLINE = "limits of abnormal values in the paper, including its borderline zone"

_PUBLISHED: tuple[tuple[str, str, Sex, float, float], ...] = (
    ("lv_edv_ml", INTERVAL, "M", 109, 218),
    ("lv_edv_ml", INTERVAL, "F", 88, 161),
    ("lv_esv_ml", INTERVAL, "F", 31, 68),
    ("lv_sv_ml", INTERVAL, "F", 49, 100),
    ("lv_ef_percent", INTERVAL, "F", 51, 70),
    ("rv_edv_ml", INTERVAL, "F", 85, 166),
    ("rv_esv_ml", INTERVAL, "F", 27, 77),
    ("rv_sv_ml", INTERVAL, "F", 48, 99),
    ("rv_ef_percent", INTERVAL, "F", 47, 68),
    ("lv_esv_ml", BORDERLINE, "M", 34, 103),
    ("lv_sv_ml", BORDERLINE, "M", 49, 140),
    ("rv_edv_ml", BORDERLINE, "M", 99, 260),
    ("rv_esv_ml", BORDERLINE, "M", 34, 135),
    ("rv_sv_ml", BORDERLINE, "M", 54, 140),
    ("lv_edvi_ml_m2", BORDERLINE, "M", 52, 117),
    ("lv_edvi_ml_m2", BORDERLINE, "F", 50, 101),
    ("lv_esvi_ml_m2", BORDERLINE, "M", 19, 52),
    ("lv_esvi_ml_m2", BORDERLINE, "F", 16, 43),
    ("lv_svi_ml_m2", BORDERLINE, "M", 28, 70),
    ("lv_svi_ml_m2", BORDERLINE, "F", 29, 63),
    ("rv_edvi_ml_m2", BORDERLINE, "M", 55, 128),
    ("rv_edvi_ml_m2", BORDERLINE, "F", 51, 110),
    ("rv_esvi_ml_m2", BORDERLINE, "M", 19, 67),
    ("rv_esvi_ml_m2", BORDERLINE, "F", 16, 55),
    ("rv_svi_ml_m2", BORDERLINE, "M", 30, 69),
    ("rv_svi_ml_m2", BORDERLINE, "F", 29, 61),
)
"""Name, kind of limits, sex, lower, upper."""

_MEANS: tuple[tuple[str, Sex, float, float], ...] = (
    ("lv_ef_percent", "M", 58, 5),
    ("lv_mass_index_g_m2", "M", 53, 9),
    ("lv_mass_index_g_m2", "F", 42, 7),
)
"""Name, sex, mean and SD, from the abstract."""

_UNITS = {"ml": "ml", "percent": "%", "ml_m2": "ml/m2", "g_m2": "g/m2"}


def _petersen(name: str, sex: Sex, lower: float, upper: float, limits: str) -> NormalRange:
    suffix = next(suffix for suffix in sorted(_UNITS, key=len, reverse=True) if name.endswith(suffix))
    return NormalRange(
        name=name,
        sex=sex,
        age_low=45,
        age_high=74,
        lower=lower,
        upper=upper,
        unit=_UNITS[suffix],
        citation=PETERSEN,
        papillary_rule=BLOOD_POOL,
        limits=limits,
    )


NORMAL_RANGES: tuple[NormalRange, ...] = (
    *(_petersen(name, sex, lower, upper, limits) for name, limits, sex, lower, upper in _PUBLISHED),
    *(
        _petersen(name, sex, round(mean - 1.96 * sd, 1), round(mean + 1.96 * sd, 1), MEAN_SD)
        for name, sex, mean, sd in _MEANS
    ),
)
"""The built-in table, without absolute LV mass, which could not be confirmed."""

HUMAN_NOISE: tuple[HumanNoise, ...] = (
    HumanNoise(
        name="lv_ef_percent",
        low=6.0,
        high=6.0,
        unit="%",
        meaning="coefficient of variation between two scans, read by experts",
        citation=DAVIES,
    ),
    *(
        HumanNoise(
            name=name,
            low=low,
            high=high,
            unit=unit,
            meaning="spread between core labs",
            citation=SUINESIAPUTRA,
        )
        for name, low, high, unit in (
            ("lv_edv_ml", 15.0, 28.0, "ml"),
            ("lv_esv_ml", 14.0, 22.0, "ml"),
            ("lv_mass_g", 20.0, 35.0, "g"),
            ("lv_ef_percent", 4.6, 7.5, "%"),
        )
    ),
)
"""Variability of human readers; smaller differences are not meaningful."""


def ranges_of_rule(ranges: tuple[NormalRange, ...], rule: PapillaryRule) -> tuple[NormalRange, ...]:
    """Return the ranges that hold where papillary muscles are counted so: of the LV not those of the other rule."""
    other = {text for name, text in PAPILLARY_RULES.items() if name != rule}
    return tuple(one for one in ranges if not (one.name.startswith("lv_") and one.papillary_rule in other))


def normal_range(
    name: str, sex: Sex | None, age: float | None, table: Iterable[NormalRange] = NORMAL_RANGES
) -> NormalRange | None:
    """Return the range of a measurement for a sex and age in years, or None if there is none.

    >>> normal_range("lv_edv_ml", "F", 60).upper
    161
    >>> normal_range("lv_edv_ml", "F", 30) is None
    True
    """
    if sex is None or age is None:
        return None
    for row in table:
        if (row.name, row.sex) == (name, sex) and row.age_low <= age < row.age_high + 1:
            return row
    return None


def parse_normal_ranges(text: str, kind: Literal["csv", "json"]) -> tuple[NormalRange, ...]:
    """Parse a user-supplied table, CSV text with a header or a JSON list, of the fields of `NormalRange`.

    `limits` is optional. Raises `InputError` that names the row and its fault.
    """
    rows = parse_json(text, "table of normal ranges") if kind == "json" else _csv_rows(text)
    if not isinstance(rows, list) or not rows:
        raise InputError("table of normal ranges is empty; expected a list of rows with the columns of NormalRange")
    return tuple(_parse_row(number, row) for number, row in enumerate(rows, start=1))


def _csv_rows(text: str) -> list[dict[str, str]]:
    head, *rows = parse_rows(text, "table of normal ranges") or [[]]
    return [dict(zip(head, row, strict=False)) for row in rows if row]


def _parse_row(number: int, row: object) -> NormalRange:
    if not isinstance(row, Mapping):
        raise InputError(f"normal range {number} is no row; expected a row of named columns")
    numbers = ("age_low", "age_high", "lower", "upper")
    words = ("name", "sex", "unit", "citation", "papillary_rule")
    missing = [field for field in (*words, *numbers) if row.get(field) in (None, "")]
    if missing:
        raise InputError(f"normal range {number} lacks {', '.join(missing)}; expected a source and limits in every row")
    try:
        values = {field: float(row[field]) for field in numbers}
    except (TypeError, ValueError) as error:
        raise InputError(f"normal range {number} has an invalid number; expected numbers as ages and limits") from error
    if row["sex"] not in ("F", "M"):
        raise InputError(f"normal range {number} has another sex; expected F or M")
    if not (values["lower"] < values["upper"] and values["age_low"] <= values["age_high"]):
        raise InputError(f"normal range {number} has {values}; expected lower limits below upper limits")
    return NormalRange(
        name=str(row["name"]),
        sex="F" if row["sex"] == "F" else "M",
        **values,
        unit=str(row["unit"]),
        citation=str(row["citation"]),
        papillary_rule=str(row["papillary_rule"]),
        limits=str(row.get("limits") or INTERVAL),
    )
