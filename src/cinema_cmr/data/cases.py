"""Contents of a dataset: its card, cases, annotated studies, and splits by patient stored in a file."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cinema_cmr.core.annotation import LabelMap, Landmarks, SoftLabels
from cinema_cmr.core.errors import InputError, UnreadableFileError, UsageError
from cinema_cmr.core.study import Facts, Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.files.text import read_json
from cinema_cmr.io.atomic import write_text

__all__ = [
    "AnnotatedStudy",
    "Case",
    "DatasetCard",
    "Split",
    "official_split",
    "read_split",
    "stratified_split",
    "subset_patients",
    "write_split",
]


@dataclass(frozen=True, kw_only=True)
class DatasetCard:
    """Name, licence, source and size of a dataset."""

    name: str
    title: str
    licence: str
    citation: str
    how_to_get: str
    derived_licence: str = ""
    """Condition inherited by weights trained on it."""
    n_cases: int | None = None
    """Number of cases in the whole dataset according to its authors; None if not published."""
    checksums: Mapping[str, str] = field(default_factory=dict)
    """Downloaded file -> published hash in hexadecimal; empty if none is published."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One patient's examination in a dataset, by its files; nothing is read yet."""

    name: str
    patient: str
    """Splits keep all cases of a patient together."""
    folder: Path
    facts: Facts = field(default_factory=dict)
    """Group, phases and subject facts from the dataset's files; `part` if the dataset has an official split."""
    files: tuple[Path, ...] = ()
    """Files that it is read from; empty if these are all of `folder`."""
    masks: Mapping[Path, Path | None] = field(default_factory=dict)
    """Image -> its mask or None, if the listing pairs them."""
    label_codes: Mapping[int, int] = field(default_factory=dict)
    """Code in the masks -> our code, if the folder states it."""
    drawn: tuple[str, ...] = ()
    """Structures drawn in the masks, if not all; see `core.annotation.LabelMap`."""
    empty_slices_drawn: bool = True
    """Whether a slice of a labelled frame without any label was looked at and holds background alone."""
    problem: str | None = None
    """Reason that it is unreadable, if known from the listing: it is listed, and `read_case` raises."""

    def check(self) -> None:
        """Raise `InputError` if the case has a problem."""
        if self.problem is not None:
            raise InputError(f"{self.name}: {self.problem}")


@dataclass(frozen=True, kw_only=True)
class AnnotatedStudy:
    """A study with reference annotations."""

    study: Study
    patient: str
    labels: Mapping[View, LabelMap] = field(default_factory=dict)
    """On the grid of each cine; codes of `core.vocabulary`."""
    labelled_frames: Mapping[View, tuple[int, ...]] = field(default_factory=dict)
    """Frames with valid labels; the others are empty because they were not annotated."""
    frame_names: Mapping[View, tuple[str, ...]] = field(default_factory=dict)
    """Stem of the file of each labelled frame, if the dataset stores frames in files; see `data.frame_names`."""
    landmarks: Mapping[View, Landmarks] = field(default_factory=dict)
    soft_labels: Mapping[View, SoftLabels] = field(default_factory=dict)
    """A teacher's class probabilities, for training where nothing was drawn; never scored against."""
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Split:
    """Patients of each part of a dataset; written to a file once and then only read."""

    dataset: str
    parts: Mapping[str, tuple[str, ...]]
    """Part ("train", "validation", "test") -> patients, sorted."""
    rule: str
    """Description of how it was drawn."""

    @property
    def sha256(self) -> str:
        """Hash of the parts, to identify the split in a model card."""
        text = json.dumps({part: list(names) for part, names in sorted(self.parts.items())})
        return hashlib.sha256(text.encode()).hexdigest()

    def __getitem__(self, part: str) -> tuple[str, ...]:
        if part not in self.parts:
            raise UsageError(f"split of {self.dataset} has no part '{part}'; expected one of: {', '.join(self.parts)}")
        return self.parts[part]


