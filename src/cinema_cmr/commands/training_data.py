"""Which labelled studies a command learns from or is scored on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.core.errors import CinemaError, InputError, UsageError

__all__ = ["add_data_options", "read_part", "read_training_data"]


def add_data_options(parser: ArgumentParser) -> None:
    """Where the data is and how it is divided."""
    parser.add_argument(
        "--data",
        required=True,
        help="acdc:FOLDER, emidec:FOLDER, or a folder of images with masks beside them (NAME_seg.nii.gz)",
    )
    parser.add_argument("--split", help="a split file (JSON) instead of the dataset's own or one drawn anew")


def read_training_data(given: Namespace, console: Console) -> Any:
    """The studies of both parts of the split; with --n only the first so many patients of "train"."""
    from cinema_cmr.recipes.finetune import TrainingData

    dataset, cases = _cases(given.data)
    split = _split(given, dataset, cases, Path(given.output))
    learn = split["train"] if given.n is None else split["train"][: given.n]
    return TrainingData(
        card=dataset.card,
        split=split,
        learn=_read(dataset, cases, learn, console),
        validate=_read(dataset, cases, split["validation"], console),
    )


def read_part(given: Namespace, console: Console) -> Any:
    """The studies of one part of a dataset, or of all of it where `--part all` is given."""
    dataset, cases = _cases(given.data)
    if given.part == "all":
        patients = sorted({case.patient for case in cases})
    else:
        patients = list(_split(given, dataset, cases, None)[given.part])
    return _read(dataset, cases, patients, console)


def _cases(data: str) -> tuple[Any, list[Any]]:
    from cinema_cmr.datasets.registry import DATASETS, dataset_of

    name, colon, root = data.partition(":")
    if not colon or (name not in DATASETS and Path(data).exists()):
        name, root = "folder", data
    dataset = dataset_of(name)
    if not Path(root).is_dir():
        raise InputError(f"'{Path(root).name}' is no folder; expected the folder of the dataset '{name}'")
    return dataset, dataset.list_cases(Path(root))


def _split(given: Namespace, dataset: Any, cases: list[Any], output: Path | None) -> Any:
    """The split file given, the run's own, the dataset's, or one drawn now and kept in the run's folder."""
    from cinema_cmr.data.cases import read_split, stratified_split, write_split

    known = {case.patient for case in cases}
    if given.split:
        return read_split(Path(given.split), known=known)
    if dataset.split is not None:
        split = dataset.split()
        missing = {name for names in split.parts.values() for name in names} - known
        if missing:
            raise InputError(f"{len(missing)} patients of the split are not in the data, e.g. {sorted(missing)[0]}")
        return split
    if output is None:
        raise UsageError("this dataset has no split of its own; give --split FILE, or --part all")
    path = output / "split.json"
    if not path.exists():
        strata = {case.patient: str(case.facts.get("group", "all")) for case in cases}
        write_split(stratified_split(dataset.card.name, strata, shares={"train": 0.8, "validation": 0.2}, seed=0), path)
    return read_split(path, known=known)


def _read(dataset: Any, cases: list[Any], patients: Any, console: Console) -> list[Any]:
    """Every readable case of these patients; what cannot be read is told and left out."""
    read = []
    for case in cases:
        if case.patient not in patients:
            continue
        try:
            read.append(dataset.read_case(case))
        except CinemaError as error:
            console.note(f"left out: {case.name}: {error}")
    return sorted(read, key=lambda annotated: list(patients).index(annotated.patient))
