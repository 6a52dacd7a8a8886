"""A study: the cines of one examination, the subject's data, and how each series was recognised. No identity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from cinema_cmr.core.errors import MissingViewError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine

__all__ = ["NOMINAL_SPACING", "Fact", "Facts", "Issue", "SeriesDecision", "Study", "Subject"]

NOMINAL_SPACING = "nominal-spacing"
"""Code of the issue that an image's voxel sizes are placeholders: ratios hold, lengths and volumes do not."""

_MOST_PRINTED = 6
"""Number of cines that the repr of a study lists."""

Fact = str | int | float | bool | None
Facts = Mapping[str, Fact]
"""Name -> value: of a study, a case or a decision about a series."""


@dataclass(frozen=True, kw_only=True)
class Issue:
    """A defect or oddity of the input that a reader should know of: repaired, unusual, or left out."""

    code: str
    """Stable kebab-case name, e.g. "missing-frame"."""
    severity: Literal["info", "warning", "error"]
    message: str
    """One sentence: what was found and what was done about it."""
    evidence: Facts = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SeriesDecision:
    """Outcome for one series of the input: kept as a view or left out, with the reason and the evidence."""

    series: str
    """Label for reports: the series' number or folder, never a description, which may hold a name."""
    view: View | None
    """The recognised view; None for a series that is no cine."""
    kept: bool
    reason: str
    evidence: Facts = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Subject data used by measurements; None where unknown, never guessed."""

    sex: Literal["F", "M"] | None = None
    """Sex."""
    age_years: float | None = None
    """Age in years."""
    height_cm: float | None = None
    """Height in cm."""
    weight_kg: float | None = None
    """Weight in kg."""
    heart_rate_bpm: float | None = None
    """Heart rate in beats per minute."""

    def fill_from(self, other: Subject) -> Subject:
        """Return this subject with unknown values taken from `other`."""
        found = {k: v for k, v in vars(other).items() if v is not None and getattr(self, k) is None}
        return replace(self, **found)


@dataclass(frozen=True, kw_only=True)
class Study:
    """The cines of one examination, at most one of each measured view, and any number of `View.OTHER`.

    A collection of cines that is also indexed by view: `study["sax"]`, `"lax_4c" in study`, `for cine in study`.
    """

    name: str
    """Stem of the input's path, used for output names; never read from patient tags."""
    cines: tuple[Cine, ...]
    subject: Subject = field(default_factory=Subject)
    decisions: tuple[SeriesDecision, ...] = ()
    issues: tuple[Issue, ...] = ()
    modality: Literal["cine", "lge"] = "cine"
    descriptions: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Series -> its description, which may hold a name: only `cinema views --descriptions` shows it in full."""

    def __repr__(self) -> str:
        cines = ", ".join(f"{cine.view} {'x'.join(map(str, cine.shape))}" for cine in self.cines[:_MOST_PRINTED])
        more = f", {len(self.cines) - _MOST_PRINTED} more" if len(self.cines) > _MOST_PRINTED else ""
        kind = "" if self.modality == "cine" else f", {self.modality}"
        n_issues = len(self.issues)
        issues = f"{n_issues} issue{'s' * (n_issues != 1)}"
        return f"Study('{self.name[:80]}': {cines or 'no cines'}{more}{kind}; {issues})"

    def __len__(self) -> int:
        return len(self.cines)

    def __iter__(self) -> Iterator[Cine]:
        return iter(self.cines)

    def __contains__(self, view: View | str) -> bool:
        return any(cine.view == view for cine in self.cines)

    def __getitem__(self, view: View | str) -> Cine:
        return self.cine(view)

    @property
    def views(self) -> tuple[View, ...]:
        """The view of each cine, in their order."""
        return tuple(cine.view for cine in self.cines)

    def cine(self, view: View | str) -> Cine:
        """Return the cine of a view.

        Raises `MissingViewError` where the study lacks it, `UnknownNameError` for a name that is no view.
        """
        view = View.parse(view)
        for cine in self.cines:
            if cine.view == view:
                return cine
        present = ", ".join(sorted(set(self.views))) or "none"
        raise MissingViewError(f"study '{self.name}' has no {view.title} cine; its views are: {present}")

    def with_issues(self, *issues: Issue) -> Study:
        """Return the study with further issues appended."""
        return replace(self, issues=(*self.issues, *issues))
