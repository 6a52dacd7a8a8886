"""Size of the atria from long-axis masks: the left one's volume by biplane area-length, areas in the 4-chamber view.

Only the largest piece of an atrium in a frame counts. Largest and smallest size are extremes of a curve of running
medians, so that one bad frame decides neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.components import largest_component
from cinema_cmr.core.results import Measurement
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import ATRIUM_LABELS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.definition import Definition
from cinema_cmr.measure.function import indexed_value
from cinema_cmr.measure.phases import FRAMES_TO_COMPARE, covers_cycle
from cinema_cmr.measure.volumes import CODES

__all__ = ["Atria", "AtrialCurve", "Extreme", "atrial_curves", "atrial_values", "measure_atria"]

Array = NDArray[np.float64]
Masks = NDArray[np.bool_]

ATRIA = {label.name: label for label in ATRIUM_LABELS}

VIEWS = (View.LAX_4C, View.LAX_2C)

MAX_MISSING = 0.1
"""Largest share of the frames that may lack the atrium: with more, the fullest or the emptiest may be among them."""

EDGE_PIXELS = 2
"""Rows at the edge of the image in which an atrium counts as cut; networks leave the outermost one empty."""

OPENING_MM = 2.0
"""Rim of the left atrium that is so much further from the LV's blood than the nearest, or less, is the mitral opening:
the stairs of an oblique valve, no more."""

AREA_LENGTH = "8 x 2C area x 4C area / (3 pi x shorter length) (Lang et al., J Am Soc Echocardiogr 2015;28:1)"

LENGTH = (
    "length from the middle of the mitral opening, where the atrium is nearest to the LV's blood, to the furthest blood"
    " along the line through the atrium's centroid"
)

BLOOD = "blood up to the valve plane without veins and appendage (SCMR, JCMR 2020;22:19); largest piece in each frame"

MEDIANS = (
    "of the medians of each frame and its two neighbours, the first following the last where the frames cover the cycle"
)

EVERY_FRAME = f"of all frames, which are fewer than {FRAMES_TO_COMPARE}"


@dataclass(frozen=True, kw_only=True)
class Extreme:
    """The largest or smallest size over the cycle, and the frame that has it."""

    value: float
    frame: int


@dataclass(frozen=True, kw_only=True)
class AtrialCurve:
    """Size of an atrium in each frame; nothing is measured from it where there is a `reason`."""

    values: Array = field(default_factory=lambda: np.empty(0))
    """(t,), NaN in a frame without the atrium; empty without masks."""
    reason: str = ""
    periodic: bool = False
    """Whether the first frame follows the last."""
    edge_pixels: Mapping[View, NDArray[np.int64]] = field(default_factory=dict)
    """View -> (t,) pixels of the atrium at the edge of its image."""

    @property
    def rule(self) -> str:
        """The frames that an extreme is taken of."""
        return MEDIANS if np.isfinite(self.values).sum() >= FRAMES_TO_COMPARE else EVERY_FRAME

    def extreme(self, which: Literal["largest", "smallest"]) -> Extreme | None:
        """Return the extreme of the running medians, at the frame that has this value; None with a reason."""
        if self.reason:
            return None
        frames = np.flatnonzero(np.isfinite(self.values))
        medians = _medians(self.values[frames], periodic=self.periodic)
        value = float(medians.max() if which == "largest" else medians.min())
        off = np.where(medians == value, np.abs(self.values[frames] - value), np.inf)
        return Extreme(value=value, frame=int(frames[np.argmin(off)]))


@dataclass(frozen=True, kw_only=True)
class Atria:
    """Curves of both atria over the cycle."""

    la_volume_ml: AtrialCurve
    la_area_cm2: AtrialCurve
    """4-chamber view, as the next one."""
    ra_area_cm2: AtrialCurve


def _medians(values: Array, *, periodic: bool) -> Array:
    """Return the (t,) median of each frame and its neighbours; of few frames the values themselves."""
    if len(values) < FRAMES_TO_COMPARE:
        return values
    padded = np.pad(values, 1, mode="wrap" if periodic else "reflect")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 3), axis=1)


def measure_atria(study: Study, labels: Mapping[View, LabelMap]) -> Atria | None:
    """Return the curves of the atria in the 4- and 2-chamber masks; None if no such mask has an atrium in any frame."""
    planes = {(name, view): _plane(study, labels, view, name) for name in ATRIA for view in VIEWS}
    if not any(plane.masks.any() for plane in planes.values()):
        return None
    return Atria(
        la_volume_ml=_volume(planes["la", View.LAX_4C], planes["la", View.LAX_2C]),
        la_area_cm2=_area(planes["la", View.LAX_4C]),
        ra_area_cm2=_area(planes["ra", View.LAX_4C]),
    )


@dataclass(frozen=True, kw_only=True)
class _Plane:
    """One atrium in one view."""

    view: View
    cine: Cine | None = None
    masks: Masks = field(default_factory=lambda: np.empty((0, 0, 0), dtype=bool))
    """(x, y, t), the largest piece in each frame; empty without a mask."""
    lv: Masks = field(default_factory=lambda: np.empty((0, 0, 0), dtype=bool))
    """(x, y, t), blood of the left ventricle."""
    reason: str = ""

    @property
    def areas_mm2(self) -> Array:
        """(t,), NaN in a frame without the atrium."""
        counts = np.count_nonzero(self.masks, axis=(0, 1)).astype(np.float64)
        return np.where(counts > 0, counts * np.prod(self.pixel_mm), np.nan)

    @property
    def pixel_mm(self) -> tuple[float, float]:
        return (1.0, 1.0) if self.cine is None else self.cine.spacing_mm[:2]

    @property
    def edge_pixels(self) -> NDArray[np.int64]:
        """(t,), pixels of the atrium in the outermost rows and columns of the image."""
        inside = (slice(EDGE_PIXELS, -EDGE_PIXELS), slice(EDGE_PIXELS, -EDGE_PIXELS))
        return np.asarray(self.masks.sum(axis=(0, 1)) - self.masks[inside].sum(axis=(0, 1)))

    def lengths_mm(self) -> Array:
        """Return the (t,) length of the atrium; NaN without it, and where no frame has LV blood."""
        n_frames = self.masks.shape[-1]
        with_lv = np.flatnonzero(self.lv.any(axis=(0, 1)))
        if not with_lv.size:
            return np.full(n_frames, np.nan)
        apart = np.abs(np.arange(n_frames)[:, None] - with_lv)
        nearest = with_lv[np.argmin(np.minimum(apart, n_frames - apart), axis=1)]
        pairs = ((self.masks[..., t], self.lv[..., nearest[t]]) for t in range(n_frames))
        return np.array([_length_mm(atrium, lv, self.pixel_mm) for atrium, lv in pairs])


def _plane(study: Study, labels: Mapping[View, LabelMap], view: View, name: str) -> _Plane:
    label, mask = ATRIA[name], labels.get(view)
    if mask is None or mask.scheme != "chambers" or (mask.drawn and name not in mask.drawn):
        return _Plane(view=view, reason=f"no {view.title} mask shows the {label.title}")
    cine, codes = study.cine(view), mask.array[:, :, 0]
    masks = np.stack([largest_component(codes[..., t] == label.code) for t in range(cine.n_frames)], axis=-1)
    missing = int(np.count_nonzero(~masks.any(axis=(0, 1))))
    reason = ""
    if cine.n_frames == 1:
        reason = f"the {view.title} cine has one frame; the extremes of the {label.title} need at least two"
    elif missing > MAX_MISSING * cine.n_frames:
        reason = f"the {label.title} is missing in {missing} of {cine.n_frames} frames of the {view.title} mask"
    return _Plane(view=view, cine=cine, masks=masks, lv=codes == CODES["lv"], reason=reason)


def _length_mm(atrium: NDArray[np.bool_], lv: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> float:
    """Return the length of an atrium (x, y) from the middle of its opening to the LV's blood; NaN without atrium."""
    if not atrium.any():
        return float("nan")
    to_lv_mm = ndimage.distance_transform_edt(~largest_component(lv), sampling=pixel_mm)
    rim = atrium & ~ndimage.binary_erosion(atrium)
    opening = np.argwhere(rim & (to_lv_mm <= to_lv_mm[rim].min() + OPENING_MM)) * pixel_mm
    points, half_pixel_at_each_end = np.argwhere(atrium) * pixel_mm, float(np.sqrt(np.prod(pixel_mm)))
    middle = opening.mean(axis=0)
    axis = points.mean(axis=0) - middle
    size = float(np.linalg.norm(axis))
    return (float(((points - middle) @ axis).max()) / size if size else 0.0) + half_pixel_at_each_end


