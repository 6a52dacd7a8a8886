"""The analysis of one study: what reports, exports, viewers and tables take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cinema_cmr.core.edits import Edits
from cinema_cmr.core.results import LandmarkPrediction, Measurements, Prediction
from cinema_cmr.core.run_facts import RunFacts
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View

__all__ = ["Analysis", "NormalRange"]


@dataclass(frozen=True, kw_only=True)
class NormalRange:
    """Limits of normal of one measurement for one sex and age group."""

    name: str
    """Name of the measurement, e.g. "lv_edv_ml"."""
    sex: Literal["F", "M"]
    age_low: float
    """Years, included."""
    age_high: float
    """Completed years, included: 74 holds up to the 75th birthday."""
    lower: float
    upper: float
    unit: str
    citation: str
    papillary_rule: str
    limits: str = "95 % interval"
    """Meaning of the limits."""


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """Study, predictions, measurements and run facts of one analysis."""

    study: Study
    predictions: Mapping[View, Prediction]
    measurements: Measurements
    run: RunFacts
    landmarks: Mapping[View, LandmarkPrediction] = field(default_factory=dict)
    normal_ranges: tuple[NormalRange, ...] = ()
    """Table of reference ranges, for all sexes and ages."""
    edits: Edits | None = None
    """What a reader changed against the model's own run; None for that run itself."""
    files: Mapping[str, Path] = field(default_factory=dict, repr=False, compare=False)
    """Files of earlier results that are copied as they are: path relative to the results -> the file."""

    if TYPE_CHECKING:  # bound by `cinema_cmr.api`, which every public name comes through

        def write(self, folder: Path | str, *, overwrite: bool = False, images: bool | None = None) -> Any:
            """Write report, measurements, masks, images and run.json into a folder; return the record."""

    def __repr__(self) -> str:
        views = ", ".join(self.predictions) or "no views"
        return f"Analysis({self.study!r},\n  segmented {views} with '{self.run.model_name}',\n  {self.measurements!r})"
