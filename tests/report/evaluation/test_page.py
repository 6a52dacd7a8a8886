"""The page of an evaluation holds its numbers, its plots and its cases, and asks nothing of the network."""

from __future__ import annotations

import re
from typing import Any

import pytest
from oracles import annotated, heart, segmenter

from cinema_cmr.core.serialise import json_values
from cinema_cmr.evaluation.compare import compare
from cinema_cmr.evaluation.record import evaluation_document
from cinema_cmr.evaluation.segmentation import evaluate_segmentation
from cinema_cmr.report.evaluation.page import evaluation_page
from cinema_cmr.report.evaluation.pictures import case_picture

STUDIES = [
    annotated(heart((15.0, radius), n_slices=4), f"patient {radius}", group=group)
    for radius, group in ((10.0, "NOR"), (11.0, "DCM"), (12.0, "NOR"))
]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    scores = evaluate_segmentation(STUDIES, segmenter(size=(63, 59)))
    made: dict[str, Any] = json_values(
        evaluation_document(scores, model="oracle", hash="abc", dataset="hearts", part="all")
    )
    return made


def test_numbers_plots_and_patients_are_there(document: dict[str, Any]) -> None:
    page = evaluation_page(document)
    for text in ("oracle", "patient 10.0", "LV ejection fraction", "By structure", "group DCM", "research use only"):
        assert text.lower() in page.lower(), text
    assert page.count("<svg") >= 5 and f"{document['scores']['dice_mean']['value']:.3f}" in page
    assert not re.search(r"(src|href)=\"https?:", page)


@pytest.mark.medium
def test_cases_are_drawn(document: dict[str, Any]) -> None:
    case = case_picture(
        "Worst case", document["patients"][0], STUDIES[0], STUDIES[0].labels[next(iter(STUDIES[0].labels))]
    )
    assert case is not None
    page = evaluation_page(document, [case])
    assert "Worst case" in page and "data:image/" in page and "data:image/" not in evaluation_page(document)


@pytest.mark.medium
def test_a_comparison_has_its_table(document: dict[str, Any]) -> None:
    page = evaluation_page({**document, "against": json_values(compare(document, {**document, "model": "other"}))})
    assert "p (Holm)" in page and "other" in page and "p (Holm)" not in evaluation_page(document)
