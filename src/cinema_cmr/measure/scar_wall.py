"""Location of an infarct in the wall: along rays from the centre of the cavity, by level and by AHA segment.

Transmurality is the share of infarct in a ray's path through the wall; as a share of one straight line it does not
depend on the true pixel shape. Segments: Cerqueira et al., Circulation 2002;105:539. A scar map has no right ventricle,
so that the septum is placed by the patient axes: to the right and half as much to the front, which agrees with the
septum between the RV insertions to within 6 degrees in three of four oriented cines that were examined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.geometry import unit
from cinema_cmr.core.results import Measurement
from cinema_cmr.core.vocabulary import CINE_LABELS, SCAR_LABELS
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.basal.end import find_base
from cinema_cmr.measure.basal.rim import enclosed_fractions
from cinema_cmr.measure.definition import Definition
from cinema_cmr.measure.septum import blood_centre_mm
from cinema_cmr.measure.shape import AHA_SEGMENTS, FULL_RING, N_RAYS, STEP_MM, ray_segments, split_levels

__all__ = ["LEVELS", "ScarWall", "lesion_along_rays", "measure_scar_wall", "segment_values", "to_cine_labels"]

LEVELS = ("basal", "mid", "apical")

_SEPTUM_RAS = np.array([1.0, 0.5, 0.0])
_FRONT_AND_UP = np.array([0.0, 1.0, 1.0])
_MIN_IN_PLANE = 0.5
"""In-plane share of the direction of the septum below which a plane is not a usual short axis."""
_CODES = {label.name: label.code for label in SCAR_LABELS}
_RULE = "AHA segments (Circulation 2002;105:539), septum assumed to the patient's right and front"


@dataclass(frozen=True, kw_only=True)
class ScarWall:
    """Infarct along rays, by level and segment; `reason` explains empty parts."""

    levels: tuple[tuple[int, ...], ...] | None = None
    """Slices of the basal, mid and apical third with a closed wall."""
    infarct_percent: Mapping[int, float] = field(default_factory=dict)
    """AHA segment -> share of infarct in its wall."""
    transmurality_percent: Mapping[int, float] = field(default_factory=dict)
    """AHA segment -> mean transmurality of its rays with infarct; without infarct a segment is absent."""
    slices: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    rim_percent: float = float("nan")
    """Share of rays with infarct, of all rays of slices with a closed wall."""
    rim_half_percent: float = float("nan")
    """Share of rays with infarct in at least half of the wall."""
    rings: tuple[int, ...] = ()
    reason: str | None = None
    """Reason for absent levels or segments."""


def to_cine_labels(labels: LabelMap) -> LabelMap:
    """Convert a scar map to cine codes: the cavity, and the whole wall as myocardium."""
    codes = {label.name: label.code for label in CINE_LABELS}
    cine = np.zeros_like(labels.array)
    cine[labels.array > 0] = codes["myo"]
    cine[labels.array == _CODES["lv_cavity"]] = codes["lv"]
    return LabelMap(array=cine)


def lesion_along_rays(cine: Cine, labels: LabelMap, index: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lengths of wall and of infarct with no-reflow along rays, (360,) each in mm, at 0, 1, ... degrees.

    Rays start at the centre of the cavity of one slice of the first frame, which must have a closed wall.
    """
    plane = labels.array[..., index, 0]
    dx, dy, _ = cine.spacing_mm
    centre = blood_centre_mm(cine, to_cine_labels(labels), index, 0)
    x, y = np.nonzero(plane)
    furthest = float(np.hypot(x * dx - centre[0], y * dy - centre[1]).max())
    reach, angles = np.arange(0, furthest + 2 * max(dx, dy), STEP_MM), np.radians(np.arange(N_RAYS))
    i = np.rint((centre[0] + np.outer(np.cos(angles), reach)) / dx).astype(int)
    j = np.rint((centre[1] + np.outer(np.sin(angles), reach)) / dy).astype(int)
    inside = (i >= 0) & (i < plane.shape[0]) & (j >= 0) & (j < plane.shape[1])
    along = np.where(inside, plane[np.where(inside, i, 0), np.where(inside, j, 0)], 0)
    lesion = np.isin(along, (_CODES["infarct"], _CODES["no_reflow"]))
    wall = lesion | (along == _CODES["myo_normal"])
    return STEP_MM * wall.sum(axis=1), STEP_MM * lesion.sum(axis=1)


