"""From heart, body and plane to signal: each frame of each slice, with partial volume, and its labels.

The body is painted once a slice, the heart frame by frame on the pixels that it can reach. Through the slice a
few sheets are sampled by the slice profile's weights; surfaces that stand obliquely in a sheet are softened by
the way they make through it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.phantom.body import Body
from cinema_cmr.phantom.chambers import Chambers, depth_in
from cinema_cmr.phantom.heart import N_THETA, N_Z, Z_STEP_MM, HeartFrame, HeartPoints
from cinema_cmr.phantom.planes import ImagePlane
from cinema_cmr.phantom.valves import Muscles, leaflet_share

__all__ = ["RenderedSlice", "SlicePart", "render_slice", "sharpened"]

Floats = NDArray[np.float32]

N_SHEETS = 3
_REACH_MM = 4.0
_ATRIA_REACH_MM = 85.0
_UNEVEN_ATRIA_MM = 2.5


@dataclass(frozen=True, kw_only=True)
class RenderedSlice:
    """One slice over all frames: signal (t, x, y), fat negative, and labels (t, x, y)."""

    signal: Floats
    labels: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A surface on the (theta, z) table as its share-inside: clip(offset - slope * radius, 0, 1)."""

    offset: Floats
    slope: Floats

    def share(self, points: HeartPoints) -> Floats:
        """(...) share of each point's surroundings that lies inside."""
        inside = self.offset[points.index] - self.slope[points.index] * points.radius
        return np.clip(inside, 0, 1, out=inside)


@dataclass(frozen=True, kw_only=True)
class SlicePart:
    """Surfaces of one frame, softened for one view's pixels and sheets."""

    frame: HeartFrame
    sheet_mm: float
    """Way between sheets along the heart's axis."""
    endo: Surface
    epi: Surface
    rv_inner: Surface
    rv_blood: Surface
    rv_wall: Surface
    sac: Surface


def sharpened(frame: HeartFrame, pixel_mm: float, sheet_mm: float) -> SlicePart:
    """A frame's surfaces with edges a pixel wide, wider where the surface crosses a sheet obliquely."""

    def soft(radius: Floats) -> Surface:
        table = radius.reshape(N_THETA, N_Z)
        rise = np.zeros_like(table)
        rise[:, 1:-1] = np.clip(np.abs(table[:, 2:] - table[:, :-2]) / (2 * Z_STEP_MM), 0, 3)
        width = np.sqrt(pixel_mm**2 + (rise * sheet_mm) ** 2)
        slope = (1 / width).astype(np.float32).ravel()
        return Surface(offset=(0.5 + slope * radius.ravel()).astype(np.float32), slope=slope)

    return SlicePart(
        frame=frame,
        sheet_mm=sheet_mm,
        endo=soft(frame.endo),
        epi=soft(frame.epi),
        rv_inner=soft(frame.rv_inner),
        rv_blood=soft(frame.rv_blood),
        rv_wall=soft(frame.rv_wall),
        sac=soft(frame.sac),
    )


