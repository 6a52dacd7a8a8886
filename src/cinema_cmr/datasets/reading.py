"""Labelled studies from `NAME:FOLDER`: the cases of a dataset, its split, and the studies of chosen patients."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cinema_cmr.core.errors import CinemaError, InputError, UsageError
from cinema_cmr.data.cases import AnnotatedStudy, Case, Split, read_split, subset_patients, write_split
from cinema_cmr.data.label_check import label_remarks, summarise_labels
from cinema_cmr.data.seen_frames import RepeatedImages
from cinema_cmr.data.training_set import TrainingData
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.datasets.label_statement import LABELS_FILE, LabelStatement, read_label_statement
from cinema_cmr.datasets.readers.results import holds_results_alone
from cinema_cmr.datasets.registry import dataset_names, get_dataset

__all__ = [
    "SPLIT_FILE",
    "LabelledSource",
    "Note",
    "find_cases",
    "find_split",
    "ignore_note",
    "open_training_data",
    "read_cases",
    "read_patients",
    "write_run_split",
]

_N_PHASES = 2
"""Frames of a study that holds ED and ES alone."""

SPLIT_FILE = "split.json"
"""The split of a run, in its folder."""

Note = Callable[[str], None]


def ignore_note(text: str) -> None:
    """Drop a message."""


@dataclass(frozen=True, kw_only=True)
class LabelledSource:
    """Where labelled studies come from, and which of them a run takes."""

    data: str
    """NAME:FOLDER of a dataset, or a folder of images with masks."""
    split: Path | None = None
    """Split file; None for the run's own, else the dataset's, else one that is drawn."""
    n_train: int | None = None
    """Train on at most this many patients, drawn round-robin over the groups; None takes all."""
    seed: int = 0
    """Seed of that draw."""
    val_part: str = "validation"
    """Part of the split that is held out."""
    labelled_only: bool = True
    """Leave out studies without masks and landmarks."""
    codes: Sequence[str] = ()
    """Codes of the label maps of a folder, e.g. "1=lv"; empty for those of its labels.json, or ours."""
    cycles: bool = False
    """Add the whole cycles of training patients, without labels, where the dataset has them."""


def open_training_data(
    source: LabelledSource, folder: Path | None = None, *, note: Note = ignore_note
) -> TrainingData[AnnotatedStudy]:
    """Read the studies of both parts; `note` receives a message for each study that is left out.

    The split is written to the run's `folder`, where evaluation finds it beside the model, and read from there when
    the run is resumed. Raises `UsageError` if the folder holds another split than the one given.
    """
    dataset, cases = find_cases(source.data, codes=source.codes, note=note)
    split = _split_of_run(source.split, dataset, cases, folder, note)
    patients = split["train"]
    if source.n_train is not None:
        groups = {case.patient: str(case.facts.get("group", "all")) for case in cases if case.patient in patients}
        patients = tuple(subset_patients(groups, n=source.n_train, seed=source.seed))

    repeated = RepeatedImages()

    def read(chosen: Sequence[str]) -> list[AnnotatedStudy]:
        return read_patients(dataset, cases, chosen, note=note, labelled_only=source.labelled_only, repeated=repeated)

    data = TrainingData(
        card=dataset.card,
        split=split,
        train=[*read(patients), *(_read_cycles(dataset, cases, patients, note) if source.cycles else ())],
        val=read(split[source.val_part]),
        source={
            "data": source.data,
            "n_train": source.n_train,
            **({"codes": list(source.codes)} if source.codes else {}),
        },
    )
    if folder is not None:
        write_run_split(split, folder)
    return data


def write_run_split(split: Split, folder: Path) -> None:
    """Write a run's split into its folder; raises `UsageError` if that holds another one."""
    path = folder / SPLIT_FILE
    if path.exists() and read_split(path).sha256 != split.sha256:
        raise UsageError(f"the run has a {SPLIT_FILE} that differs from its data's; give another -o")
    if not path.exists():
        write_split(split, path)


def _read_cycles(
    dataset: Dataset, cases: Sequence[Case], patients: Sequence[str], note: Note
) -> Iterator[AnnotatedStudy]:
    """Yield the whole cycles of these patients, without labels, if they have more frames than the labelled ones."""
    for case in cases if dataset.read_cycle is not None else ():
        if case.patient not in patients or case.problem is not None:
            continue
        study = dataset.study(case)
        if max(cine.n_frames for cine in study.cines) > _N_PHASES:
            yield AnnotatedStudy(study=replace(study, name=f"{study.name} cycle"), patient=case.patient)
        else:
            note(f"no whole cycle of {case.name} was found")


def find_cases(data: str, *, codes: Sequence[str] = (), note: Note = ignore_note) -> tuple[Dataset, list[Case]]:
    """Return the dataset that `NAME:FOLDER`, or a folder alone, names, and its cases.

    A folder alone is one of the user's own, or of results of `cinema analyse`.

    `codes` such as "1=lv" are those of the label maps of a folder of one's own; `note` receives the dataset's remarks
    on files that are not used. Raises `UsageError` for an unknown name, and for codes of a dataset whose codes are
    known; `InputError` for a folder that does not exist or holds no case.
    """
    name, colon, root = data.partition(":")
    if not colon or (name not in dataset_names() and Path(data).exists()):
        name, root = "results" if holds_results_alone(Path(data)) else "folder", data
    dataset = get_dataset(name)
    if not Path(root).is_dir():
        raise InputError(f"'{Path(root).name}' is no folder; expected the folder of the dataset '{name}'")
    cases = dataset.list_cases(Path(root))
    for remark in dataset.remarks(Path(root)) if dataset.remarks is not None else ():
        note(remark)
    return dataset, _with_codes(dataset, cases, Path(root), codes) if codes else cases


