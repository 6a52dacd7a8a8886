"""Views that the user decided on: they overrule those recognised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cinema_cmr.core.vocabulary import View
from cinema_cmr.views.candidate import Candidate, ViewDecision

__all__ = ["ChosenView", "apply_chosen"]

_BY_USER = {"decided_by": "user"}


@dataclass(frozen=True, kw_only=True)
class ChosenView:
    """What the user decided about one candidate."""

    view: View | None = None
    """Its view; None to keep the recognised one and to measure it in place of others."""
    slice: int | None = None
    """The slice meant, if it is one of several parallel planes."""
    weight: int = 1
    """Number of series that the decision names: of two candidates with one view, the larger is kept."""
    order: int | None = None
    """Rank among candidates of one view: the lowest is kept."""


def apply_chosen(
    decisions: Mapping[int, ViewDecision], candidates: Sequence[Candidate], chosen: Mapping[int, ChosenView]
) -> dict[int, ViewDecision]:
    """Return the decisions with those of the user: what else had the same view is no longer kept."""
    result = dict(decisions)
    for k, choice in chosen.items():
        if choice.view is not None:
            result[k] = _decision(choice, candidates[k])
    for view in set(View) - {View.OTHER}:
        wanted = [k for k in chosen if k in result and result[k].view is view]
        if wanted:
            best = min(wanted, key=lambda k: _rank(k, chosen[k], result[k]))
            result.update({k: _kept(one, k == best) for k, one in result.items() if one.view is view})
    return result


def _rank(k: int, choice: ChosenView, decision: ViewDecision) -> tuple[float, int, bool, int]:
    """Sort key of the candidates of one view: by order, by the number of series named, by what was recognised."""
    return (float("inf") if choice.order is None else choice.order, -choice.weight, not decision.kept, k)


def _decision(choice: ChosenView, candidate: Candidate) -> ViewDecision:
    view = choice.view or View.OTHER
    kept = view is not View.OTHER
    plane = choice.slice if view.is_long_axis else None
    reason = f"{view.title}, as the user decided" if kept else "no measured view, as the user decided"
    return ViewDecision(
        view=view, kept=kept, reason=reason, evidence={**_BY_USER, "n_slices": candidate.cine.n_slices}, slice=plane
    )


def _kept(decision: ViewDecision, kept: bool) -> ViewDecision:
    if decision.kept == kept:
        return decision
    reason = "kept, as the user decided" if kept else "another series was kept, as the user decided"
    return replace(
        decision, kept=kept, reason=f"{decision.reason}; {reason}", evidence={**decision.evidence, **_BY_USER}
    )