def sheets(thickness_mm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Offsets of the sheets from the slice's middle, the middle one 0, and their weights, summing to 1.

    The profile of a selective pulse is flat with shoulders: its outer parts give less than its middle.
    """
    offsets = (np.arange(N_SHEETS) - (N_SHEETS - 1) / 2) * thickness_mm / N_SHEETS
    weights = np.exp(-0.5 * (offsets / (0.55 * thickness_mm)) ** 2)
    return offsets, weights / weights.sum()


def render_slice(
    body: Body,
    parts: Sequence[SlicePart],
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
    reached = _reach(located, parts)
    near = _cut(located, reached)
    behind = background[:, reached]
    noise = [body.texture.at(points[:, reached], scale, shift=21.7 - scale) for scale in (9.0, 5.0, 45.0)]
    painter = _HeartPainter(body, near, behind, noise, tissues=tissues, flow=flow, edge_mm=edge)
    frames = np.repeat(signal[None], len(parts), axis=0)
    labels = np.zeros(frames.shape, dtype=np.uint8)
    for t, part in enumerate(parts):
        mixed, codes = painter.frame(part)
        frames[t, reached] = np.tensordot(weights.astype(np.float32), mixed, axes=1)
        labels[t, reached] = codes
    return RenderedSlice(signal=frames, labels=labels)


def _reach(points: HeartPoints, parts: Sequence[SlicePart]) -> NDArray[np.bool_]:
    """(x, y) pixels that any part of the heart may reach in any frame."""
    furthest = np.max([part.frame.sac.ravel() for part in parts], axis=0)
    in_sac = points.radius < furthest[points.index] + _REACH_MM
    in_atria = (points.z < 20) & (points.z > -78) & (points.radius < _ATRIA_REACH_MM)
    return np.asarray((in_sac | in_atria).any(axis=0))


def _cut(points: HeartPoints, pixels: NDArray[np.bool_]) -> HeartPoints:
    return HeartPoints(**{name: value[:, pixels] for name, value in vars(points).items()})


class _HeartPainter:
    """Paints the heart over the body on the pixels of one slice, frame by frame."""

    def __init__(
        self,
        body: Body,
        points: HeartPoints,
        behind: Floats,
        noise: Sequence[Floats],
        *,
        tissues: Mapping[str, float],
        flow: float,
        edge_mm: float,
    ) -> None:
        self.chambers = Chambers(heart=body.heart)
        self.muscles = Muscles(heart=body.heart)
        self.points, self.behind, self.noise = points, behind, noise
        self.tissues, self.flow, self.per_edge = tissues, flow, np.float32(1 / edge_mm)
        self.basal = bool((points.z < 25).any())
        uneven, self.atria = _blood_of(body.subject.seed)
        streams = np.float32(uneven) * noise[2]
        self.left_blood = np.float32(tissues["arterial"]) * (1 + np.float32(0.05) * noise[0] + streams)
        self.right_blood = np.float32(tissues["venous"]) * (1 + np.float32(0.09) * noise[0] + streams)
        self.muscle = np.float32(tissues["myocardium"]) * (1 + np.float32(0.04) * noise[0])
        self.fat = np.float32(tissues["fat"]) * (1 + np.float32(0.12) * noise[1])

    def frame(self, part: SlicePart) -> tuple[Floats, NDArray[np.uint8]]:
        """Signal (sheet, pixel) and labels (pixel) of a frame."""
        points, image = self.points, self.behind.copy()
        _mix(image, part.sac.share(points), self.fat)
        rim = part.sac.offset[points.index] - part.sac.slope[points.index] * points.radius
        _mix(image, np.clip(0.25 - np.abs(rim - 0.5) * 0.4, 0, 1), self.tissues["fibrous"])
        if self.basal:
            self._paint_chambers(image, part.frame)
        inner = part.rv_inner.share(points)
        _mix(image, np.clip(part.rv_wall.share(points) - inner, 0, 1), self.muscle)
        right = np.clip(part.rv_blood.share(points) - inner, 0, 1)
        epi, endo = part.epi.share(points), part.endo.share(points)
        below_valve = np.clip(0.5 + (points.z - np.float32(part.frame.left.base_mm)) * self.per_edge, 0, 1)
        _mix(image, right * self.muscles.free_share(points, part, self.noise[1]), self.right_blood)
        _mix(image, epi * below_valve, self.muscle)
        blood = endo * below_valve
        void = self.flow * self.muscles.jet(points, part.frame)
        _mix(image, blood, self.left_blood * (1 - void))
        _mix(image, blood * self.muscles.muscle_share(points, part.frame), self.muscle)
        if self.basal:
            _mix(image, leaflet_share(points, part.frame, part.sheet_mm), self.tissues["fibrous"])
        return image, self._labels(part)

    def _paint_chambers(self, image: Floats, frame: HeartFrame) -> None:
        for chamber in self.chambers.at(frame):
            depth = depth_in(chamber, self.points)
            if chamber.is_atrium:
                depth = depth + np.float32(_UNEVEN_ATRIA_MM) * self.noise[2]
            blood = np.float32(self.atria) * (self.left_blood if chamber.blood == "arterial" else self.right_blood)
            _mix(image, np.clip(0.5 + (depth + chamber.wall_mm + 1.5) * self.per_edge, 0, 1), self.fat)
            _mix(image, np.clip(0.5 + (depth + chamber.wall_mm) * self.per_edge, 0, 1), self.muscle)
            _mix(image, np.clip(0.5 + depth * self.per_edge, 0, 1), blood)

    def _labels(self, part: SlicePart) -> NDArray[np.uint8]:
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
