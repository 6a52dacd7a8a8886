"""Which labelled studies a command learns from or is scored on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.core.errors import CinemaError, InputError, UsageError

__all__ = ["add_data_options", "find_cases", "find_split", "read_each", "read_patients", "read_training_data"]


def add_data_options(parser: ArgumentParser, *, otherwise: str = "the dataset's own or one drawn anew") -> None:
    """Where the data is and how it is divided; `otherwise` says which split it is where none is given."""
    parser.add_argument(
        "--data",
        required=True,
        help="NAME:FOLDER of a dataset (see `cinema datasets`), or a folder of images with masks (NAME_seg.nii.gz)",
    )
    parser.add_argument("--split", help=f"a split file (JSON) instead of {otherwise}")


def read_training_data(
    given: Namespace, console: Console, *, drawn_only: bool = True, held_out: str = "validation"
) -> Any:
    """The studies of "train" and of the held-out part; with --n only so many patients of "train", groups in turn.

    With `drawn_only`, studies that nobody drew on are left out and told. The split is kept in the run's folder,
    where `cinema evaluate` finds it beside the model.
    """
    from cinema_cmr.data.cases import subset_patients, write_split
    from cinema_cmr.recipes.finetune import TrainingData

    dataset, cases = find_cases(given.data, console)
    path = Path(given.output) / "split.json"
    split = _split(given, dataset, cases, path, console)
    learn = split["train"]
    if given.get("n") is not None:
        groups = {case.patient: str(case.facts.get("group", "all")) for case in cases if case.patient in learn}
        learn = tuple(subset_patients(groups, n=given.n, seed=given.seed))
    data = TrainingData(
        card=dataset.card,
        split=split,
        learn=read_patients(dataset, cases, learn, console, drawn_only=drawn_only),
        validate=read_patients(dataset, cases, split[held_out], console, drawn_only=drawn_only),
    )
    if not path.exists():
        write_split(split, path)
    return data


def find_cases(data: str, console: Console | None = None) -> tuple[Any, list[Any]]:
    """The dataset that `NAME:FOLDER`, or a folder alone, speaks of, and its cases.

    What of the folder counts for nothing is told on the console. Raises `UsageError` for an unknown name, `InputError`
    for a folder that is not there or holds no case.
    """
    from cinema_cmr.datasets.registry import DATASETS, get_dataset

    name, colon, root = data.partition(":")
    if not colon or (name not in DATASETS and Path(data).exists()):
        name, root = "folder", data
    dataset = get_dataset(name)
    if not Path(root).is_dir():
        raise InputError(f"'{Path(root).name}' is no folder; expected the folder of the dataset '{name}'")
    cases = dataset.list_cases(Path(root))
    if console is not None and dataset.remarks is not None:
        for remark in dataset.remarks(Path(root)):
            console.note(remark)
    return dataset, cases


def find_split(file: str | None, dataset: Any, cases: list[Any]) -> Any:
    """The split of the file given, or the dataset's with what it lacks drawn now; its patients are in the data.

    Raises `InputError` where one is not.
    """
    from cinema_cmr.data.cases import read_split

    known = {case.patient for case in cases}
    if file:
        return read_split(Path(file), patients=known)
    split = dataset.training_split(cases)
    missing = {name for names in split.parts.values() for name in names} - known
    if missing:
        raise InputError(f"{len(missing)} patients of the split are not in the data, e.g. {sorted(missing)[0]}")
    return split


def _split(given: Namespace, dataset: Any, cases: list[Any], own: Path, console: Console) -> Any:
    """The split file given, the run's own, or the dataset's with what it lacks drawn now.

    Patients who came after the run's own was drawn are told: they would be learned from by nobody's decision. Raises
    `UsageError` where the run was made with another split than the one given.
    """
    kept = find_split(str(own), dataset, cases) if own.exists() else None
    if given.split or kept is None:
        split = find_split(given.split, dataset, cases)
        if kept is not None and kept.sha256 != split.sha256:
            raise UsageError(f"'{given.output}' has a {own.name} of its own, another than --split; give another -o")
        return split
    named = {patient for patients in kept.parts.values() for patient in patients}
    new = {case.patient for case in cases if case.facts.get("part") != "unlabelled"} - named
    if new:
        console.note(
            f"{len(new)} patients, e.g. {min(new)}, are in no part of this run's {own.name} and not used; to draw"
            " a split anew give another -o"
        )
    return kept


def read_each(
    dataset: Any, cases: list[Any], patients: Any, console: Console, *, drawn_only: bool = True
) -> Iterator[Any]:
    """Case by case of these patients, or those that somebody drew on; what is left out is told."""
    for case in cases:
        if case.patient not in patients:
            continue
        try:
            annotated = dataset.read_case(case)
        except CinemaError as error:
            console.note(f"left out: {case.name}: {error}")
            continue
        if annotated.labels or annotated.landmarks or not drawn_only:
            yield annotated
        else:
            console.note(f"left out: {case.name}: nobody drew on it")


def read_patients(
    dataset: Any, cases: list[Any], patients: Sequence[str], console: Console, *, drawn_only: bool = True
) -> list[Any]:
    """All studies of these patients in their order, as `read_each` gives them."""
    read = read_each(dataset, cases, patients, console, drawn_only=drawn_only)
    return sorted(read, key=lambda annotated: list(patients).index(annotated.patient))
