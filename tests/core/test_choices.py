"""Decisions on series: how a series is named, and what overrules what."""

from __future__ import annotations

import pytest

from cinema_cmr.core.choices import SeriesChoice, SeriesName, StudyChoices
from cinema_cmr.core.errors import UnknownNameError, UsageError
from cinema_cmr.core.vocabulary import View

NAMES = (
    SeriesName(label="series 5a", also=("5a", "5", "cine SA")),
    SeriesName(label="series 5b", also=("5b", "5", "cine SA PC")),
    SeriesName(label="series 6", also=("6", "6", "CINE 4ch", "Se6")),
)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("6", {"series 6"}),
        ("Series 6", {"series 6"}),
        ("cine 4CH", {"series 6"}),
        ("se6", {"series 6"}),
        ("5", {"series 5a", "series 5b"}),
        ("5b", {"series 5b"}),
    ],
)
def test_a_series_is_named_by_number_description_or_folder(text: str, labels: set[str]) -> None:
    assert set(StudyChoices(use=(text,)).resolve(NAMES)) == labels


def test_an_unknown_series_is_an_error_with_the_nearest_names() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown series 'cine SA P'; did you mean 'cine SA PC'"):
        StudyChoices(ignore=("cine SA P",)).resolve(NAMES)


def test_options_overrule_the_file_and_contradictions_are_refused() -> None:
    rows = (("6", SeriesChoice(use=False)), ("5a", SeriesChoice(use=True, view=View.SAX, order=2)))
    chosen = StudyChoices(view={"6": View.LAX_4C}, rows=rows).resolve(NAMES)
    assert chosen == {
        "series 6": SeriesChoice(use=True, view=View.LAX_4C),
        "series 5a": SeriesChoice(use=True, view=View.SAX, order=2),
    }
    with pytest.raises(UsageError, match="series 6 is both"):
        StudyChoices(use=("6",), ignore=("Se6",)).resolve(NAMES)


def test_the_digest_is_that_of_the_decisions_and_holds_no_name() -> None:
    assert StudyChoices().digest == "" and not StudyChoices()
    one, other = StudyChoices(use=("Doe",)).digest, StudyChoices(ignore=("Doe",)).digest
    assert one != other and "Doe" not in one
