"""The built-in table is consistent, and a user's table is read or refused with the row that is wrong."""

from __future__ import annotations

import json

import pytest

from cinema_cmr.core.analysis import NormalRange
from cinema_cmr.core.errors import InputError
from cinema_cmr.measure.normal_ranges import (
    HUMAN_NOISE,
    NORMAL_RANGES,
    normal_range,
    parse_normal_ranges,
    ranges_of_rule,
)

CSV = """name,sex,age_low,age_high,lower,upper,unit,citation,papillary_rule
lv_edv_ml,F,18,44,80,170,ml,"our own, 2024",in the mass
"""


def test_every_row_says_where_it_is_from() -> None:
    for row in NORMAL_RANGES:
        assert row.lower < row.upper and row.age_low < row.age_high
        assert "JCMR" in row.citation and row.papillary_rule and row.unit
    assert len({(row.name, row.sex) for row in NORMAL_RANGES}) == len(NORMAL_RANGES)


def test_published_values() -> None:
    men, women = (normal_range("lv_edv_ml", sex, 60) for sex in ("M", "F"))
    assert men is not None and (men.lower, men.upper) == (109, 218)
    assert women is not None and (women.lower, women.upper) == (88, 161)


def test_ranges_hold_for_their_ages_and_a_known_subject_only() -> None:
    assert normal_range("lv_edv_ml", "F", 74.9) is not None
    assert normal_range("lv_edv_ml", "F", 75) is None
    assert normal_range("lv_edv_ml", "F", 44.9) is None
    assert normal_range("lv_edv_ml", None, 60) is None
    assert normal_range("lv_edv_ml", "F", None) is None
    assert normal_range("nothing_ml", "F", 60) is None


def test_volumes_fit_each_other() -> None:
    """SV within EDV, indexed below absolute: a wrong row would show."""
    for sex in ("F", "M"):
        edv, esv, sv, index = (
            normal_range(name, sex, 60) for name in ("lv_edv_ml", "lv_esv_ml", "lv_sv_ml", "lv_edvi_ml_m2")
        )
        assert edv and esv and sv and index
        assert esv.upper < edv.upper and sv.upper < edv.upper and index.upper < edv.upper


def test_a_users_table_replaces_it() -> None:
    table = parse_normal_ranges(CSV, "csv")
    row = normal_range("lv_edv_ml", "F", 30, table)
    assert row is not None and (row.upper, row.citation) == (170, "our own, 2024")
    assert normal_range("lv_edv_ml", "F", 60, table) is None


def test_json_and_csv_say_the_same() -> None:
    row = parse_normal_ranges(CSV, "csv")[0]
    assert parse_normal_ranges(json.dumps([vars(row)]), "json") == (row,)
    assert isinstance(row, NormalRange)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("{", "json", "is not JSON"),
        ("[]", "json", "is empty"),
        ("[3]", "json", "expected a row of named columns"),
        (CSV.replace('"our own, 2024"', ""), "csv", "normal range 1 lacks citation"),
        (CSV.replace(",80,", ",low,"), "csv", "expected numbers as ages"),
        (CSV.replace(",F,", ",female,"), "csv", "expected F or M"),
        (CSV.replace(",80,", ",180,"), "csv", "expected lower limits below"),
        (CSV.replace(",80,", ",nan,"), "csv", "expected lower limits below"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(text: str, kind: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_normal_ranges(text, kind)  # type: ignore[arg-type]


def test_human_noise_is_that_of_the_brief() -> None:
    spread = {noise.name: (noise.low, noise.high) for noise in HUMAN_NOISE if "core labs" in noise.meaning}
    assert spread["lv_edv_ml"] == (15, 28) and spread["lv_mass_g"] == (20, 35)


def test_ranges_of_the_other_papillary_rule_do_not_apply_to_the_lv() -> None:
    kept = ranges_of_rule(NORMAL_RANGES, "mass")
    assert {one.name.split("_")[0] for one in kept} == {one.name.split("_")[0] for one in NORMAL_RANGES} - {"lv"}
    assert ranges_of_rule(NORMAL_RANGES, "blood") == NORMAL_RANGES
