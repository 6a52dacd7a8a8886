"""The contract of every dataset: a card with a licence, and the two functions that find and read its cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.datasets.registry import DATASETS, dataset_of


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_tells_what_it_is_and_under_which_condition(name: str) -> None:
    card = dataset_of(name).card
    assert card.name == name and all((card.title, card.licence, card.how_to_get, card.derived_licence))


@pytest.mark.parametrize("name", DATASETS)
def test_an_empty_folder_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="expected"):
        dataset_of(name).list_cases(tmp_path)


@pytest.mark.parametrize("name", [name for name, dataset in DATASETS.items() if dataset.split])
def test_a_kept_split_is_the_dataset_s_own(name: str) -> None:
    split = DATASETS[name].split
    assert split is not None and split().dataset == name


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'acdc'"):
        dataset_of("acdcc")
