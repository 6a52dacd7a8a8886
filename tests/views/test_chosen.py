"""Decisions of the user on views."""

from __future__ import annotations

import numpy as np

from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.views.candidate import Candidate, ViewDecision
from cinema_cmr.views.chosen import ChosenView, apply_chosen


def candidate(n_slices: int) -> Candidate:
    array = np.zeros((4, 4, n_slices, 2), np.float32)
    positions = 8.0 * np.arange(n_slices)
    return Candidate(
        cine=Cine(array=array, affine=np.diag([1, 1, 8, 1.0]), view=View.OTHER, slice_positions_mm=positions)
    )


CANDIDATES = [candidate(9), candidate(7), candidate(1)]
FOUND = {
    0: ViewDecision(view=View.SAX, kept=True, reason="across"),
    1: ViewDecision(view=View.SAX, kept=False, reason="another stack"),
    2: ViewDecision(view=View.OTHER, kept=False, reason="no known plane"),
}


def test_a_view_is_given_and_its_rival_left_out() -> None:
    result = apply_chosen(FOUND, CANDIDATES, {2: ChosenView(view=View.SAX)})
    assert [result[k].kept for k in range(3)] == [False, False, True]
    assert result[2].evidence["decided_by"] == "user" and "as the user decided" in result[0].reason


def test_the_recognised_view_is_kept_where_only_its_use_is_decided() -> None:
    result = apply_chosen(FOUND, CANDIDATES, {1: ChosenView()})
    assert [result[k].kept for k in range(3)] == [False, True, False]


def test_order_ranks_and_then_the_number_of_series_named() -> None:
    both = {0: ChosenView(view=View.SAX, order=2), 1: ChosenView(view=View.SAX, order=1, weight=9)}
    assert apply_chosen(FOUND, CANDIDATES, both)[1].kept
    both = {0: ChosenView(view=View.SAX, weight=2), 1: ChosenView(view=View.SAX, weight=9)}
    assert not apply_chosen(FOUND, CANDIDATES, both)[0].kept


def test_other_means_not_measured() -> None:
    result = apply_chosen(FOUND, CANDIDATES, {0: ChosenView(view=View.OTHER)})
    assert result[0].view is View.OTHER and not result[0].kept
