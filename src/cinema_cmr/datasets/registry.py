"""The datasets by name: what `--data NAME` is turned into. To add one: its file, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cinema_cmr.core.errors import unknown_name
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard, Split
from cinema_cmr.datasets import acdc, emidec, folder, sunnybrook

__all__ = ["DATASETS", "Dataset", "dataset_of"]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """How a dataset is found and read, and the split that all runs of ours share."""

    card: DatasetCard
    list_cases: Callable[[Path], list[Case]]
    read_case: Callable[[Case], AnnotatedStudy]
    split: Callable[[], Split] | None = None
    """None where no split is kept with the package: draw one and write it to the run's folder."""


DATASETS: dict[str, Dataset] = {
    "acdc": Dataset(card=acdc.CARD, list_cases=acdc.list_cases, read_case=acdc.read_case, split=acdc.our_split),
    "emidec": Dataset(
        card=emidec.CARD, list_cases=emidec.list_cases, read_case=emidec.read_case, split=emidec.our_split
    ),
    "sunnybrook": Dataset(card=sunnybrook.CARD, list_cases=sunnybrook.list_cases, read_case=sunnybrook.read_case),
    "folder": Dataset(card=folder.CARD, list_cases=folder.list_cases, read_case=folder.read_case),
}


def dataset_of(name: str) -> Dataset:
    """The dataset of this name; raises `UsageError` with the nearest known one."""
    if name not in DATASETS:
        raise unknown_name("dataset", name, DATASETS)
    return DATASETS[name]
