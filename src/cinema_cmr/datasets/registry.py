"""Datasets by name, as used in `--data NAME:FOLDER`. To add one, write its file and add it to `_FILES`; in a
package of one's own, an entry point of the group `cinema_cmr.datasets` that names its `Dataset`."""

from __future__ import annotations

from cinema_cmr.core.errors import unknown_name
from cinema_cmr.core.plugins import load_plugin, plugin_names
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

__all__ = ["DATASETS", "Dataset", "dataset_names", "get_dataset"]

_FILES = (acdc, mnms, mnms2, kaggle, rescan, landmark, emidec, myops, ukb, sunnybrook, folder, results)

DATASETS: dict[str, Dataset] = {
    dataset.card.name: dataset for dataset in (*(file.DATASET for file in _FILES), results.DATASET_ALL)
}


def get_dataset(name: str) -> Dataset:
    """Return the dataset with this name; raises `UsageError` with the nearest known name."""
    if name not in DATASETS:
        found = load_plugin("datasets", name, Dataset)
        if found is None:
            raise unknown_name("dataset", name, dataset_names())
        return found
    return DATASETS[name]


def dataset_names() -> tuple[str, ...]:
    """Return the names of all datasets, those of other installed packages last."""
    return (*DATASETS, *(name for name in plugin_names("datasets") if name not in DATASETS))
