"""The datasets by name: what `--data NAME` is turned into. To add one: its file, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cinema_cmr.core.errors import unknown_name
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard, Split, official_split
from cinema_cmr.datasets import acdc, folder, mnms, sunnybrook

__all__ = ["DATASETS", "Dataset", "dataset_of"]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """How a dataset is found and read, and the split that all runs of ours share."""

    card: DatasetCard
    list_cases: Callable[[Path], list[Case]]
    read_case: Callable[[Case], AnnotatedStudy]
    split: Callable[[], Split] | None = None
    """None where no split is kept with the package."""

    def split_of(self, cases: Iterable[Case]) -> Split | None:
        """The split kept with the package, or the dataset's own; None: draw one and write it to the run's folder."""
        return self.split() if self.split is not None else official_split(self.card.name, cases)


DATASETS: dict[str, Dataset] = {
    "acdc": Dataset(card=acdc.CARD, list_cases=acdc.list_cases, read_case=acdc.read_case, split=acdc.our_split),
    "mnms": Dataset(card=mnms.CARD, list_cases=mnms.list_cases, read_case=mnms.read_case),
    "sunnybrook": Dataset(card=sunnybrook.CARD, list_cases=sunnybrook.list_cases, read_case=sunnybrook.read_case),
    "folder": Dataset(card=folder.CARD, list_cases=folder.list_cases, read_case=folder.read_case),
}


def dataset_of(name: str) -> Dataset:
    """The dataset of this name; raises `UsageError` with the nearest known one."""
    if name not in DATASETS:
        raise unknown_name("dataset", name, DATASETS)
    return DATASETS[name]
