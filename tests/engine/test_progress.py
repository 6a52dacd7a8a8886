"""What a report of progress says of a run's end, and of a run that had ended before."""

from __future__ import annotations

from dataclasses import replace

from cinema_cmr.engine.early_stopping import BestValidation
from cinema_cmr.engine.progress import Progress

UNDER_WAY = Progress(step=20, n_steps=50, loss=0.4, samples_per_s=2.0, images_per_s=2.0, seconds_left=60.0)


def test_a_run_that_ends_early_is_expected_to_have_the_updates_it_made() -> None:
    assert UNDER_WAY.n_expected == 50
    assert replace(UNDER_WAY, stopped="ended by hand at step 20 of 50", ended_by_hand=True).n_expected == 20


def test_a_run_that_had_ended_has_no_update_to_report() -> None:
    assert UNDER_WAY.is_updated and not replace(UNDER_WAY, loss=float("nan"), samples_per_s=0.0).is_updated


def test_the_scores_are_those_of_the_weights_that_are_kept() -> None:
    assert UNDER_WAY.scores_of_weights is None
    last = replace(UNDER_WAY, validation={"dice_lv": 0.7})
    assert last.scores_of_weights == {"dice_lv": 0.7}
    best = BestValidation(step=10, score=0.8, scores={"dice_lv": 0.8})
    assert replace(last, best=best).scores_of_weights == {"dice_lv": 0.8}
