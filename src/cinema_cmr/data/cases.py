"""What a dataset is made of: its card, cases, annotated studies, and splits by patient kept in a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.errors import InputError, UnreadableFileError, UsageError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
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
    """What a user must know of a dataset before touching it."""

    name: str
    title: str
    licence: str
    citation: str
    how_to_get: str
    derived_licence: str = ""
    """Condition that weights trained on it inherit."""
    n_cases: int | None = None
    """Cases that the whole dataset has, as its authors count them; None where nobody can say."""
    checksums: Mapping[str, str] = field(default_factory=dict)
    """File of the download -> its hash as its authors publish it, in hexadecimal; empty where they publish none."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One patient's examination in a dataset: where its files are, nothing read yet."""

    name: str
    patient: str
    """Splits keep all cases of a patient together."""
    folder: Path
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Group, phases and subject facts as the dataset's files give them; `part` where it has an official split."""
    files: tuple[Path, ...] = ()
    """What it is read from; empty where that is all of `folder`."""
    problem: str | None = None
    """Why it cannot be read, where that is known before it is opened: it is listed, and `read_case` refuses it."""

    def check(self) -> None:
        """Raise `InputError` with the case's problem, where it has one."""
        if self.problem is not None:
            raise InputError(f"{self.name}: {self.problem}")


@dataclass(frozen=True, kw_only=True)
class AnnotatedStudy:
    """A study with what experts drew on it."""

    study: Study
    patient: str
    labels: Mapping[View, LabelMap] = field(default_factory=dict)
    """On each cine's own grid; codes of `core.vocabulary`."""
    labelled_frames: Mapping[View, tuple[int, ...]] = field(default_factory=dict)
    """Frames whose labels count; the others' are empty because nobody drew them."""
    frame_names: Mapping[View, tuple[str, ...]] = field(default_factory=dict)
    """Stem of each labelled frame's own file, where a dataset keeps frames in files; see `data.frame_names`."""
    landmarks: Mapping[View, Landmarks] = field(default_factory=dict)
    structures: tuple[str, ...] = ()
    """Those of the labels' scheme that were drawn, in slices that hold any of them; empty where all of the heart
    was, in every slice."""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Split:
    """Patients of each part of a dataset; written once to a file, then only read."""

    dataset: str
    parts: Mapping[str, tuple[str, ...]]
    """Part ("train", "validation", "test") -> patients, sorted."""
    rule: str
    """How it was drawn."""

    @property
    def sha256(self) -> str:
        """Hash of the parts, to name the split in a model's card."""
        text = json.dumps({part: list(names) for part, names in sorted(self.parts.items())})
        return hashlib.sha256(text.encode()).hexdigest()

    def __getitem__(self, part: str) -> tuple[str, ...]:
        if part not in self.parts:
            raise UsageError(f"split of {self.dataset} has no part '{part}'; it has: {', '.join(self.parts)}")
        return self.parts[part]


def stratified_split(dataset: str, strata: Mapping[str, str], *, shares: Mapping[str, float], seed: int) -> Split:
    """Patients drawn into parts so that each stratum (patient -> group) is divided by the same shares.

    What rounding leaves of a group is made up for in the next ones, so that many small groups are divided too.
    Patients are sorted before they are drawn, so that the order of a listing changes nothing. Raises `UsageError`
    for shares that are negative or do not sum to one.
    """
    if min(shares.values(), default=0) < 0 or abs(sum(shares.values()) - 1) > 1e-9:
        raise UsageError(f"shares {dict(shares)}; expected shares from 0 on that sum to 1")
    parts: dict[str, list[str]] = {part: [] for part in shares}
    up_to = np.cumsum([0.0, *shares.values()])
    met, given = 0, np.zeros(len(up_to), dtype=int)
    for number, group in enumerate(sorted(set(strata.values()))):
        names = sorted(patient for patient, its in strata.items() if its == group)
        order = np.random.default_rng((seed, number)).permutation(len(names))
        met += len(names)
        wanted = np.round(up_to * met).astype(int) - given
        bounds = np.clip(np.maximum.accumulate(wanted), 0, len(names))
        given += bounds
        for part, first, last in zip(shares, bounds[:-1], bounds[1:], strict=True):
            parts[part] += [names[index] for index in order[first:last]]
    rule = f"by patient, stratified by group, shares {dict(shares)}, seed {seed}"
    return Split(dataset=dataset, parts={part: tuple(sorted(names)) for part, names in parts.items()}, rule=rule)


