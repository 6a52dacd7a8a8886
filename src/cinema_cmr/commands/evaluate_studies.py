"""Which studies `cinema evaluate` scores a model on."""

from __future__ import annotations

from typing import Any

from jsonargparse import Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.training_data import read_part

__all__ = ["read_scorable"]


def read_scorable(given: Namespace, console: Console, card: Any) -> tuple[list[Any], list[dict[str, str]]]:
    """The part's studies that tell what the model answers, and rows of `not_scored` for the others, which are told.

    Raises `InputError` where none is left.
    """
    from dataclasses import asdict

    from cinema_cmr.engine.scorable import choose_scorable

    studies = read_part(given, console, drawn_only=card.task in ("segment", "landmark"))
    kept, left = choose_scorable(studies, card, report=lambda row: console.note(f"left out: {row.study}: {row.why}"))
    return kept, [asdict(row) for row in left]