def _area(plane: _Plane) -> AtrialCurve:
    if plane.cine is None:
        return AtrialCurve(reason=plane.reason)
    return _curve(plane.cine, plane.areas_mm2 / 100, (plane,), plane.reason)


def _volume(four: _Plane, two: _Plane) -> AtrialCurve:
    """Return the volume of the left atrium by area-length."""
    reason = "; ".join(filter(None, (four.reason, two.reason)))
    if four.cine is None or two.cine is None:
        return AtrialCurve(reason=reason)
    if four.cine.n_frames != two.cine.n_frames:
        return AtrialCurve(reason="the two views have different numbers of frames")
    lengths_mm = np.minimum(four.lengths_mm(), two.lengths_mm())
    volumes_ml = 8 * four.areas_mm2 * two.areas_mm2 / (3 * np.pi * lengths_mm) / 1000
    missing = int(np.count_nonzero(~np.isfinite(volumes_ml)))
    if not (four.lv.any() and two.lv.any()):
        reason = reason or "a mask lacks the left ventricle, from which the length of the left atrium is measured"
    elif missing > MAX_MISSING * len(volumes_ml):
        reason = reason or f"the left atrium is missing in {missing} of {len(volumes_ml)} frames of either view"
    return _curve(four.cine, volumes_ml, (four, two), reason)


