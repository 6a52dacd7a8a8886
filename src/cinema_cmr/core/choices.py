"""What the user decides about the series of a study: which are measured, and as what. The user decides last."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from cinema_cmr.core.errors import UsageError, unknown_name
from cinema_cmr.core.vocabulary import View

__all__ = ["SeriesChoice", "SeriesChoices", "SeriesName", "StudyChoices"]


@dataclass(frozen=True, kw_only=True)
class SeriesName:
    """What a series may be called by."""

    label: str
    """Label in reports, e.g. "series 6"."""
    also: tuple[str, ...] = ()
    """Number, description, folder or file."""

    def matches(self, text: str) -> bool:
        """Return True if the text is one of the names, whatever its case."""
        return text.strip().casefold() in (name.casefold() for name in (self.label, *self.also) if name)


@dataclass(frozen=True, kw_only=True)
class SeriesChoice:
    """The decision about one series."""

    use: bool | None = None
    """True to measure it, False to leave it out, None to decide automatically."""
    view: View | None = None
    order: int | None = None
    """Rank among series that show the same slice or view: the lowest is kept."""

    def updated(self, later: SeriesChoice) -> SeriesChoice:
        """Return this choice, overruled where the later one decides."""
        return replace(self, **{f.name: value for f in fields(later) if (value := getattr(later, f.name)) is not None})


SeriesChoices = Mapping[str, SeriesChoice]
"""Label of a series -> the user's decision on it; series without one are decided automatically."""


@dataclass(frozen=True, kw_only=True)
class StudyChoices:
    """Decisions of the user about series; a series is named by its number, description, folder or file."""

    use: Sequence[str] = ()
    ignore: Sequence[str] = ()
    view: Mapping[str, View] = field(default_factory=dict)
    rows: tuple[tuple[str, SeriesChoice], ...] = ()
    """Decisions of a views file, in its order; the others overrule them."""

    def __bool__(self) -> bool:
        return bool(self.use or self.ignore or self.view or self.rows)

    @property
    def digest(self) -> str:
        """SHA-256 of the decisions, "" for none: for records, as a description may hold a name."""
        text = repr((list(self.use), list(self.ignore), sorted(self.view.items()), self.rows))
        return hashlib.sha256(text.encode()).hexdigest() if self else ""

    def resolve(self, names: Iterable[SeriesName]) -> dict[str, SeriesChoice]:
        """Return the decision on each series of a study that there is one on, by label.

        A description that several series have decides on all of them. Raises `UnknownNameError`, with the nearest
        names, for a series that the study lacks, and `UsageError` for one that is both used and ignored.
        """
        known = list(names)
        chosen: dict[str, SeriesChoice] = {}
        for text, choice in self._decisions():
            for label in _labels(text, known):
                chosen[label] = chosen.get(label, SeriesChoice()).updated(choice)
        both = {label for text in self.use for label in _labels(text, known)}
        both &= {label for text in self.ignore for label in _labels(text, known)}
        if both:
            raise UsageError(
                f"{sorted(both)[0]} is both to be used and to be ignored; expected one decision: remove one"
            )
        return chosen

    def _decisions(self) -> list[tuple[str, SeriesChoice]]:
        views = [
            (text, SeriesChoice(use=None if view is View.OTHER else True, view=view))
            for text, view in self.view.items()
        ]
        used = [(text, SeriesChoice(use=True)) for text in self.use]
        ignored = [(text, SeriesChoice(use=False)) for text in self.ignore]
        return [*self.rows, *views, *used, *ignored]


def _labels(text: str, names: Sequence[SeriesName]) -> list[str]:
    """Return the labels of the series that a text names."""
    found = [name.label for name in names if name.matches(text)]
    if found:
        return found
    known = {each for name in names for each in (name.label.removeprefix("series "), *name.also) if each}
    raise unknown_name("series", text, known)
