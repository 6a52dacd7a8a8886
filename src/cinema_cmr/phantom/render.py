"""Rendering of heart and body in a plane: signal with partial volume, and labels, of each frame of each slice.

The body is painted once per slice, the heart frame by frame on the pixels that it can reach. A few sheets sample the
slice with the weights of its profile; surfaces oblique to a sheet are softened by their lateral shift within it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.vocabulary import CHAMBER_LABELS
from cinema_cmr.phantom.anatomy.body import Body
from cinema_cmr.phantom.anatomy.chambers import LEFT_ATRIUM, RIGHT_ATRIUM, Chamber, chamber_depth
from cinema_cmr.phantom.anatomy.heart import HeartFrame, HeartPoints
from cinema_cmr.phantom.anatomy.surfaces import FrameSurfaces
from cinema_cmr.phantom.anatomy.valves import leaflet_share
from cinema_cmr.phantom.arrays import clip_to_unit
from cinema_cmr.phantom.planes import ImagePlane

__all__ = ["Beat", "RenderedSlice", "render_slice"]

Floats = NDArray[np.float32]
Scalar = TypeVar("Scalar", bound=np.generic)

N_SHEETS = 3
_REACH_MM = 4.0
_ATRIA_REACH_MM = 85.0
_UNEVEN_ATRIA_MM = 2.5
_FAT_OF_CHAMBERS_MM = 1.5
"""Thickness outside the walls of chambers."""
_CODES = {label.name: label.code for label in CHAMBER_LABELS}
_CODE_OF_CHAMBER = {LEFT_ATRIUM: _CODES["la"], RIGHT_ATRIUM: _CODES["ra"]}
_SOFT_MM = 12.0
"""Largest reach of a soft surface beyond itself, at the most oblique crossing of a sheet."""
_BELOW_VALVES_MM = 25.0
"""Half the width of a great artery with its wall and edge."""


@dataclass(frozen=True, kw_only=True)
class RenderedSlice:
    """One slice in all frames: signal (t, x, y) with negative fat, and labels (t, x, y)."""

    signal: Floats
    labels: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Beat:
    """Surfaces of all frames for the slices of one view, and the largest extent of each part over all frames."""

    parts: Sequence[FrameSurfaces]

    @cached_property
    def sac(self) -> Floats:
        """(theta * z) largest radius of the pericardium."""
        return self._largest(lambda frame: frame.sac)

    @cached_property
    def walls(self) -> Floats:
        """(theta * z) largest outer radius of the walls of both ventricles."""
        return self._largest(lambda frame: np.maximum(frame.rv_wall, frame.epi))

    @cached_property
    def cavity(self) -> Floats:
        """(theta * z) largest radius of the left ventricle's blood."""
        return self._largest(lambda frame: frame.endo)

    @cached_property
    def lowest_valve_mm(self) -> float:
        """Heart z in mm of the valve position nearest to the apex, over all valves and frames."""
        frames = [part.frame for part in self.parts]
        return max(max(f.left.base_mm, f.right.tricuspid_mm, f.right.outflow_mm) for f in frames)

    def _largest(self, surface: Callable[[HeartFrame], Floats]) -> Floats:
        largest = surface(self.parts[0].frame).copy()
        for part in self.parts[1:]:
            np.maximum(largest, surface(part.frame), out=largest)
        return largest.ravel()