def _curve(cine: Cine, values: Array, planes: tuple[_Plane, ...], reason: str) -> AtrialCurve:
    return AtrialCurve(
        values=values,
        reason=reason,
        periodic=covers_cycle(values, times_ms=cine.frame_times_ms, rr_interval_ms=cine.rr_interval_ms),
        edge_pixels={plane.view: plane.edge_pixels for plane in planes},
    )


def atrial_curves(atria: Atria | None, *, n_frames: int) -> dict[str, Array]:
    """Return the LA volume (ml) and RA area (cm2) of each of `n_frames` frames; without those that were not found."""
    if atria is None:
        return {}
    curves = {"la_volume_ml": atria.la_volume_ml.values, "ra_area_4c_cm2": atria.ra_area_cm2.values}
    return {name: curve for name, curve in curves.items() if len(curve) == n_frames and np.isfinite(curve).any()}


def atrial_values(atria: Atria | None, surface: Measurement) -> tuple[Measurement, ...]:
    """Return volumes, emptying fraction and areas of the atria; empty without atria.

    `surface` is the body surface area that the largest volume is indexed to.
    """
    if atria is None:
        return ()
    largest, least = (_volume_value(atria.la_volume_ml, name, which) for name, which in _EXTREMES.items())
    return (
        largest,
        least,
        _emptying(largest, least),
        indexed_value(largest, "la_volume_max_index_ml_m2", surface),
        _area_value(atria.la_area_cm2, "la", "max"),
        *(_area_value(atria.ra_area_cm2, "ra", name) for name in _EXTREMES),
    )


_EXTREMES: Mapping[str, Literal["largest", "smallest"]] = {"max": "largest", "min": "smallest"}
_TITLES = {"max": "maximum", "min": "minimum"}


def _volume_value(curve: AtrialCurve, name: str, which: Literal["largest", "smallest"]) -> Measurement:
    definition = Definition(
        name=f"la_volume_{name}_ml",
        title=f"LA volume, {_TITLES[name]}",
        unit="ml",
        method="area-length, 2-chamber and 4-chamber masks",
        rule=f"{which} {curve.rule}; {AREA_LENGTH}; {LENGTH}; {BLOOD}",
    )
    return _value(definition, curve, which)


def _area_value(curve: AtrialCurve, atrium: str, name: str) -> Measurement:
    definition = Definition(
        name=f"{atrium}_area_{name}_4c_cm2",
        title=f"{atrium.upper()} area, 4-chamber, {_TITLES[name]}",
        unit="cm2",
        method="area, 4-chamber mask",
        rule=f"{_EXTREMES[name]} {curve.rule}; {BLOOD}",
    )
    return _value(definition, curve, _EXTREMES[name])


def _value(definition: Definition, curve: AtrialCurve, which: Literal["largest", "smallest"]) -> Measurement:
    found = curve.extreme(which)
    return definition.absent(curve.reason) if found is None else definition.value(found.value, frames=(found.frame,))


def _emptying(largest: Measurement, least: Measurement) -> Measurement:
    definition = Definition(
        name="la_ef_percent",
        title="LA emptying fraction, total",
        unit="%",
        method=largest.method,
        rule="(largest - smallest volume) / largest volume",
    )
    if largest.value is None or least.value is None:
        return definition.absent(largest.reason or least.reason or "")
    change = 100 * (largest.value - least.value) / largest.value
    return definition.value(change, frames=(*largest.frames, *least.frames))
