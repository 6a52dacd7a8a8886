"""Values as JSON can hold them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cinema_cmr.core.vocabulary import View
from cinema_cmr.report.plain import json_text, plain


def test_what_is_not_finite_becomes_null() -> None:
    values = {"a": float("nan"), "b": [np.inf, -np.inf, np.float32("nan")], "c": np.array([[np.nan, 2.0]])}
    assert plain(values) == {"a": None, "b": [None, None, None], "c": [[None, 2.0]]}


def test_six_digits_are_kept_and_whole_numbers_stay_whole() -> None:
    assert plain(123.456789) == 123.457
    assert plain(12345678) == 12345678
    assert plain(np.int64(7)) == 7
    assert plain(True) is True
    assert plain(np.bool_(False)) is False


def test_enumerations_become_their_text() -> None:
    assert type(plain(View.SAX)) is str
    assert plain({View.SAX: View.LAX_2C}) == {"sax": "lax_2c"}


def test_text_is_strict_json_that_reads_back() -> None:
    text = json_text({"µ": [1, None, float("nan")]})
    assert json.loads(text, parse_constant=pytest.fail) == {"µ": [1, None, None]}
    assert text.endswith("\n")


def test_other_objects_are_refused() -> None:
    with pytest.raises(TypeError, match="object cannot be written"):
        plain({"a": object()})
