"""The page of an evaluation holds its numbers, its plots and its cases, and asks nothing of the network."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from oracles import CPU, Oracle, annotated, heart, segmenter

from cinema_cmr.data.seen_frames import SeenPatients
from cinema_cmr.evaluation.compare import compare
from cinema_cmr.evaluation.evaluate import Scored, evaluate
from cinema_cmr.evaluation.record import Evaluation
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.report.evaluation.page import evaluation_page
from cinema_cmr.report.evaluation.pictures import CasePicture, case_picture
from cinema_cmr.tasks.registry import task_type
from cinema_cmr.tasks.result import Result, summarise

STUDIES = [
    annotated(heart((15.0, radius), n_slices=4), f"patient {radius}", group=group)
    for radius, group in ((10.0, "NOR"), (11.0, "DCM"), (12.0, "NOR"))
]


@pytest.fixture(scope="module")
def scored() -> Scored:
    model = LoadedModel(model=Oracle(), card=segmenter(size=(63, 59)).card)
    return evaluate(model, STUDIES, CPU, dataset="hearts", part="all")


def page_of(scored: Scored, *cases: CasePicture) -> str:
    return evaluation_page(scored.evaluation, cases)


@pytest.mark.medium
def test_numbers_plots_and_patients_are_there(scored: Scored) -> None:
    page = page_of(scored)
    for text in ("oracle", "patient 10.0", "LV ejection fraction", "By structure", "group DCM", "research use only"):
        assert text.lower() in page.lower(), text
    assert page.count("<svg") >= 5 and f"{scored.evaluation.summary.scores['dice_mean'].value:.3f}" in page
    assert not re.search(r"(src|href)=\"https?:", page)


@pytest.mark.medium
def test_cases_are_drawn(scored: Scored) -> None:
    case = case_picture("Worst case", scored.evaluation.results[0], STUDIES[0])
    assert case is not None
    page = page_of(scored, case)
    assert "Worst case" in page and "data:image/" in page and "data:image/" not in page_of(scored)


@pytest.mark.medium
def test_a_comparison_has_its_table(scored: Scored) -> None:
    results = scored.evaluation.results
    against = compare(results, results, task_type("segment"), names=("oracle", "other"))
    page = evaluation_page(replace(scored.evaluation, against=against))
    assert "p (Holm)" in page and "other" in page and "p (Holm)" not in page_of(scored)


@pytest.mark.medium
def test_patients_that_the_model_has_seen_are_warned_of_first(scored: Scored) -> None:
    seen = replace(scored.evaluation, seen=SeenPatients(chosen=("patient 10.0",)))
    page = evaluation_page(seen)
    said = "Of the 3 patients here weights or settings of oracle were chosen on 1: expect it to do worse on new ones."
    assert page.index(said) < page.index('id="numbers"') and said not in page_of(scored)


def test_a_task_without_masks_has_a_page_too() -> None:
    results = [Result(study=name, patient=name, scores={"distance_mm": 1.0 + i}) for i, name in enumerate("abc")]
    record = Evaluation(
        model="points", task="landmark", summary=summarise(results), subgroups={}, checks=None, results=tuple(results)
    )
    page = evaluation_page(record)
    assert "points" in page and "distance mm" in page and "Quality flags" not in page and "<h2>Dice</h2>" not in page
