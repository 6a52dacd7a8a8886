"""From heart, body and plane to signal: each frame of each slice, with partial volume, and its labels.

The body is painted once a slice, the heart frame by frame on the pixels that it can reach. Through the slice a
few sheets are sampled by the slice profile's weights; surfaces that stand obliquely in a sheet are softened by
the way they make through it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.phantom.arrays import clip_to_unit
from cinema_cmr.phantom.body import Body
from cinema_cmr.phantom.chambers import Chamber, chamber_depth
from cinema_cmr.phantom.heart import HeartFrame, HeartPoints
from cinema_cmr.phantom.planes import ImagePlane
from cinema_cmr.phantom.surfaces import FrameSurfaces
from cinema_cmr.phantom.valves import leaflet_share

__all__ = ["Beat", "RenderedSlice", "render_slice"]

Floats = NDArray[np.float32]

N_SHEETS = 3
_REACH_MM = 4.0
_ATRIA_REACH_MM = 85.0
_UNEVEN_ATRIA_MM = 2.5
_FAT_OF_CHAMBERS_MM = 1.5
"""Outside of their walls."""
_SOFT_MM = 12.0
"""What a softened surface can reach beyond itself, where it crosses a sheet most obliquely."""
_BELOW_VALVES_MM = 25.0
"""Half a great artery, its wall and its edge."""


@dataclass(frozen=True, kw_only=True)
class RenderedSlice:
    """One slice over all frames: signal (t, x, y), fat negative, and labels (t, x, y)."""

    signal: Floats
    labels: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Beat:
    """All frames as one view's slices see them, and the furthest that each part of the heart comes in any of them."""

    parts: Sequence[FrameSurfaces]

    @cached_property
    def sac(self) -> Floats:
        """(theta * z) largest radius of the pericardium."""
        return self._furthest(lambda frame: frame.sac)

    @cached_property
    def walls(self) -> Floats:
        """Of the wall of either ventricle."""
        return self._furthest(lambda frame: np.maximum(frame.rv_wall, frame.epi))

    @cached_property
    def cavity(self) -> Floats:
        """Of the left ventricle's blood."""
        return self._furthest(lambda frame: frame.endo)

    @cached_property
    def lowest_valve_mm(self) -> float:
        """Heart z in mm of the valve that comes nearest to the apex."""
        frames = [part.frame for part in self.parts]
        return max(max(f.left.base_mm, f.right.tricuspid_mm, f.right.outflow_mm) for f in frames)

    def _furthest(self, surface: Callable[[HeartFrame], Floats]) -> Floats:
        largest = surface(self.parts[0].frame).copy()
        for part in self.parts[1:]:
            np.maximum(largest, surface(part.frame), out=largest)
        return largest.ravel()


def sheets(thickness_mm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Offsets of the sheets from the slice's middle, the middle one 0, and their weights, summing to 1.

    The profile of a selective pulse is flat with shoulders: its outer parts give less than its middle.
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
) -> RenderedSlice:
    """Signal and labels of a slice in all frames."""
    offsets, weights = sheets(plane.thickness_mm)
    points = np.stack([plane.points(index, offset) for offset in offsets], axis=0)
    edge = float(np.linalg.norm(plane.affine[:3, 0]))
    background = body.signal(points, tissues, edge)
    signal = np.tensordot(weights.astype(np.float32), background, axes=1)
    located = body.heart.locate(points)
    spots = np.flatnonzero(_reach(located, beat))
    near = HeartPoints(**{name: _at(value, spots) for name, value in vars(located).items()})
    behind = _at(background, spots)
    there = points.reshape(len(points), -1, 3)[:, spots]
    noise = [body.texture.at(there, scale, shift=21.7 - scale) for scale in (9.0, 5.0, 45.0)]
    painter = _HeartPainter(body, near, behind, noise, beat=beat, tissues=tissues, flow=flow, edge_mm=edge)
    frames = np.repeat(signal[None], len(beat.parts), axis=0)
    labels = np.zeros(frames.shape, dtype=np.uint8)
    for t, part in enumerate(beat.parts):
        mixed, codes = painter.frame(part)
        frames[t].reshape(-1)[spots] = np.tensordot(weights.astype(np.float32), mixed, axes=1)
        labels[t].reshape(-1)[spots] = codes
    return RenderedSlice(signal=frames, labels=labels)


def _reach(points: HeartPoints, beat: Beat) -> NDArray[np.bool_]:
    """(x, y) pixels that any part of the heart may reach in any frame."""
    in_sac = points.radius < beat.sac[points.index] + _REACH_MM
    in_atria = (points.z < 20) & (points.z > -78) & (points.radius < _ATRIA_REACH_MM)
    return np.asarray((in_sac | in_atria).any(axis=0))


