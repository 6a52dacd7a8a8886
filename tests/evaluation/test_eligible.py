"""A study that tells nothing of what a model answers is listed with the reason, and ends nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from oracles import annotated, cine_of, heart, segmenter

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.evaluation.eligible import choose_scorable, why_not_scorable
from cinema_cmr.evaluation.external import NotScored

DRAWN = annotated(heart())
CARD = segmenter().card


def of_planes(study: AnnotatedStudy, view: View = View.LAX_4C) -> AnnotatedStudy:
    """The same with its images and labels of another view."""
    cine = replace(cine_of(heart()), view=view)
    return replace(
        study,
        study=Study(name="planes", cines=(cine,)),
        labels={view: study.labels[View.SAX]},
        labelled_frames={view: (0, 1)},
    )


def test_studies_without_labels_of_the_model_s_views_are_listed() -> None:
    empty = replace(DRAWN, labelled_frames={View.SAX: ()})
    told: list[NotScored] = []
    kept, left = choose_scorable([of_planes(DRAWN), DRAWN, empty], CARD, report=told.append)
    assert kept == [DRAWN] and told == left
    assert [(row.study, row.status, row.why) for row in left] == [
        ("planes", "unlabelled", "no labels of the short axis"),
        ("heart", "unlabelled", "no labels of the short axis"),
    ]
    both = replace(CARD, grids=dict.fromkeys((View.LAX_2C, View.LAX_4C), CARD.grids[View.SAX]))
    assert why_not_scorable(of_planes(DRAWN), both) is None
    assert why_not_scorable(DRAWN, both) == "no labels of the 2-chamber or the 4-chamber"


@pytest.mark.parametrize("studies", [[], [of_planes(DRAWN)]])
def test_where_none_is_left_that_is_said(studies: list[AnnotatedStudy]) -> None:
    with pytest.raises(InputError, match=f"none of {len(studies)} studies can be scored with model 'oracle'"):
        choose_scorable(studies, CARD)


def test_points_are_asked_of_the_model_s_views() -> None:
    card = replace(CARD, task="landmark", grids={View.LAX_4C: CARD.grids[View.SAX]})
    points = Landmarks(view=View.LAX_4C, points={"apex": np.zeros((2, 3))})
    planes = of_planes(DRAWN)
    assert why_not_scorable(planes, card) == "no landmarks of the 4-chamber"
    assert why_not_scorable(replace(planes, landmarks={View.LAX_4C: points}), card) is None


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ("regress", {"outputs": ("lv_ef_percent",)}),
        ("classify", {"outputs": ("NOR", "DCM"), "training": {"answers": "group"}}),
    ],
)
def test_an_answer_needs_images_of_a_view_and_somebody_who_knows_it(task: Any, changes: dict[str, Any]) -> None:
    card: ModelCard = replace(CARD, task=task, **changes)
    assert why_not_scorable(DRAWN, card) is None
    assert why_not_scorable(of_planes(DRAWN), card) == "no images of the short axis"
    unknown = replace(DRAWN, labels={}, labelled_frames={}, facts={})
    assert why_not_scorable(unknown, card) == f"nobody knows '{'lv_ef_percent' if task == 'regress' else 'group'}'"
