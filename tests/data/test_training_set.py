"""Training data: two parts without a shared patient, and a division of a store by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracles import annotated, heart
from stored_hearts import stored_heart

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import DatasetCard, Split
from cinema_cmr.data.training_set import TrainingData, split_by_name

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
