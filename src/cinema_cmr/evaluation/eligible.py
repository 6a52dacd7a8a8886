"""Which studies a model can be scored on: those that tell what it answers; the others are listed with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.evaluation.external import NotScored
from cinema_cmr.evaluation.scalar import target_of
from cinema_cmr.evaluation.segmentation import scored_views
from cinema_cmr.tasks.targets import target_value

__all__ = ["choose_scorable", "why_not_scorable"]


def choose_scorable(
    studies: Iterable[AnnotatedStudy], card: ModelCard, *, report: Callable[[NotScored], None] | None = None
) -> tuple[list[AnnotatedStudy], list[NotScored]]:
    """The studies that can be scored, in their order, and those that cannot, each told to `report`.

    Raises `InputError` where none is left.
    """
    kept: list[AnnotatedStudy] = []
    left: list[NotScored] = []
    for annotated in studies:
        why = why_not_scorable(annotated, card)
        if why is None:
            kept.append(annotated)
            continue
        left.append(NotScored(study=annotated.study.name, patient=annotated.patient, status="unlabelled", why=why))
        if report is not None:
            report(left[-1])
    if not kept:
        first = f": {left[0].why}" if left else ""
        raise InputError(
            f"none of {len(left)} studies can be scored with model '{card.name}'{first}; expected at least one that"
            " tells what the model answers"
        )
    return kept, left


def why_not_scorable(annotated: AnnotatedStudy, card: ModelCard) -> str | None:
    """What a study lacks to be scored by a model's task; None where it lacks nothing."""
    if card.task == "segment":
        views = scored_views(card)
        return None if any(annotated.labelled_frames.get(view) for view in views) else f"no labels of {_named(views)}"
    views = tuple(card.grids)
    if card.task == "landmark":
        found = any(view in annotated.landmarks and view in annotated.study for view in views)
        return None if found else f"no landmarks of {_named(views)}"
    if not any(view in annotated.study for view in views):
        return f"no images of {_named(views)}"
    target = target_of(card)
    return f"nobody knows '{target}'" if target_value(annotated, target) is None else None


def _named(views: Iterable[View]) -> str:
    return " or ".join(f"the {view.title}" for view in views)
