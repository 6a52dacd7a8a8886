"""The page says first what can be said, and shows every patient."""

from __future__ import annotations

import re
from dataclasses import replace

from cinema_cmr.data.seen_frames import SeenPatients
from cinema_cmr.evaluation.gain import ComparedRuns, Gain, StartFacts, compare_starts
from cinema_cmr.report.evaluation.gain import gain_page
from cinema_cmr.tasks.registry import task_type
from cinema_cmr.tasks.result import Result

RUNS = ComparedRuns(
    recipe="sax-unetr",
    task="segment",
    dataset="hearts",
    start=StartFacts(name="cinema-small", hash="0123456789abcdef"),
    learned="all weights",
    n_train_patients=4,
    n_steps=100,
    seed=0,
    compared_on="the validation part",
)


def gain(n: int, by: float, *, runs: ComparedRuns = RUNS) -> Gain:
    scratch = {f"patient {i}": 0.7 + 0.01 * i for i in range(n)}
    start = {name: value + by * (1 + 0.1 * i) for i, (name, value) in enumerate(scratch.items())}
    first, second = (
        [Result(study=patient, patient=patient, scores={"dice_mean": value}) for patient, value in side.items()]
        for side in (start, scratch)
    )
    return compare_starts(first, second, task_type("segment"), runs)


def test_a_gain_is_told_with_its_patients_and_its_test() -> None:
    page = gain_page(gain(8, 0.1))
    for text in ("Gained", "patient 7", "8 of 8", "p (Wilcoxon)", "up is better", "start cinema-small 0123456789ab"):
        assert text in page, text
    assert "note fine" in page and "<svg" in page and "esearch use only" in page
    assert not re.search(r"(src|href)=\"https?:", page)


def test_a_loss_is_no_less_visible_than_a_gain() -> None:
    page = gain_page(gain(8, -0.1))
    assert "note error" in page and "Lost" in page and "better in 0 of 8" in page and "var(--error)" in page


def test_too_few_patients_are_said_first_and_shown_all_the_same() -> None:
    page = gain_page(gain(3, 0.1))
    assert page.count("Inconclusive") == 1 and "<strong>Inconclusive with 3 patients</strong>" in page
    assert "patient 2" in page and "note warning" in page
    alone = gain_page(gain(1, 0.1))
    assert "1 patient to compare on" in alone and "p (Wilcoxon)" not in alone and "patient 0" in alone
    assert "<svg" not in gain_page(gain(0, 0.1))


def test_folds_are_said_to_share_their_data() -> None:
    said = "somewhat too narrow"
    assert said in gain_page(gain(8, 0.1, runs=replace(RUNS, compared_on="4-fold cross-validation")))
    assert said not in gain_page(gain(8, 0.1))


def test_a_start_that_has_seen_the_compared_patients_is_warned_of() -> None:
    page = gain_page(replace(gain(8, 0.1), seen=SeenPatients(learned=("patient 1", "patient 2"))))
    said = "Of the 8 patients here cinema-small has learned from 2: expect it to do worse on new ones."
    assert said in page and "note warning" in page and "note fine" in page
    assert "expect it" not in gain_page(gain(8, 0.1))
