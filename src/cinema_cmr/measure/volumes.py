"""Volume of each structure in every frame: the sum of area times the length represented by a slice.

Area times slice distance after the SCMR post-processing recommendations (JCMR 2020;22:19); distances come from the
slice positions, so that gaps and uneven spacing count as they are. A frame without a structure has the volume NaN,
never 0: an empty mask is a missed structure, not an empty ventricle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, Landmarks, check_same_grid
from cinema_cmr.core.errors import InputError, UsageError, unknown_name
from cinema_cmr.core.vocabulary import CINE_LABELS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.basal.end import BasalEnd, BasalEvidence, find_base
from cinema_cmr.measure.basal.rim import enclosed_fractions
from cinema_cmr.measure.descent import atrial_slices
from cinema_cmr.measure.phases import covers_cycle
from cinema_cmr.measure.valve_plane import ValvePlanes, apical_shares

__all__ = [
    "CLEAR_RIM",
    "CODES",
    "FRAMES_OF_MOTION",
    "MIN_MYOCARDIAL_RIM",
    "OLD_BASAL_RULES",
    "BasalRule",
    "Volumes",
    "enclosed_fractions",
    "measure_volumes",
]

CODES: dict[str, int] = {label.name: label.code for label in CINE_LABELS}
"""Structure -> code in a cine mask."""

BasalRule = Literal["scmr", "descent", "all-slices", "valve-plane"]

OLD_BASAL_RULES: Mapping[str, BasalRule] = {"half-rim": "scmr"}
"""Former name -> present name of a basal rule; former names are still read from files and options."""

MIN_MYOCARDIAL_RIM = 0.4
"""Default fraction of the rim of a basal slice's blood that must border myocardium for the slice to count.

