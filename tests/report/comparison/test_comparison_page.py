"""The page shows both results, needs no network, and holds nothing of the patient."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from cinema_cmr.pipeline.compare_results import compare_results
from cinema_cmr.report.comparison.comparison_page import comparison_page, principal_values, verdict
from cinema_cmr.report.comparison.results_comparison import ResultsComparison, compare_sides


@pytest.mark.medium
def test_a_reader_s_correction_is_shown_beside_the_model(corrected: ResultsComparison) -> None:
    page = comparison_page(corrected)
    for words in ("of the model, corrected by a reader", "beyond noise", "Outlines over each other", "Grothues et al."):
        assert words in page
    assert 'class="a lv"' in page and 'class="b lv"' in page
    assert "The images differ" not in page and "height cm" in page
    assert "171" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL), "the subject's height"
    assert not re.search(r'(?:src|href)="(?!#|data:)', page) and not re.search("https?:", page)


@pytest.mark.medium
def test_two_visits_have_numbers_and_curves_without_outlines(
    visits: ResultsComparison, folders: dict[str, Path]
) -> None:
    page = comparison_page(visits)
    assert "The images differ" in page and "the grids differ" in page and "part of the beat" in page
    assert "Outlines over each other" not in page
    assert "Anna" not in page and "Anna" not in str(visits.record), "the study's name"
    named = compare_results(folders["model"], folders["visit"], names=("<b>1</b>", "2"))
    assert "<b>1</b>" not in comparison_page(named)


def test_the_verdict_counts_what_is_beyond_noise(corrected: ResultsComparison) -> None:
    record = corrected.record
    tone, text = verdict(record)
    judged = sum(one.limit is not None for one in record.values)
    assert tone == "warning" and text.startswith(f"{len(record.beyond)} of {judged} differences exceed")
    within = replace(record, values=tuple(replace(one, is_beyond=False) for one in record.values))
    assert verdict(within)[0] == "fine"
    assert verdict(replace(record, values=()))[0] == "info"
    assert principal_values(record)[0].name == "lv_ef_percent"


@pytest.mark.medium
def test_the_page_says_whose_masks_have_no_atria(
    without_and_with_atria: ResultsComparison, corrected: ResultsComparison
) -> None:
    note = "The masks of old have no atria"
    page = comparison_page(without_and_with_atria)
    assert note in page and "left atrium" not in page.split("Overlap of the masks")[1].split("</section>")[0]
    second = without_and_with_atria.second
    both = comparison_page(compare_sides(second, replace(second, title="other")))
    assert "have no atria" not in both and "left atrium" in both.casefold()
    assert "have no atria" not in comparison_page(corrected)
