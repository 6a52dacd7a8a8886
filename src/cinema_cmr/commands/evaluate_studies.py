"""Which studies `cinema evaluate` scores: those of the part that is asked for, of the split of the model's own run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.training_data import find_cases, read_patients
from cinema_cmr.core.errors import CinemaError

__all__ = ["read_part", "read_scorable"]


def read_scorable(given: Namespace, console: Console, card: Any) -> tuple[list[Any], list[dict[str, str]]]:
    """The part's studies that tell what the model answers, and rows of `not_scored` for the others, which are told.

    Raises `InputError` where none is left.
    """
    from dataclasses import asdict

    from cinema_cmr.evaluation.eligible import choose_scorable

    studies = read_part(given, console, card=card, drawn_only=card.task in ("segment", "landmark"))
    kept, left = choose_scorable(studies, card, report=lambda row: console.note(f"left out: {row.study}: {row.why}"))
    return kept, [asdict(row) for row in left]


def read_part(given: Namespace, console: Console, *, card: Any = None, drawn_only: bool = True) -> list[Any]:
    """The studies of one part of a dataset, or of all of it where `--part all` is given.

    The parts are those of `--split`, or of the run that the model with this card comes from, or the dataset's own.
    """
    dataset, cases = find_cases(given.data, console)
    patients = _patients(given, console, card, dataset, cases)
    return read_patients(dataset, cases, patients, console, drawn_only=drawn_only)


def _patients(given: Namespace, console: Console, card: Any, dataset: Any, cases: list[Any]) -> list[str]:
    from cinema_cmr.data.cases import read_split

    known = {case.patient for case in cases}
    if given.part == "all":
        return sorted(known)
    if given.split:
        return list(read_split(Path(given.split), patients=known)[given.part])
    path = None if card is None else _split_beside(given.model)
    if path is None:
        return list(dataset.patients(cases, given.part))
    try:
        split = read_split(path)
        why = _why_not(split, given.part, card, dataset, known)
    except CinemaError as error:
        why = str(error)
    if why is not None:
        console.note(f"split: {path.name} beside the model is not used: {why}")
        return list(dataset.patients(cases, given.part))
    console.note("split: of the run beside the model")
    return list(split[given.part])


def _split_beside(model: str) -> Path | None:
    """The split of the run that a model's folder lies in, as `cinema finetune` leaves it; None where there is none."""
    place = Path(model).resolve()
    path = (place if place.is_dir() else place.parent).parent / "split.json"
    return path if place.exists() and path.is_file() else None


def _why_not(split: Any, part: str, card: Any, dataset: Any, known: set[str]) -> str | None:
    """Why the parts of a run's split are not those to score on; None where they are."""
    named = {patient for patients in split.parts.values() for patient in patients}
    if split.dataset != dataset.card.name:
        return f"it is of the dataset '{split.dataset}', the data of '{dataset.card.name}'"
    if named - known:
        return f"{len(named - known)} of its {len(named)} patients are not in the data"
    if card.training.get("split_sha256", split.sha256) != split.sha256:
        return "the model learned with another one"
    return None if part in split.parts else f"it has no part '{part}'"