SCMR 2020 counts a basal slice when myocardium surrounds at least half of its blood. A tenth less is required of a
mask, because its thin basal wall ends before its blood does. Neither number excludes anything from the masks of the
ACDC experts; in masks of a network, slices that the experts count had 45 to 50 %."""

MAX_BASAL_SHARE = 1 / 3
"""Largest share of the LV slices of a frame that the basal rule may exclude; more indicates a failed mask."""

CLEAR_RIM = 0.9
"""Fraction of the rim from which a basal slice counts in a frame although it counts in neither frame beside it, as one
that a reader draws in ED alone. A network closed 80 % of one that was in no other frame."""

FRAMES_OF_MOTION = 15
"""Smallest number of frames of a beat in which a base does not come and go within one: 67 ms at 60 beats a minute."""


@dataclass(frozen=True, kw_only=True)
class Volumes:
    """Volume curves of one short-axis mask, with the rule of counting."""

    lv_ml: NDArray[np.float64]
    """(t,) LV blood with papillary muscles; NaN in a frame without it."""
    rv_ml: NDArray[np.float64]
    """(t,) RV blood; NaN in a frame without it."""
    myo_ml: NDArray[np.float64]
    """(t,) LV myocardium; NaN in a frame without it."""
    lv_shares: NDArray[np.float64]
    """(z, t) share of the LV blood of a slice that is counted, 0 to 1; a valve plane may cut a slice."""
    lv_counted: NDArray[np.bool_]
    """(z, t), True if the LV blood of a slice is counted, half of it or more."""
    lv_excluded: NDArray[np.bool_]
    """(z, t), True if the basal rule excludes the LV blood of a slice, all of it or more than half."""
    lone: NDArray[np.bool_]
    """(z, t), True if neither blood nor wall of a basal slice counts, as it is there in one frame alone."""
    base_evidence: BasalEvidence
    """End of the stack at which the base lies, and what shows it."""
    basal_rule: BasalRule
    min_myocardial_rim: float
    """Fraction of the rim of the blood below which the rules "scmr" and "descent" exclude a basal slice."""
    valve_planes: ValvePlanes | None = None
    """Valve planes that the rule "valve-plane" cut the LV blood with."""

    @property
    def base(self) -> BasalEnd | None:
        """End of the stack at which the base lies; None if nothing determines it."""
        return self.base_evidence.end


def measure_volumes(
    cine: Cine,
    labels: LabelMap,
    *,
    basal_rule: BasalRule = "scmr",
    min_myocardial_rim: float = MIN_MYOCARDIAL_RIM,
    valve_planes: ValvePlanes | None = None,
    landmarks: Mapping[View, Landmarks] | None = None,
) -> Volumes:
    """Measure the volume curves of LV, RV and myocardium in ml over all frames of a short-axis stack.

    The rule "descent" is "scmr" without the slices that hold atrium in systole (`descent.atrial_slices`); the rule
    "valve-plane" counts LV blood on the apical side of `valve_planes`. Raises `GeometryError` for a mask on
    another grid, `InputError` for a mask of other structures, `UsageError` for an unknown rule or missing planes.
    """
    check_same_grid(labels, cine)
    if labels.scheme != "cine":
        raise InputError(f"label map has the scheme '{labels.scheme}'; expected 'cine' (RV, MYO, LV)")
    if basal_rule not in get_args(BasalRule):
        raise unknown_name("basal rule", basal_rule, get_args(BasalRule))
    counts = {name: _voxels_per_slice(labels.array, code) for name, code in CODES.items()}
    evidence = find_base(cine, labels, landmarks)
    base = evidence.end
    shares = _lv_shares(cine, labels, counts["lv"], base, (basal_rule, min_myocardial_rim, valve_planes))
    lone = np.zeros(shares.shape, dtype=bool)
    if basal_rule in ("scmr", "descent") and base is not None:
        lone = _lone_slices(cine, labels, (counts["lv"] > 0) & (shares > 0), base)
        shares = np.where(lone, 0.0, shares)
    if basal_rule == "descent" and base is not None:
        shares = np.where(_atrial(cine, counts, shares, base), 0.0, shares)
    excluded = (counts["lv"] > 0) & (shares < 0.5)
    return Volumes(
        lv_ml=_sum_of_slices(counts["lv"] * shares, cine),
        rv_ml=_sum_of_slices(counts["rv"], cine),
        myo_ml=_sum_of_slices(np.where(lone, 0, counts["myo"]), cine),
        lv_shares=shares,
        lv_counted=(counts["lv"] > 0) & ~excluded,
        lv_excluded=excluded,
        lone=lone,
        base_evidence=evidence,
        basal_rule=basal_rule,
        min_myocardial_rim=min_myocardial_rim,
        valve_planes=valve_planes if basal_rule == "valve-plane" else None,
    )


def _lv_shares(
    cine: Cine,
    labels: LabelMap,
    n_voxels: NDArray[np.int64],
    base: BasalEnd | None,
    rule: tuple[BasalRule, float, ValvePlanes | None],
) -> NDArray[np.float64]:
    """Return the (z, t) share of the LV blood of each slice that counts, 0 to 1."""
    basal_rule, min_myocardial_rim, valve_planes = rule
    if basal_rule in ("scmr", "descent") and base is not None:
        return np.where(_beyond_valve(enclosed_fractions(cine, labels), base, min_myocardial_rim), 0.0, 1.0)
    if basal_rule != "valve-plane":
        return np.ones(n_voxels.shape)
    if valve_planes is None:
        raise UsageError(
            "basal rule 'valve-plane' without valve planes; expected those of `find_valve_planes`, from the hinge"
            " points of a long-axis view: give them, or choose the rule 'scmr'"
        )
    blood = np.argwhere(labels.array == CODES["lv"])
    counted = np.zeros(n_voxels.shape)
    np.add.at(counted, (blood[:, 2], blood[:, 3]), apical_shares(cine, valve_planes, blood))
    return counted / np.maximum(n_voxels, 1)


def _atrial(
    cine: Cine, counts: Mapping[str, NDArray[np.int64]], shares: NDArray[np.float64], base: BasalEnd
) -> NDArray[np.bool_]:
    """Return the (z, t) slices whose blood, counted so far, is atrium by the beat."""
    ed = int(np.argmax(cine.voxel_volumes_ml @ (counts["lv"] * shares)))
    pixel_mm2 = float(cine.spacing_mm[0]) * float(cine.spacing_mm[1])
    blood_mm2: NDArray[np.float64] = pixel_mm2 * shares * counts["lv"]
    wall_mm2 = pixel_mm2 * counts["myo"].astype(np.float64)
    return atrial_slices(blood_mm2, wall_mm2, ed, base_first=base == "first")


def _voxels_per_slice(array: NDArray[np.uint8], code: int) -> NDArray[np.int64]:
    return np.asarray(np.count_nonzero(array == code, axis=(0, 1)), dtype=np.int64)


def _sum_of_slices(counts: NDArray[np.int64] | NDArray[np.float64], cine: Cine) -> NDArray[np.float64]:
    volumes = cine.voxel_volumes_ml @ counts
    return np.where(counts.any(axis=0), volumes, np.nan)


def _beyond_valve(enclosed: NDArray[np.float64], base: BasalEnd, min_rim: float) -> NDArray[np.bool_]:
    """Return a (z, t) mask of the slices at the basal end whose rim is myocardium for less than `min_rim`.

    Only the run of such slices that starts at the basal end is excluded, never mid-ventricle or apex.
    """
    excluded = np.zeros(enclosed.shape, dtype=bool)
    for frame in range(enclosed.shape[1]):
        present = np.flatnonzero(np.isfinite(enclosed[:, frame]))
        from_base = present if base == "first" else present[::-1]
        open_slices = enclosed[from_base, frame] < min_rim
        run = int(np.argmin(open_slices)) if not open_slices.all() else len(from_base)
        if 0 < run <= np.ceil(len(from_base) * MAX_BASAL_SHARE) and run < len(from_base):
            excluded[from_base[:run], frame] = True
    return excluded


def _lone_slices(cine: Cine, labels: LabelMap, counted: NDArray[np.bool_], base: BasalEnd) -> NDArray[np.bool_]:
    """Return a (z, t) mask of basal slices that count in one frame and in neither frame beside it.

    The valve moves on for several frames: a base that comes and goes within one, with less than `CLEAR_RIM` of its rim
    in myocardium, is an error of the mask. The first frame follows the last if the curve covers the cycle; else these
    two have no pair of neighbours. With fewer than `FRAMES_OF_MOTION` frames there are none.
    """
    if counted.shape[1] < FRAMES_OF_MOTION:
        return np.zeros_like(counted)
    blood = np.where(counted, _voxels_per_slice(labels.array, CODES["lv"]), 0)
    curve = _sum_of_slices(blood, cine)
    periodic = covers_cycle(curve, times_ms=cine.frame_times_ms, rr_interval_ms=cine.rr_interval_ms)
    from_base = counted if base == "first" else counted[::-1]
    lone = _above_neighbours(from_base, periodic=periodic)
    open_rim = np.nan_to_num(enclosed_fractions(cine, labels), nan=1.0) < CLEAR_RIM
    return (lone if base == "first" else lone[::-1]) & open_rim


def _above_neighbours(from_base: NDArray[np.bool_], *, periodic: bool) -> NDArray[np.bool_]:
    """Return the counted slices (z, t), ordered from the base, beyond the first ones of both neighbouring frames."""
    present = from_base.any(axis=0)
    first = from_base.argmax(axis=0)
    compared = present & np.roll(present, 1) & np.roll(present, -1)
    if not periodic:
        compared[[0, -1]] = False
    beside = np.where(compared, np.minimum(np.roll(first, 1), np.roll(first, -1)), 0)
    above = from_base & (np.arange(len(from_base))[:, None] < beside)
    few = above.sum(axis=0) <= np.ceil(from_base.sum(axis=0) * MAX_BASAL_SHARE)
    return np.asarray(above & few)
