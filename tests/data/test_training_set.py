"""Training data: two parts without a shared patient, and a division of a store by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from oracles import annotated, heart
from stored_hearts import stored_heart

from cinema_cmr.core.errors import InputError, UnknownNameError, UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy, DatasetCard, Split
from cinema_cmr.data.training_set import TrainingData, join_training_data, split_by_name

CARD = DatasetCard(name="hearts", title="Synthetic hearts", licence="CC0", citation="", how_to_get="")
SPLIT = Split(dataset="hearts", parts={"train": ("a",), "validation": ("b",)}, rule="by hand")


def test_parts_that_share_a_patient_and_an_empty_part_are_refused() -> None:
    one, two = (annotated(heart((radius,)), f"heart {radius}") for radius in (10.0, 12.0))
    data = TrainingData(card=CARD, split=SPLIT, train=[one], val=[two])
    assert data.sha256 != TrainingData(card=CARD, split=SPLIT, train=[two], val=[one]).sha256
    with pytest.raises(InputError, match="in both parts"):
        TrainingData(card=CARD, split=SPLIT, train=[one, two], val=[two])
    with pytest.raises(InputError, match="no study to train on"):
        TrainingData(card=CARD, split=SPLIT, train=[], val=[two])


def test_a_fraction_is_held_out_by_name(tmp_path: Path) -> None:
    studies = [stored_heart(tmp_path, f"s{n}", views=[View.LAX_4C], n_frames=1, seed=n) for n in range(40)]
    learn, held = split_by_name(studies)
    assert len(held) == 2 and len(learn) == 38
    again, other = split_by_name(studies[::-1])
    assert {s.name for s in other} == {s.name for s in held} and {s.name for s in again} == {s.name for s in learn}
    assert [len(part) for part in split_by_name(studies[:1])] == [1, 0]
    assert [len(part) for part in split_by_name(studies[:2])] == [1, 1]


def part(name: str, *patients: str) -> TrainingData[AnnotatedStudy]:
    studies = [annotated(heart((12.0,)), patient) for patient in patients]
    card = replace(CARD, name=name, title=name.upper(), derived_licence=f"terms of {name}")
    split = Split(dataset=name, parts={"train": patients[:-1], "validation": patients[-1:]}, rule="by hand")
    return TrainingData(card=card, split=split, train=studies[:-1], val=studies[-1:])


def test_joined_data_has_the_studies_and_the_conditions_of_all() -> None:
    joined = join_training_data([part("one", "a", "b"), part("two", "c", "d", "e")], times={"one": 3})
    assert [study.patient for study in joined.train] == ["a", "c", "d"] and list(joined.times) == [3, 1, 1]
    assert [study.patient for study in joined.val] == ["b", "e"]
    assert joined.card.derived_licence == "one: terms of one; two: terms of two" and joined.card.title == "ONE; TWO"
    assert joined.split.parts == {"train": ("a", "c", "d"), "validation": ("b", "e")}
    assert joined.split.dataset == joined.card.name == "one+two"


def test_one_part_is_itself_and_what_does_not_fit_is_refused() -> None:
    one = part("one", "a", "b")
    assert join_training_data([one]) is one
    with pytest.raises(UnknownNameError, match="did you mean 'one'"):
        join_training_data([one], times={"on": 2})
    with pytest.raises(UsageError, match="expected 1 or more"):
        join_training_data([one], times={"one": 0})
    with pytest.raises(InputError, match="patient 'b' is in two data sets"):
        join_training_data([one, part("two", "b", "c")])


def test_a_folder_of_one_s_own_is_named_by_the_folder() -> None:
    lab = replace(part("folder", "a", "b"), source={"data": "folder:/data/lab"})
    folders = [lab, replace(part("folder", "c", "d"), source={"data": "/data/more"})]
    assert list(join_training_data(folders, times={"lab": 6}).times) == [6, 1]
    assert list(join_training_data(folders, times={"more": 2}).times) == [1, 2]
    with pytest.raises(UsageError, match="expected the name of one's folder: lab, more"):
        join_training_data(folders, times={"folder": 2})