def _below(points: HeartPoints, furthest: Floats) -> NDArray[np.bool_]:
    """Points that a surface, softened, may reach."""
    below: NDArray[np.bool_] = points.radius < furthest[points.index] + _SOFT_MM
    return below


def _at(values: NDArray[Any], spots: NDArray[np.intp]) -> NDArray[Any]:
    """(sheet, x, y) -> (sheet, pixel) at flat places of the plane."""
    return np.take(values.reshape(len(values), -1), spots, axis=1)


class _Region:
    """Those points of a slice that a part of the heart can reach in any frame."""

    def __init__(self, points: HeartPoints, inside: NDArray[np.bool_]) -> None:
        self.at = np.flatnonzero(inside)
        self.points = HeartPoints(**{name: value.ravel()[self.at] for name, value in vars(points).items()})

    def of(self, values: Floats) -> Floats:
        """(sheet, pixel) values of the slice -> those of the region."""
        return values.ravel()[self.at]

    def put(self, image: Floats, values: Floats) -> None:
        """Write the region's values into the slice's (sheet, pixel)."""
        image.reshape(-1)[self.at] = values


@dataclass(frozen=True, kw_only=True)
class _Around:
    """What chambers are painted with: (sheet, pixel) of the slice."""

    blood: Mapping[str, Floats]
    uneven_mm: Floats
    """How far an atrium's wall lies out, here and there."""
    fat: Floats
    muscle: Floats


class _ChamberPainter:
    """Paints one atrium or great vessel on those points of a slice that it can reach in any frame."""

    def __init__(self, points: HeartPoints, frames: Sequence[Chamber], around: _Around, per_edge: np.float32) -> None:
        outside = frames[0].wall_mm + _FAT_OF_CHAMBERS_MM + 0.5 / float(per_edge)
        uneven = float(np.max(around.uneven_mm, initial=0)) if frames[0].is_atrium else 0.0
        reach = [chamber.reach(outside + uneven) for chamber in frames]
        low, high = np.min([low for low, _ in reach], axis=0), np.max([high for _, high in reach], axis=0)
        self.region = _Region(points, _in_boxes(points, low, high))
        self.blood = self.region.of(around.blood[frames[0].blood])
        self.uneven_mm = self.region.of(around.uneven_mm)
        self.fat, self.muscle = self.region.of(around.fat), self.region.of(around.muscle)
        self.per_edge = per_edge

    def paint(self, image: Floats, chamber: Chamber) -> None:
        """Fat, wall and blood of the chamber as it is in a frame, over the image (sheet, pixel)."""
        if not self.region.at.size:
            return
        here, depth = self.region.of(image), chamber_depth(chamber, self.region.points)
        if chamber.is_atrium:
            depth = depth + self.uneven_mm
        _mix(here, self._share(depth + (chamber.wall_mm + _FAT_OF_CHAMBERS_MM)), self.fat)
        _mix(here, self._share(depth + chamber.wall_mm), self.muscle)
        _mix(here, self._share(depth), self.blood)
        self.region.put(image, here)

    def _share(self, depth: Floats) -> Floats:
        inside = depth * self.per_edge
        inside += np.float32(0.5)
        return clip_to_unit(inside)