def sheets(thickness_mm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the offsets of the sheets from the middle of the slice, and their weights, which sum to 1.

    The profile of a selective pulse is flat with shoulders: its outer parts contribute less than its middle.
    """
    offsets = (np.arange(N_SHEETS) - (N_SHEETS - 1) / 2) * thickness_mm / N_SHEETS
    weights = np.exp(-0.5 * (offsets / (0.55 * thickness_mm)) ** 2)
    return offsets, weights / weights.sum()


def render_slice(
    body: Body,
    beat: Beat,
    plane: ImagePlane,
    index: int,
    *,
    tissues: Mapping[str, float],
    flow: float,
    with_atria: bool = False,
) -> RenderedSlice:
    """Render signal and labels of a slice in all frames; the codes are those of "chambers" `with_atria`, else of "cine"
    (`core.vocabulary.LABEL_SCHEMES`).
    """
    offsets, weights = sheets(plane.thickness_mm)
    points = np.stack([plane.points(index, offset) for offset in offsets], axis=0)
    edge = float(np.linalg.norm(plane.affine[:3, 0]))
    background = body.signal(points, tissues, edge)
    signal = np.tensordot(weights.astype(np.float32), background, axes=1)
    located = body.heart.locate(points)
    pixels = np.flatnonzero(_reachable(located, beat))
    near = HeartPoints(**{name: _select(value, pixels) for name, value in vars(located).items()})
    behind = _select(background, pixels)
    near_ras = points.reshape(len(points), -1, 3)[:, pixels]
    noise = [body.texture.at(near_ras, scale, shift=21.7 - scale) for scale in (9.0, 5.0, 45.0)]
    painter = _HeartPainter(body, near, behind, noise, beat=beat, tissues=tissues, flow=flow, edge_mm=edge)
    frames = np.repeat(signal[None], len(beat.parts), axis=0)
    labels = np.zeros(frames.shape, dtype=np.uint8)
    for t, part in enumerate(beat.parts):
        frames[t].reshape(-1)[pixels] = np.tensordot(weights.astype(np.float32), painter.frame(part), axes=1)
        labels[t].reshape(-1)[pixels] = painter.labels(part, with_atria=with_atria)
    return RenderedSlice(signal=frames, labels=labels)


def _reachable(points: HeartPoints, beat: Beat) -> NDArray[np.bool_]:
    """Return the (x, y) mask of pixels that any part of the heart may reach in any frame."""
    in_sac = points.radius < beat.sac[points.index] + _REACH_MM
    in_atria = (points.z < 20) & (points.z > -78) & (points.radius < _ATRIA_REACH_MM)
    return np.asarray((in_sac | in_atria).any(axis=0))


def _within(points: HeartPoints, largest: Floats) -> NDArray[np.bool_]:
    """Return the mask of points that a soft surface may reach."""
    within: NDArray[np.bool_] = points.radius < largest[points.index] + _SOFT_MM
    return within


def _select(values: NDArray[Scalar], pixels: NDArray[np.intp]) -> NDArray[Scalar]:
    """Select flat pixels of the plane: (sheet, x, y) -> (sheet, pixel)."""
    return np.take(values.reshape(len(values), -1), pixels, axis=1)


class _Region:
    """Points of a slice that one part of the heart can reach in any frame."""

    def __init__(self, points: HeartPoints, inside: NDArray[np.bool_]) -> None:
        self.index = np.flatnonzero(inside)
        self.points = HeartPoints(**{name: value.ravel()[self.index] for name, value in vars(points).items()})

    def select(self, values: Floats) -> Floats:
        """Return the values of the region from (sheet, pixel) values of the slice."""
        return values.ravel()[self.index]

    def put(self, image: Floats, values: Floats) -> None:
        """Write values of the region into the (sheet, pixel) image of the slice."""
        image.reshape(-1)[self.index] = values


@dataclass(frozen=True, kw_only=True)
class _ChamberPaint:
    """Signal that chambers are painted with, (sheet, pixel) of the slice."""

    blood: Mapping[str, Floats]
    uneven_mm: Floats
    """Local outward displacement of an atrium's wall."""
    fat: Floats
    muscle: Floats


class _ChamberPainter:
    """Paints one atrium or great vessel on the points of a slice that it can reach in any frame."""

    def __init__(
        self, points: HeartPoints, frames: Sequence[Chamber], paint: _ChamberPaint, per_edge: np.float32
    ) -> None:
        outside = frames[0].wall_mm + _FAT_OF_CHAMBERS_MM + 0.5 / float(per_edge)
        uneven = float(np.max(paint.uneven_mm, initial=0)) if frames[0].is_atrium else 0.0
        reach = [chamber.reach(outside + uneven) for chamber in frames]
        low, high = np.min([low for low, _ in reach], axis=0), np.max([high for _, high in reach], axis=0)
        self.region = _Region(points, _in_boxes(points, low, high))
        self.blood = self.region.select(paint.blood[frames[0].blood])
        self.uneven_mm = self.region.select(paint.uneven_mm)
        self.fat, self.muscle = self.region.select(paint.fat), self.region.select(paint.muscle)
        self.per_edge = per_edge

    def paint(self, image: Floats, chamber: Chamber) -> None:
        """Paint fat, wall and blood of the chamber in one frame over the image (sheet, pixel)."""
        if not self.region.index.size:
            return
        here, depth = self.region.select(image), chamber_depth(chamber, self.region.points)
        if chamber.is_atrium:
            depth = depth + self.uneven_mm
        _mix(here, self._share(depth + (chamber.wall_mm + _FAT_OF_CHAMBERS_MM)), self.fat)
        _mix(here, self._share(depth + chamber.wall_mm), self.muscle)
        _mix(here, self._share(depth), self.blood)
        self.region.put(image, here)

    def label(self, codes: NDArray[np.uint8], chamber: Chamber) -> None:
        """Write the code of the chamber's own blood over the codes (sheet, pixel), and 0 where else it is painted.

        Veins and the appendage are no part of an atrium.
        """
        if not self.region.index.size:
            return
        uneven = self.uneven_mm if chamber.is_atrium else 0
        here = codes.reshape(-1)[self.region.index]
        here[chamber_depth(chamber, self.region.points) + uneven > -(chamber.wall_mm + _FAT_OF_CHAMBERS_MM)] = 0
        own = chamber_depth(replace(chamber, joined=()), self.region.points) + uneven
        here[own > 0] = _CODE_OF_CHAMBER.get(chamber.name, 0)
        codes.reshape(-1)[self.region.index] = here

    def _share(self, depth: Floats) -> Floats:
        inside = depth * self.per_edge
        inside += np.float32(0.5)
        return clip_to_unit(inside)


def _in_boxes(points: HeartPoints, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the mask of points in any of the boxes (box, 3)."""
    inside = np.zeros(points.z.shape, dtype=np.bool_)
    for lowest, highest in zip(low.astype(np.float32), high.astype(np.float32), strict=True):
        axes = zip((points.x, points.y, points.z), lowest, highest, strict=True)
        inside |= np.logical_and.reduce([(value > first) & (value < last) for value, first, last in axes])
    return inside


class _HeartPainter:
    """Paints the heart over the body on the pixels of one slice, frame by frame."""

    def __init__(
        self,
        body: Body,
        points: HeartPoints,
        behind: Floats,
        noise: Sequence[Floats],
        *,
        beat: Beat,
        tissues: Mapping[str, float],
        flow: float,
        edge_mm: float,
    ) -> None:
        self.muscles = body.muscles
        self.points, self.behind = points, behind
        self.tissues, self.flow, self.per_edge = tissues, flow, np.float32(1 / edge_mm)
        uneven, brightness = _draw_blood(body.subject.seed)
        streams = np.float32(uneven) * noise[2]
        left_blood = np.float32(tissues["arterial"]) * (1 + np.float32(0.05) * noise[0] + streams)
        right_blood = np.float32(tissues["venous"]) * (1 + np.float32(0.09) * noise[0] + streams)
        muscle = np.float32(tissues["myocardium"]) * (1 + np.float32(0.04) * noise[0])
        fat = np.float32(tissues["fat"]) * (1 + np.float32(0.12) * noise[1])
        self.sac = _Region(points, _within(points, beat.sac))
        self.sac_fat = self.sac.select(fat)
        self.is_basal = bool((points.z < beat.lowest_valve_mm + _BELOW_VALVES_MM).any())
        atria = np.float32(brightness)
        paint = _ChamberPaint(
            blood={"arterial": atria * left_blood, "venous": atria * right_blood},
            uneven_mm=np.float32(_UNEVEN_ATRIA_MM) * noise[2],
            fat=fat,
            muscle=muscle,
        )
        self.chambers = [
            _ChamberPainter(points, frames, paint, self.per_edge)
            for frames in zip(*(part.chambers for part in beat.parts), strict=True)
        ]
        self.walls = _Region(points, _within(points, beat.walls))
        self.walls_muscle, self.walls_blood = self.walls.select(muscle), self.walls.select(right_blood)
        self.strands = self.walls.select(noise[1])
        self.cavity = _Region(points, _within(points, beat.cavity))
        self.cavity_muscle, self.cavity_blood = self.cavity.select(muscle), self.cavity.select(left_blood)

    def frame(self, part: FrameSurfaces) -> Floats:
        """Return the signal (sheet, pixel) of a frame."""
        image = self.behind.copy()
        self._paint_sac(image, part)
        for painter, chamber in zip(self.chambers, part.chambers, strict=True):
            painter.paint(image, chamber)
        self._paint_walls(image, part)
        self._paint_cavity(image, part)
        return image

    def _paint_sac(self, image: Floats, part: FrameSurfaces) -> None:
        """Paint the fat around the heart, inside the pericardium."""
        points, here = self.sac.points, self.sac.select(image)
        rim = part.sac.inside(points)
        _mix(here, np.clip(rim, 0, 1), self.sac_fat)
        _mix(
            here,
            clip_to_unit(np.float32(0.25) - np.abs(rim - np.float32(0.5)) * np.float32(0.4)),
            self.tissues["fibrous"],
        )
        self.sac.put(image, here)

    def _paint_walls(self, image: Floats, part: FrameSurfaces) -> None:
        """Paint wall and blood of the right ventricle, then the solid wall of the left one."""
        points, here = self.walls.points, self.walls.select(image)
        inner = part.rv_inner.share(points)
        _mix(here, clip_to_unit(part.rv_wall.share(points) - inner), self.walls_muscle)
        right = clip_to_unit(part.rv_blood.share(points) - inner)
        _mix(here, right * self.muscles.free_share(points, part, self.strands), self.walls_blood)
        _mix(here, part.epi.share(points) * self._below_valve(points, part.frame), self.walls_muscle)
        self.walls.put(image, here)

    def _paint_cavity(self, image: Floats, part: FrameSurfaces) -> None:
        """Paint blood, papillary muscles, trabeculae and leaflets of the left ventricle."""
        points, here = self.cavity.points, self.cavity.select(image)
        blood = part.endo.share(points) * self._below_valve(points, part.frame)
        void = self.flow * self.muscles.jet(points, part.frame)
        _mix(here, blood, self.cavity_blood * (1 - void))
        _mix(here, blood * self.muscles.muscle_share(points, part.frame), self.cavity_muscle)
        if self.is_basal:
            _mix(here, leaflet_share(points, part.frame, part.sheet_mm), self.tissues["fibrous"])
        self.cavity.put(image, here)

    def _below_valve(self, points: HeartPoints, frame: HeartFrame) -> Floats:
        """Return the fraction of each point's surroundings on the ventricular side of the mitral plane."""
        return clip_to_unit(np.float32(0.5) + (points.z - np.float32(frame.left.base_mm)) * self.per_edge)

    def labels(self, part: FrameSurfaces, *, with_atria: bool) -> NDArray[np.uint8]:
        """Return the label codes (pixel) of the voxel centres, in the middle sheet."""
        middle = _sheet(self.points, N_SHEETS // 2)
        frame = part.frame
        below_valve = middle.z >= frame.left.base_mm
        outside_rv = middle.radius < frame.rv_inner.ravel()[middle.index]
        codes = self._atria(part) if with_atria else np.zeros(middle.z.shape, dtype=np.uint8)
        codes[~outside_rv & (middle.radius < frame.rv_wall.ravel()[middle.index])] = 0
        codes[~outside_rv & (middle.radius < frame.rv_blood.ravel()[middle.index])] = _CODES["rv"]
        codes[below_valve & (middle.radius < frame.epi.ravel()[middle.index])] = _CODES["myo"]
        codes[below_valve & (middle.radius < frame.endo.ravel()[middle.index])] = _CODES["lv"]
        return codes

    def _atria(self, part: FrameSurfaces) -> NDArray[np.uint8]:
        """Return the codes (pixel) of the atria in the middle sheet, in the order in which chambers are painted."""
        codes = np.zeros(self.points.z.shape, dtype=np.uint8)
        for painter, chamber in zip(self.chambers, part.chambers, strict=True):
            painter.label(codes, chamber)
        middle: NDArray[np.uint8] = codes[N_SHEETS // 2]
        return middle


def _draw_blood(seed: int) -> tuple[float, float]:
    """Draw the unevenness of blood over some centimetres, and its brightness in atria and great vessels relative to
    the ventricles, where it is less fresh."""
    rng = np.random.default_rng((seed, 19))
    return float(min(abs(rng.normal(0, 0.08)), 0.2)), float(rng.uniform(0.92, 1.3))


def _sheet(points: HeartPoints, sheet: int) -> HeartPoints:
    return HeartPoints(**{name: value[sheet] for name, value in vars(points).items()})


def _mix(image: Floats, share: Floats, value: Floats | float) -> None:
    image += share * (value - image)
