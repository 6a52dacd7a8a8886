"""How patients are divided: by the dataset's own parts first, by a draw that repeats where it makes none."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard
from cinema_cmr.datasets.dataset import Dataset


def refuse(case: Case) -> AnnotatedStudy:
    raise AssertionError(f"{case.name} was read")


def dataset(**settings: object) -> Dataset:
    card = DatasetCard(name="d", title="", licence="", citation="", how_to_get="")
    return Dataset(card=card, list_cases=lambda root: [], read_case=refuse, **settings)  # type: ignore[arg-type]


def cases(n: int, part: str | None = None, first: int = 0) -> list[Case]:
    facts = {} if part is None else {"part": part}
    return [
        Case(name=f"p{k}", patient=f"p{k}", folder=Path(), facts={**facts, "group": "AB"[k % 2]})
        for k in range(first, first + n)
    ]


def test_a_dataset_without_parts_is_divided_by_its_shares_within_each_group() -> None:
    split = dataset(shares={"train": 0.6, "validation": 0.2, "test": 0.2}).training_split(cases(20))
    assert [len(split[part]) for part in ("train", "validation", "test")] == [12, 4, 4]
    assert sum(int(name[1:]) % 2 for name in split["test"]) == 2
    assert dataset().predefined_split(cases(20)) is None


def test_an_official_split_without_validation_gets_one_from_its_training_part() -> None:
    there = [*cases(20, "train"), *cases(5, "test", first=20)]
    split = dataset().training_split(there)
    assert [len(split[part]) for part in ("train", "validation", "test")] == [16, 4, 5]
    assert set(split["train"]) | set(split["validation"]) == {case.patient for case in there[:20]}
    assert "official" in split.rule and "train divided by patient" in split.rule
    assert dataset().patients(there, "train") == tuple(sorted(case.patient for case in there[:20]))


def test_an_official_split_with_validation_stays_as_it_is() -> None:
    there = [*cases(4, "train"), *cases(2, "validation", first=4)]
    assert dataset().training_split(there) == dataset().predefined_split(there)


def test_unlabelled_cases_are_in_no_drawn_part() -> None:
    there = [*cases(10), *cases(5, "unlabelled", first=10)]
    split = dataset().training_split(there)
    assert sorted([*split["train"], *split["validation"]]) == sorted(case.patient for case in there[:10])


def test_a_part_that_is_not_predefined_is_refused() -> None:
    with pytest.raises(UsageError, match="it has no split of its own; pass --split FILE"):
        dataset().patients(cases(3), "test")
    with pytest.raises(UsageError, match="expected one of: train; pass --split FILE"):
        dataset().patients(cases(3, "train"), "validation")
