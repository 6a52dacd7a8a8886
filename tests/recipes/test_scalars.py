"""Another question for a recipe: a number by its name, classes as the data has them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from oracles import annotated, heart

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.recipes.landmarks import lax_unet
from cinema_cmr.recipes.scalars import disease_vit, ef_vit, with_target
from cinema_cmr.tasks.scalar import ScalarConfig

STUDIES = [replace(annotated(heart(), f"p{i}"), facts={"sex": sex, "smoker": i % 2}) for i, sex in enumerate("FMF")]


def test_a_number_is_asked_by_its_name() -> None:
    asked = with_target(ef_vit(), "bmi", STUDIES)
    assert isinstance(asked.task, ScalarConfig) and asked.task.target == "bmi" and asked.network.out_chans == 1


def test_classes_are_those_of_the_data() -> None:
    asked = with_target(disease_vit(), "sex", STUDIES)
    assert isinstance(asked.task, ScalarConfig) and asked.task.classes == ("F", "M")
    assert asked.network.out_chans == 2
    numbered = with_target(disease_vit(), "smoker", STUDIES).task
    assert isinstance(numbered, ScalarConfig) and numbered.classes == ("0", "1")


def test_what_cannot_be_asked_is_said() -> None:
    with pytest.raises(InputError, match="expected two or more classes"):
        with_target(disease_vit(), "group", STUDIES)
    with pytest.raises(UsageError, match="has no single target"):
        with_target(lax_unet(), "bmi", STUDIES)