def _with_codes(dataset: Dataset, cases: Sequence[Case], root: Path, codes: Sequence[str]) -> list[Case]:
    if dataset.card.name != "folder":
        raise UsageError(
            f"--codes with the dataset '{dataset.card.name}', whose codes are known; expected them for a folder of"
            " one's own: leave them out"
        )

    def stated(case: Case) -> LabelStatement:
        own = (case.folder / LABELS_FILE).exists()
        return read_label_statement(case.folder if own else root).with_codes(codes)

    given = ((case, stated(case)) for case in cases)
    return [replace(case, label_codes=one.file_codes, drawn=one.structures) for case, one in given]


def find_split(file: Path | str | None, dataset: Dataset, cases: Sequence[Case], *, note: Note = ignore_note) -> Split:
    """Return the split of a file, or the dataset's own with the parts it lacks drawn.

    Of a dataset's own split the patients that are in the data are taken; where training or validation would be empty,
    a split is drawn. `note` receives how many are not there. Raises `InputError` if a patient of the file's is not in
    the data.
    """
    known = {case.patient for case in cases}
    if file:
        return read_split(Path(file), patients=known)
    split = dataset.training_split(cases)
    missing = {name for names in split.parts.values() for name in names} - known
    return split if not missing else _split_of_subset(split, dataset, cases, note)


def _split_of_subset(split: Split, dataset: Dataset, cases: Sequence[Case], note: Note) -> Split:
    known = {case.patient for case in cases}
    parts = {part: tuple(name for name in names if name in known) for part, names in split.parts.items()}
    n_there, n_all = (sum(map(len, each.values())) for each in (parts, split.parts))
    about = f"{n_there} of {n_all} patients of the split of '{dataset.card.name}' are in the data"
    if all(parts.get(part) for part in ("train", "validation")):
        note(f"{about}: they are used, each in its part")
        return Split(dataset=split.dataset, parts=parts, rule=f"{split.rule}; of these {n_there} of {n_all} patients")
    note(f"{about}, none of them in one of its parts: training and validation are drawn from those that are there")
    return dataset.draw_split(cases)


def read_cases(
    dataset: Dataset,
    cases: Sequence[Case],
    patients: Collection[str],
    *,
    note: Note = ignore_note,
    labelled_only: bool = True,
    repeated: RepeatedImages | None = None,
) -> Iterator[AnnotatedStudy]:
    """Yield the studies of these patients; `note` receives what may be wrong with each, or why it is left out.

    `repeated`: the images of the studies that were read before these.
    """
    repeated = repeated or RepeatedImages()
    for case in cases:
        if case.patient not in patients:
            continue
        try:
            annotated = dataset.read_case(case)
        except CinemaError as error:
            note(f"left out: {case.name}: {error}")
            continue
        if annotated.labels or annotated.landmarks or not labelled_only:
            for remark in filter(None, (*label_remarks(summarise_labels(annotated)), repeated.remark(annotated))):
                note(f"check: {case.name}: {remark}")
            yield annotated
        else:
            note(f"left out: {case.name}: it has no masks and no landmarks")


def read_patients(
    dataset: Dataset,
    cases: Sequence[Case],
    patients: Sequence[str],
    *,
    note: Note = ignore_note,
    labelled_only: bool = True,
    repeated: RepeatedImages | None = None,
) -> list[AnnotatedStudy]:
    """Return all studies of these patients in their order, chosen as by `read_cases`."""
    studies = read_cases(dataset, cases, patients, note=note, labelled_only=labelled_only, repeated=repeated)
    order = {patient: place for place, patient in enumerate(patients)}
    return sorted(studies, key=lambda annotated: order[annotated.patient])


def _split_of_run(file: Path | None, dataset: Dataset, cases: Sequence[Case], folder: Path | None, note: Note) -> Split:
    """Return the split file given, the run's own, or the dataset's with the parts it lacks drawn.

    `note` receives the number of patients that the run's own split does not name: they are not used, as a split is
    never redrawn.
    """
    own = None if folder is None else folder / SPLIT_FILE
    kept = find_split(own, dataset, cases) if own is not None and own.exists() else None
    if file is not None or kept is None:
        split = find_split(file, dataset, cases, note=note)
        if kept is not None and kept.sha256 != split.sha256:
            raise UsageError(f"the run has a {SPLIT_FILE} that differs from --split; give another -o, or leave it out")
        return split
    _note_new_patients(kept, cases, note)
    return kept


def _note_new_patients(split: Split, cases: Sequence[Case], note: Note) -> None:
    named = {patient for patients in split.parts.values() for patient in patients}
    new = {case.patient for case in cases if case.facts.get("part") != "unlabelled"} - named
    if new:
        note(
            f"{len(new)} patients, e.g. {min(new)}, are in no part of this run's {SPLIT_FILE} and not used; to draw"
            " a split anew give another -o"
        )