def measure_scar_wall(cine: Cine, labels: LabelMap) -> ScarWall:
    """Measure levels, rim and segments of the first frame of a scar map, as far as slices and orientation allow."""
    as_cine = to_cine_labels(labels)
    enclosed = np.nan_to_num(enclosed_fractions(cine, as_cine)[:, 0])
    rings = [int(index) for index in np.flatnonzero(enclosed >= FULL_RING)]
    if len(rings) < 3:
        return ScarWall(reason=f"{len(rings)} slices have a closed wall; three levels need at least 3")
    rays = {index: lesion_along_rays(cine, labels, index) for index in rings}
    rim, rim_half = _rim_percent(list(rays.values()))
    base = find_base(cine, as_cine).end
    result = ScarWall(rim_percent=rim, rim_half_percent=rim_half, rings=tuple(rings))
    if base is None:
        return replace(result, reason="neither the labels nor the orientation determine base and apex")
    levels = tuple(tuple(level) for level in split_levels(cine, np.array(rings if base == "first" else rings[::-1])))
    if any(not level for level in levels):
        return replace(result, reason="the slices with a closed wall leave one of the three levels empty")
    result, septum = replace(result, levels=levels), _septum(cine)
    if septum is None:
        reason = "no right ventricle is labelled and the orientation does not determine the septum"
        return replace(result, reason=reason)
    return _by_segment(rays, result, levels, septum)


def _rim_percent(rays: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> tuple[float, float]:
    wall, lesion = (np.concatenate(parts) for parts in zip(*rays, strict=True))
    has_wall = wall > 0
    share = lesion[has_wall] / wall[has_wall]
    return 100 * float((share > 0).mean()), 100 * float((share >= 0.5).mean())


def _septum(cine: Cine) -> tuple[float, int] | None:
    """Return the angle of mid septum in the plane, and the sense (+1 or -1) in which the anterior wall follows."""
    if not cine.orientation_known:
        return None
    x_axis, y_axis = unit(cine.affine[:3, 0]), unit(cine.affine[:3, 1])
    septum = np.array([_SEPTUM_RAS @ x_axis, _SEPTUM_RAS @ y_axis]) / np.linalg.norm(_SEPTUM_RAS)
    front = np.array([_FRONT_AND_UP @ x_axis, _FRONT_AND_UP @ y_axis])
    cross = septum[0] * front[1] - septum[1] * front[0]
    if np.linalg.norm(septum) < _MIN_IN_PLANE or abs(cross) < 1e-6:
        return None
    return float(np.arctan2(septum[1], septum[0])), 1 if cross > 0 else -1


def _by_segment(
    rays: Mapping[int, tuple[NDArray[np.float64], NDArray[np.float64]]],
    result: ScarWall,
    levels: tuple[tuple[int, ...], ...],
    septum: tuple[float, int],
) -> ScarWall:
    share, depth, slices = {}, {}, {}
    for level, indices in enumerate(levels):
        segments = ray_segments(level, *septum)
        wall, lesion = (np.stack([rays[index][part] for index in indices]) for part in (0, 1))
        for segment in np.unique(segments).tolist():
            w, s = wall[:, segments == segment], lesion[:, segments == segment]
            share[segment], slices[segment] = 100 * float(s.sum() / w.sum()), tuple(sorted(indices))
            if (s > 0).any():
                depth[segment] = 100 * float((s[s > 0] / w[s > 0]).mean())
    return replace(result, infarct_percent=share, transmurality_percent=depth, slices=slices)


def segment_values(wall: ScarWall) -> Iterator[Measurement]:
    """Yield the extent of the infarct along the rim, then its share and transmurality in each AHA segment."""
    yield from _rim_values(wall)
    for segment, title in AHA_SEGMENTS.items():
        for name, prefix, values, rule, absence in (
            ("infarct_percent", "infarct", wall.infarct_percent, f"{_RULE}; share of the rays' wall", ""),
            (
                "transmurality_percent",
                "transmurality",
                wall.transmurality_percent,
                f"{_RULE}; mean over rays with infarct",
                "no infarct in the segment",
            ),
        ):
            definition = Definition(
                name=f"{name}_aha{segment:02d}",
                title=f"{prefix}, {title}",
                unit="%",
                method="late enhancement, rays from the cavity's centre",
                rule=rule,
            )
            if segment in values:
                yield definition.value(values[segment], frames=(0,), slices=wall.slices[segment])
            else:
                yield definition.absent(wall.reason or absence)


def _rim_values(wall: ScarWall) -> Iterator[Measurement]:
    for name, title, value, rule in (
        ("infarct_rim_percent", "rim with infarct", wall.rim_percent, "share of rays with infarct"),
        (
            "infarct_transmural_rim_percent",
            "rim with at least half of the wall infarcted",
            wall.rim_half_percent,
            "share of rays with infarct in at least half of the wall",
        ),
    ):
        definition = Definition(
            name=name,
            title=title,
            unit="%",
            method="late enhancement, rays from the cavity's centre",
            rule=f"{rule}, over slices with a closed wall",
        )
        if wall.rings:
            yield definition.value(value, frames=(0,), slices=wall.rings)
        else:
            yield definition.absent(wall.reason or "")