def _in_boxes(points: HeartPoints, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Points in any of the boxes (box, 3)."""
    inside = np.zeros(points.z.shape, dtype=np.bool_)
    for lowest, highest in zip(low.astype(np.float32), high.astype(np.float32), strict=True):
        axes = zip((points.x, points.y, points.z), lowest, highest, strict=True)
        inside |= np.logical_and.reduce([(at > first) & (at < last) for at, first, last in axes])
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
        uneven, brightness = _blood_of(body.subject.seed)
        streams = np.float32(uneven) * noise[2]
        left_blood = np.float32(tissues["arterial"]) * (1 + np.float32(0.05) * noise[0] + streams)
        right_blood = np.float32(tissues["venous"]) * (1 + np.float32(0.09) * noise[0] + streams)
        muscle = np.float32(tissues["myocardium"]) * (1 + np.float32(0.04) * noise[0])
        fat = np.float32(tissues["fat"]) * (1 + np.float32(0.12) * noise[1])
        self.sac = _Region(points, _below(points, beat.sac))
        self.sac_fat = self.sac.of(fat)
        self.is_basal = bool((points.z < beat.lowest_valve_mm + _BELOW_VALVES_MM).any())
        atria = np.float32(brightness)
        around = _Around(
            blood={"arterial": atria * left_blood, "venous": atria * right_blood},
            uneven_mm=np.float32(_UNEVEN_ATRIA_MM) * noise[2],
            fat=fat,
            muscle=muscle,
        )
        its_frames = zip(*(part.chambers for part in beat.parts), strict=True)
        self.chambers = [_ChamberPainter(points, its, around, self.per_edge) for its in its_frames]
        self.walls = _Region(points, _below(points, beat.walls))
        self.walls_muscle, self.walls_blood = self.walls.of(muscle), self.walls.of(right_blood)
        self.strands = self.walls.of(noise[1])
        self.cavity = _Region(points, _below(points, beat.cavity))
        self.cavity_muscle, self.cavity_blood = self.cavity.of(muscle), self.cavity.of(left_blood)

    def frame(self, part: FrameSurfaces) -> tuple[Floats, NDArray[np.uint8]]:
        """Signal (sheet, pixel) and labels (pixel) of a frame."""
        image = self.behind.copy()
        self._paint_sac(image, part)
        for painter, chamber in zip(self.chambers, part.chambers, strict=True):
            painter.paint(image, chamber)
        self._paint_walls(image, part)
        self._paint_cavity(image, part)
        return image, self._labels(part)

    def _paint_sac(self, image: Floats, part: FrameSurfaces) -> None:
        """The fat around the heart, in the pericardium."""
        points, here = self.sac.points, self.sac.of(image)
        rim = part.sac.inside(points)
        _mix(here, np.clip(rim, 0, 1), self.sac_fat)
        _mix(
            here,
            clip_to_unit(np.float32(0.25) - np.abs(rim - np.float32(0.5)) * np.float32(0.4)),
            self.tissues["fibrous"],
        )
        self.sac.put(image, here)

    def _paint_walls(self, image: Floats, part: FrameSurfaces) -> None:
        """Wall and blood of the right ventricle, then the left one's wall, solid."""
        points, here = self.walls.points, self.walls.of(image)
        inner = part.rv_inner.share(points)
        _mix(here, clip_to_unit(part.rv_wall.share(points) - inner), self.walls_muscle)
        right = clip_to_unit(part.rv_blood.share(points) - inner)
        _mix(here, right * self.muscles.free_share(points, part, self.strands), self.walls_blood)
        _mix(here, part.epi.share(points) * self._below_valve(points, part.frame), self.walls_muscle)
        self.walls.put(image, here)

    def _paint_cavity(self, image: Floats, part: FrameSurfaces) -> None:
        """Blood, papillary muscles, trabeculae and leaflets of the left ventricle."""
        points, here = self.cavity.points, self.cavity.of(image)
        blood = part.endo.share(points) * self._below_valve(points, part.frame)
        void = self.flow * self.muscles.jet(points, part.frame)
        _mix(here, blood, self.cavity_blood * (1 - void))
        _mix(here, blood * self.muscles.muscle_share(points, part.frame), self.cavity_muscle)
        if self.is_basal:
            _mix(here, leaflet_share(points, part.frame, part.sheet_mm), self.tissues["fibrous"])
        self.cavity.put(image, here)

    def _below_valve(self, points: HeartPoints, frame: HeartFrame) -> Floats:
        """Share of each point's surroundings on the ventricle's side of the mitral plane."""
        return clip_to_unit(np.float32(0.5) + (points.z - np.float32(frame.left.base_mm)) * self.per_edge)

    def _labels(self, part: FrameSurfaces) -> NDArray[np.uint8]:
        """Codes in the middle sheet: what the point in the middle of the voxel is."""
        middle = _sheet(self.points, N_SHEETS // 2)
        frame = part.frame
        below_valve = middle.z >= frame.left.base_mm
        codes = np.zeros(middle.z.shape, dtype=np.uint8)
        codes[middle.radius < frame.rv_blood.ravel()[middle.index]] = 1
        codes[middle.radius < frame.rv_inner.ravel()[middle.index]] = 0
        codes[below_valve & (middle.radius < frame.epi.ravel()[middle.index])] = 2
        codes[below_valve & (middle.radius < frame.endo.ravel()[middle.index])] = 3
        return codes


def _blood_of(seed: int) -> tuple[float, float]:
    """How uneven blood is over some centimetres, and how bright it is in atria and great vessels against the
    ventricles: fresh blood comes in there."""
    rng = np.random.default_rng((seed, 19))
    return float(min(abs(rng.normal(0, 0.08)), 0.2)), float(rng.uniform(0.92, 1.3))


def _sheet(points: HeartPoints, sheet: int) -> HeartPoints:
    return HeartPoints(**{name: value[sheet] for name, value in vars(points).items()})


def _mix(image: Floats, share: Floats, value: Floats | float) -> None:
    image += share * (value - image)