def subset_patients(strata: Mapping[str, str], *, n: int, seed: int) -> list[str]:
    """`n` patients (of patient -> group), the groups in turn and drawn within each, so that few show all groups.

    More patients contain the fewer of the same seed. Raises `UsageError` where there are not so many.
    """
    if not 1 <= n <= len(strata):
        raise UsageError(f"{n} patients asked for; there are {len(strata)} to learn from")
    rng = np.random.default_rng((seed, 2))
    turns: list[tuple[int, int, str]] = []
    for place, group in enumerate(rng.permutation(sorted(set(strata.values())))):
        names = sorted(patient for patient, its in strata.items() if its == group)
        turns += [(turn, place, names[index]) for turn, index in enumerate(rng.permutation(len(names)))]
    return [patient for _, _, patient in sorted(turns)[:n]]


def official_split(dataset: str, cases: Iterable[Case]) -> Split | None:
    """The split that the dataset itself makes, by each case's `part`; None where no case has one, or "unlabelled"
    is the only one.

    Raises `InputError` where a patient's cases are in two parts.
    """
    parts: dict[str, set[str]] = {}
    for case in cases:
        if "part" in case.facts:
            parts.setdefault(case.facts["part"], set()).add(case.patient)
    if not parts.keys() - {"unlabelled"}:
        return None
    names = [patient for patients in parts.values() for patient in patients]
    twice = sorted(patient for patient in set(names) if names.count(patient) > 1)
    if twice:
        raise InputError(f"patient {twice[0]} of {dataset} is in two parts; expected the dataset's own division")
    divided = {part: tuple(sorted(patients)) for part, patients in parts.items()}
    return Split(dataset=dataset, parts=divided, rule="official, as the dataset's own folders or numbers divide it")


def write_split(split: Split, path: Path) -> None:
    """Write a split as JSON with its hash, atomically."""
    content = {
        "dataset": split.dataset,
        "rule": split.rule,
        "sha256": split.sha256,
        "parts": {part: list(names) for part, names in split.parts.items()},
    }
    write_text(path, json.dumps(content, indent=1) + "\n", overwrite=True)


def read_split(path: Path, *, known: Iterable[str] | None = None) -> Split:
    """A split from its file.

    Raises `UnreadableFileError` for what is no split file, `InputError` where its hash does not fit, a
    patient stands in two parts, or one is not `known`.
    """
    split, written_hash = _parsed_split(path)
    parts = split.parts
    if split.sha256 != written_hash:
        raise InputError(f"split file '{path.name}' does not match its hash; it was changed by hand: restore it")
    named: Sequence[str] = [name for names in parts.values() for name in names]
    if len(set(named)) != len(named):
        raise InputError(f"split file '{path.name}' names a patient in two parts; expected each once")
    missing = set(named) - set(known) if known is not None else set()
    if missing:
        raise InputError(f"{len(missing)} patients of split '{path.name}' are not in the data: {sorted(missing)[:5]}")
    return split


def _parsed_split(path: Path) -> tuple[Split, str]:
    """The split as the file tells it, and the hash that stands beside it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        parts = {part: tuple(names) for part, names in content["parts"].items()}
        return Split(dataset=content["dataset"], parts=parts, rule=content["rule"]), content["sha256"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableFileError(
            f"'{path.name}' is no split file ({type(error).__name__}: {error}); expected JSON with"
            " dataset, rule,"
            " sha256 and parts: restore it"
        ) from error
