"""Input and output of view recognition: a candidate cine, and the decision with its reason and evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cinema_cmr.core.geometry import apply_affine, unit
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.views.axis import Plane

__all__ = ["VIEW_HINTS", "Candidate", "ViewDecision", "view_from_hints"]

VIEW_HINTS: Mapping[str, View] = {
    "short axis": View.SAX,
    "2ch": View.LAX_2C,
    "3ch": View.LAX_3C,
    "4ch": View.LAX_4C,
}
"""Description hints that name a view."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A cine whose view is to be recognised; its own `view` is ignored."""

    cine: Cine
    hints: tuple[str, ...] = ()
    acquisition_order: tuple[float, ...] = (0.0,)
    """Sort key of acquisitions: later ones are larger."""
    gated: bool = True
    """Whether tags relate the frames to the R wave; False for a real-time cine."""
    tagged: bool = False
    """Whether the images show tagging lines."""
    timed: bool = True
    """Whether its frames are ordered by times after the R wave; perfusion and maps have none."""
    derived: bool = False
    """Whether its images were made from others, as a reformatted stack is."""

    @property
    def planes(self) -> list[Plane]:
        """One plane per slice, through the image centre."""
        affine = self.cine.affine
        normal = unit(np.cross(affine[:3, 0], affine[:3, 1]))
        nx, ny = self.cine.shape[:2]
        centres = [apply_affine(affine, np.array([(nx - 1) / 2, (ny - 1) / 2, k])) for k in self.cine.slice_indices]
        return [Plane(centre=centre, normal=normal) for centre in centres]

    @property
    def middle_plane(self) -> Plane:
        """Plane of the middle slice."""
        planes = self.planes
        return planes[len(planes) // 2]


@dataclass(frozen=True, kw_only=True)
class ViewDecision:
    """The recognised view of a candidate, and whether it is the one to measure for that view."""

    view: View
    kept: bool
    reason: str
    evidence: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    slice: int | None = None
    """The relevant slice if a long-axis view is one of several parallel planes; None for all slices."""


def view_from_hints(hints: tuple[str, ...]) -> View | None:
    """Return the view named in the description; None if it names none or several."""
    views = {VIEW_HINTS[hint] for hint in hints if hint in VIEW_HINTS}
    return views.pop() if len(views) == 1 else None
