"""Datasets by name, as used in `--data NAME:FOLDER`. To add one, write its file and add it to `_FILES`."""

from __future__ import annotations

from cinema_cmr.core.errors import unknown_name
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.datasets.readers import (
    acdc,
    emidec,
    folder,
    kaggle,
    landmark,
    mnms,
    mnms2,
    myops,
    rescan,
    results,
    sunnybrook,
    ukb,
)

__all__ = ["DATASETS", "Dataset", "get_dataset"]

_FILES = (acdc, mnms, mnms2, kaggle, rescan, landmark, emidec, myops, ukb, sunnybrook, folder, results)

DATASETS: dict[str, Dataset] = {
    dataset.card.name: dataset for dataset in (*(file.DATASET for file in _FILES), results.DATASET_ALL)
}


def get_dataset(name: str) -> Dataset:
    """Return the dataset with this name; raises `UsageError` with the nearest known name."""
    if name not in DATASETS:
        raise unknown_name("dataset", name, DATASETS)
    return DATASETS[name]
