"""A study: the cines of one examination, what is known of the subject, and how each was recognised. No identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from cinema_cmr.core.errors import NoCineError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine

__all__ = ["NOMINAL_SPACING", "Issue", "SeriesDecision", "Study", "Subject"]

NOMINAL_SPACING = "nominal-spacing"
"""Code of the issue that an image's voxel sizes are a stand-in: shares hold, lengths and volumes do not."""

Evidence = Mapping[str, str | int | float | bool | None]


@dataclass(frozen=True, kw_only=True)
class Issue:
    """Something a reader must know about the data: repaired, odd, or left out."""

    code: str
    """Stable kebab-case name, e.g. "missing-frame"."""
    severity: Literal["info", "warning", "error"]
    message: str
    """One sentence: what was found and what was done about it."""
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SeriesDecision:
    """What became of one series of the input: kept as a view, or left out, with the reason and the evidence."""

    series: str
    """How the series is called in a report: its number or folder, never a description that may hold a name."""
    view: View | None
    """The view it was recognised as; None when it is no cine."""
    kept: bool
    reason: str
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Facts that measurements need; None where unknown, never guessed."""

    sex: Literal["F", "M"] | None = None
    age_years: float | None = None
    height_cm: float | None = None
    weight_kg: float | None = None
    heart_rate_bpm: float | None = None

    def fill_from(self, other: Subject) -> Subject:
        """This subject with its unknown facts taken from `other`."""
        known = {k: v for k, v in vars(other).items() if v is not None and getattr(self, k) is None}
        return replace(self, **known)


@dataclass(frozen=True, kw_only=True)
class Study:
    """The cines of one examination, at most one of each measured view, plus any number of `View.OTHER`."""

    name: str
    """The stem of the input's path, used for output names; never read from patient tags."""
    cines: tuple[Cine, ...]
    subject: Subject = field(default_factory=Subject)
    decisions: tuple[SeriesDecision, ...] = ()
    issues: tuple[Issue, ...] = ()
    modality: Literal["cine", "lge"] = "cine"

    def __contains__(self, view: View) -> bool:
        return any(cine.view == view for cine in self.cines)

    def cine(self, view: View) -> Cine:
        """The cine of a view; raises `NoCineError` that names the views there are."""
        for cine in self.cines:
            if cine.view == view:
                return cine
        present = ", ".join(sorted({str(cine.view) for cine in self.cines})) or "none"
        raise NoCineError(f"study '{self.name}' has no {view.title} cine; its views are: {present}")

    def with_issues(self, *issues: Issue) -> Study:
        """The study with further issues appended."""
        return replace(self, issues=(*self.issues, *issues))