def stratified_split(dataset: str, strata: Mapping[str, str], *, shares: Mapping[str, float], seed: int) -> Split:
    """Draw patients into parts so that each stratum (patient -> group) is divided by the same shares.

    Rounding errors are carried over from group to group, so that many small groups are divided evenly too. Patients are
    sorted before they are drawn, so that the order of the listing has no effect. Raises `UsageError` for shares that
    are negative or do not sum to one.
    """
    if min(shares.values(), default=0) < 0 or abs(sum(shares.values()) - 1) > 1e-9:
        raise UsageError(f"shares {dict(shares)}; expected shares of at least 0 that sum to 1: correct them")
    parts: dict[str, list[str]] = {part: [] for part in shares}
    cumulative = np.cumsum([0.0, *shares.values()])
    n_drawn, assigned = 0, np.zeros(len(cumulative), dtype=int)
    for number, group in enumerate(sorted(set(strata.values()))):
        names = sorted(patient for patient, own_group in strata.items() if own_group == group)
        order = np.random.default_rng((seed, number)).permutation(len(names))
        n_drawn += len(names)
        targets = np.round(cumulative * n_drawn).astype(int) - assigned
        bounds = np.clip(np.maximum.accumulate(targets), 0, len(names))
        assigned += bounds
        for part, first, last in zip(shares, bounds[:-1], bounds[1:], strict=True):
            parts[part] += [names[index] for index in order[first:last]]
    rule = f"by patient, stratified by group, shares {dict(shares)}, seed {seed}"
    return Split(dataset=dataset, parts={part: tuple(sorted(names)) for part, names in parts.items()}, rule=rule)


def subset_patients(strata: Mapping[str, str], *, n: int, seed: int) -> list[str]:
    """Draw `n` patients (of patient -> group) round-robin over the groups, so that small subsets cover all groups.

    For the same seed, larger subsets contain the smaller ones. Raises `UsageError` if there are fewer than `n`
    patients.
    """
    if not 1 <= n <= len(strata):
        raise UsageError(
            f"{n} patients requested; expected 1 to {len(strata)}, the patients available for training: choose fewer"
        )
    rng = np.random.default_rng((seed, 2))
    draws: list[tuple[int, int, str]] = []
    for place, group in enumerate(rng.permutation(sorted(set(strata.values())))):
        names = sorted(patient for patient, own_group in strata.items() if own_group == group)
        draws += [(round_, place, names[index]) for round_, index in enumerate(rng.permutation(len(names)))]
    return [patient for _, _, patient in sorted(draws)[:n]]


def official_split(dataset: str, cases: Iterable[Case]) -> Split | None:
    """Return the split defined by the `part` of each case; None if no case has one, or "unlabelled" is the only one.

    Raises `InputError` if a patient's cases are in two parts.
    """
    parts: dict[str, set[str]] = {}
    for case in cases:
        if "part" in case.facts:
            parts.setdefault(str(case.facts["part"]), set()).add(case.patient)
    if not parts.keys() - {"unlabelled"}:
        return None
    counts = Counter(patient for patients in parts.values() for patient in patients)
    repeated = sorted(patient for patient, n in counts.items() if n > 1)
    if repeated:
        raise InputError(
            f"patient {repeated[0]} of {dataset} is in two parts; expected one part per patient: unpack the dataset"
            " again"
        )
    divided = {part: tuple(sorted(patients)) for part, patients in parts.items()}
    return Split(dataset=dataset, parts=divided, rule="official, by the dataset's folders or numbers")


def write_split(split: Split, path: Path) -> None:
    """Write a split with its hash as JSON, atomically."""
    content = {
        "dataset": split.dataset,
        "rule": split.rule,
        "sha256": split.sha256,
        "parts": {part: list(names) for part, names in split.parts.items()},
    }
    write_text(path, json.dumps(content, indent=1) + "\n", overwrite=True)


def read_split(path: Path, *, patients: Iterable[str] | None = None) -> Split:
    """Read a split from a file.

    Raises `UnreadableFileError` for an invalid file, `InputError` if its hash does not match, if a patient is in two
    parts, or if one is not in `patients`.
    """
    split, written_hash = _parse_split(path)
    parts = split.parts
    if split.sha256 != written_hash:
        raise InputError(f"split file '{path.name}' does not match its hash; expected an unmodified file: restore it")
    listed: Sequence[str] = [name for names in parts.values() for name in names]
    if len(set(listed)) != len(listed):
        raise InputError(f"split file '{path.name}' has a patient in two parts; expected each once: restore it")
    missing = set(listed) - set(patients) if patients is not None else set()
    if missing:
        raise InputError(
            f"{len(missing)} patients of split '{path.name}' are not in the data ({sorted(missing)[:5]}); expected the"
            " dataset the split was made for: check the path"
        )
    return split


def _parse_split(path: Path) -> tuple[Split, str]:
    """Return the split in the file, and the hash stored with it."""
    try:
        content: Any = read_json(path)
        parts = {part: tuple(names) for part, names in content["parts"].items()}
        return Split(dataset=content["dataset"], parts=parts, rule=content["rule"]), content["sha256"]
    except (OSError, UnreadableFileError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableFileError(
            f"'{path.name}' is not a split file ({type(error).__name__}); expected JSON with"
            " dataset, rule, sha256 and parts: restore it"
        ) from error
