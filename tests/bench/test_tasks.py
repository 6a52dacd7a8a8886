"""The rows of the benchmark name recipes and published tasks that there are, and say what data they need."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from long_axes import annotated as long_axis
from oracles import annotated, heart

from cinema_cmr.bench.scored_run import PatientValues
from cinema_cmr.bench.tasks import MODELS, TASKS, Measure, choose, find_task, fitting, why_not
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.cards import embedded_names
from cinema_cmr.recipes.registry import RECIPES, RECIPES_OF_TASKS

STUDIES = [annotated(heart(), f"p{i}", group="DCM" if i % 2 else "NOR") for i in range(4)]


@pytest.mark.parametrize("name", TASKS)
def test_every_row_has_recipes_of_its_kind_and_models_that_are_known(name: str) -> None:
    task = TASKS[name]
    kind = "segment" if task.by_measurements else task.task
    assert set(task.recipes) <= set(MODELS)
    trained = {recipe for model, recipe in task.recipes.items() if recipe and model != "shipped"}
    assert trained <= set(RECIPES_OF_TASKS[kind])
    assert task.recipes.get("shipped", "cinema-sax") in embedded_names()
    assert task.run in TASKS and task.measures
    # Of the networks, only these can start from an autoencoder.
    assert "cinema" not in task.recipes or RECIPES[task.recipes["cinema"]]().architecture in ("conv_unetr", "conv_vit")


def test_pre_training_and_scratch_have_the_same_network() -> None:
    for task in TASKS.values():
        assert task.recipes.get("cinema") == task.recipes.get("cinema-scratch")


def test_names_are_taken_in_the_order_of_the_table() -> None:
    assert choose(["disease", "segment-sax"], TASKS, "task") == ["segment-sax", "disease"]
    assert choose(None, TASKS, "task") == list(TASKS)
    with pytest.raises(UsageError, match="did you mean 'disease'"):
        choose(["diseas"], TASKS, "task")
    with pytest.raises(UsageError, match="unknown task"):
        find_task("paint")


def test_studies_fit_that_tell_what_is_asked() -> None:
    bare = replace(STUDIES[0], labels={}, labelled_frames={}, facts={})
    outlined = replace(STUDIES[1], labels={View.SAX: replace(STUDIES[1].labels[View.SAX], drawn=("lv",))})
    assert fitting(TASKS["segment-sax"], [*STUDIES, bare, outlined]) == STUDIES
    assert fitting(TASKS["segment-scar"], STUDIES) == []
    assert fitting(TASKS["disease"], [*STUDIES, bare]) == STUDIES
    assert fitting(TASKS["lvef"], [*STUDIES, bare]) == STUDIES
    assert fitting(TASKS["vendor"], STUDIES) == []
    plane = replace(STUDIES[0].study.cine(View.SAX), view=View.LAX_4C)
    seen = replace(
        STUDIES[0],
        study=replace(STUDIES[0].study, cines=(plane,)),
        labels={View.LAX_4C: STUDIES[0].labels[View.SAX]},
        labelled_frames={View.LAX_4C: (0,)},
    )
    assert fitting(TASKS["segment-lax"], [*STUDIES, bare, seen]) == [seen]
    points = long_axis()
    (one,) = points.study.cines
    other = replace(
        points,
        study=replace(points.study, cines=(replace(one, view=View.LAX_3C),)),
        landmarks={View.LAX_3C: points.landmarks[View.LAX_4C]},
    )
    assert fitting(TASKS["landmark-heatmap"], [*STUDIES, points, other]) == [points]
    both = replace(points, landmarks={**points.landmarks, **other.landmarks})
    (used,) = fitting(TASKS["landmark-heatmap"], [both])
    assert list(used.landmarks) == [View.LAX_4C], "all models learn and are scored by the same views"


def test_partly_drawn_studies_fit_where_none_is_drawn_whole() -> None:
    whole = STUDIES[0]
    cavity = replace(whole.labels[View.SAX], drawn=("lv",))
    partly = replace(whole, labels={View.SAX: cavity}, facts={**whole.facts, "lv_ef_percent": 55.0})
    fit = {name for name, task in TASKS.items() if fitting(task, [partly], in_part=True)}
    assert {"segment-sax", "lvef-segment"} <= fit and not {"rvef-segment", "lvef-measured"} & fit
    assert not fitting(TASKS["segment-sax"], [partly])


def test_what_is_missing_is_said() -> None:
    task = TASKS["disease"]
    assert why_not(task, STUDIES, STUDIES[:2]) is None
    assert why_not(task, STUDIES, STUDIES[:1]) == "held-out patients with group: 1; at least 2 are needed"
    assert why_not(task, STUDIES[::2], STUDIES) == "all training patients have the same group"
    assert "scheme 'scar'" in str(why_not(TASKS["segment-scar"], [], []))


def test_a_measure_takes_sizes_where_it_is_an_error() -> None:
    patient = PatientValues(patient="p", values={"difference": -3.0, "gone": float("nan")})
    assert Measure(key="difference", title="", absolute=True).of(patient) == 3.0
    assert Measure(key="difference", title="").of(patient) == -3.0
    assert np.isnan(Measure(key="gone", title="").of(patient))
