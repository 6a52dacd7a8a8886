"""Long-axis motion from landmarks of the long-axis views, and biplane LV volume from 2- and 4-chamber masks.

End-diastole and end-systole are the frames of the longest and shortest ventricle, so that they cannot be swapped.
User-supplied frames are used unchanged; a wrong pair shows as a shortening below 0.

The long axis of a view runs from the middle of its two hinge points to the apex. In the 3-chamber view the left
ventricle opens into the aorta too: the axis begins in the middle of the mitral valve, not of the whole opening.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.geometry import unit
from cinema_cmr.core.results import Flag, Measurement
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.definition import SHORT_NAMES, Definition
from cinema_cmr.measure.phases import FRAMES_TO_COMPARE, Phases, find_phases, override_phases
from cinema_cmr.measure.volumes import CODES

__all__ = [
    "axis_lengths_mm",
    "biplane_mismatch",
    "biplane_values",
    "biplane_volumes_ml",
    "long_axis_curves",
    "long_axis_values",
]

Points = NDArray[np.float64]

BY_LENGTH = "end-diastole / end-systole: longest / shortest distance from mitral valve to apex"

SAME_PHASE = "given frames moved to the same phase of the cycle, because the stack has another number of frames"

FRAMES_NOT_USED = "given frames not used, because the stack has another number of frames, and too few to match them"

EXCURSION = "displacement of the mitral hinge point towards the apex from ED to ES, along the long axis at ED"

SHORTENING = "(length at ED - length at ES) / length at ED"

_AXIS_RULES = {
    View.LAX_3C: "length: from the middle of the mitral valve, without the outflow tract, to the apex",
}
"""View -> where its long axis begins, if that needs saying."""

BIPLANE_SHARE = 0.3
"""Limit, as a share of the larger volume; the methods differ by about 10 % in people (Dulce et al.), more means a wrong
mask."""

AREA_LENGTH = "8 x 2C area x 4C area / (3 pi x shorter long axis) (Dulce et al., Radiology 1993;188:371)"


def axis_lengths_mm(landmarks: Landmarks) -> Points:
    """Return the (t,) distance in mm from the middle of the mitral valve to the apex; NaN if a point is missing.

    In the 3-chamber view too it is the middle of the valve, between its two hinge points, not of the whole opening of
    the ventricle, of which the outflow tract is a part.
    """
    middle, apex = _axis(landmarks)
    return np.asarray(np.linalg.norm(apex - middle, axis=1))


def long_axis_curves(landmarks: Mapping[View, Landmarks], *, n_frames: int) -> dict[str, Points]:
    """Return the (t,) long-axis length in mm of each view that has `n_frames` frames."""
    lengths = {view: axis_lengths_mm(points) for view, points in landmarks.items()}
    return {
        f"long_axis_length_{SHORT_NAMES[view]}_mm": curve for view, curve in lengths.items() if len(curve) == n_frames
    }


def _axis(landmarks: Landmarks) -> tuple[Points, Points]:
    first, second, apex = landmarks.tracks()
    return (first + second) / 2, apex


def long_axis_values(
    landmarks: Mapping[View, Landmarks], *, ed: int | None = None, es: int | None = None, n_stack: int | None = None
) -> tuple[Measurement, ...]:
    """Return MAPSE of each mitral hinge point (mm), its 4-chamber mean, and long-axis shortening (%).

    The 4-chamber view comes first, then the 2- and the 3-chamber view; views without landmarks are omitted. `ed` and
    `es` are user-supplied frames of a stack of `n_stack` frames; a view with another number of frames uses those at the
    same phase of the cycle.
    """
    values: list[Measurement] = []
    for view in SHORT_NAMES:
        if view in landmarks:
            phases = _phases(landmarks[view], ed, es, n_stack)
            hinges = [_excursion(landmarks[view], point, phases) for point in LANDMARKS[view][:2]]
            mean = [_mean_excursion(hinges)] if view == View.LAX_4C else []
            values += [*hinges, *mean, _shortening(landmarks[view], phases)]
    return tuple(values)


def _phases(landmarks: Landmarks, ed: int | None, es: int | None, n_stack: int | None) -> Phases:
    what = f"{landmarks.view.title} landmarks"
    found = find_phases(axis_lengths_mm(landmarks))
    reason = f"{what}: {found.reason}" if found.reason else None
    found = replace(found, rule=BY_LENGTH, reason=reason)
    return _given_phases(found, what, ed, es, n_frames=len(landmarks.points["apex"]), n_stack=n_stack)


def _given_phases(
    found: Phases, what: str, ed: int | None, es: int | None, *, n_frames: int, n_stack: int | None
) -> Phases:
    """Replace `found` by the frames that the user supplied for a stack of `n_stack` frames, at the same phase."""
    try:
        given = override_phases(found, ed, es, n_stack or n_frames)
        if given is found or n_stack is None or n_stack == n_frames:
            return given
        if min(n_stack, n_frames) < FRAMES_TO_COMPARE:
            return replace(found, rule=f"{BY_LENGTH}; {FRAMES_NOT_USED}")
        matched = [_same_phase(frame, n_stack, n_frames) for frame in (ed, es)]
        moved = override_phases(found, matched[0], matched[1], n_frames)
    except UsageError as error:  # a wrong frame must not prevent the other measurements
        return replace(found, ed=None, es=None, reason=f"{what}: {error}")
    if moved.ed is not None and moved.ed == moved.es:
        reason = f"{what}: ED and ES given for the stack fall on one frame of this view"
        return replace(moved, ed=None, es=None, reason=reason)
    return replace(moved, rule=f"{moved.rule}; {SAME_PHASE}")


def _same_phase(frame: int | None, n_from: int, n_to: int) -> int | None:
    """Return the frame at the same phase of the cycle in a cine with another number of frames."""
    return None if frame is None else min(int(frame * n_to / n_from + 0.5), n_to - 1)


def _excursion(landmarks: Landmarks, point: str, phases: Phases) -> Measurement:
    side = point.removeprefix("mitral_")
    definition = Definition(
        name=f"mapse_{side}_mm",
        title=f"MAPSE, {side}",
        unit="mm",
        method=f"{landmarks.view.title} landmarks",
        rule=f"{EXCURSION}; {phases.rule}",
    )
    if phases.ed is None or phases.es is None:
        return definition.absent(phases.reason or "")
    middle, apex = _axis(landmarks)
    displacement = landmarks.points[point][phases.es] - landmarks.points[point][phases.ed]
    axis = apex[phases.ed] - middle[phases.ed]
    if not (np.isfinite(displacement).all() and np.isfinite(axis).all()):
        return definition.absent(f"a landmark is missing in frame {phases.ed} or {phases.es}")
    return definition.value(float(displacement @ unit(axis)), frames=(phases.ed, phases.es))


def _mean_excursion(hinges: list[Measurement]) -> Measurement:
    definition = Definition(
        name="mapse_mean_mm",
        title="MAPSE, mean of septal and lateral",
        unit="mm",
        method=hinges[0].method,
        rule=hinges[0].rule,
    )
    values = [hinge.value for hinge in hinges if hinge.value is not None]
    if len(values) < len(hinges):
        return definition.absent("; ".join(hinge.reason for hinge in hinges if hinge.reason))
    return definition.value(float(np.mean(values)), frames=hinges[0].frames)


def _shortening(landmarks: Landmarks, phases: Phases) -> Measurement:
    definition = Definition(
        name=f"long_axis_shortening_{SHORT_NAMES[landmarks.view]}_percent",
        title=f"long-axis shortening, {landmarks.view.title}",
        unit="%",
        method=f"{landmarks.view.title} landmarks",
        rule="; ".join(filter(None, (SHORTENING, _AXIS_RULES.get(landmarks.view), phases.rule))),
    )
    if phases.ed is None or phases.es is None:
        return definition.absent(phases.reason or "")
    lengths = axis_lengths_mm(landmarks)
    at_ed, at_es = lengths[phases.ed], lengths[phases.es]
    if not (np.isfinite(at_ed) and np.isfinite(at_es)):
        return definition.absent(f"a landmark is missing in frame {phases.ed} or {phases.es}")
    return definition.value(100 * (1 - at_es / at_ed), frames=(phases.ed, phases.es))


def biplane_values(
    study: Study,
    labels: Mapping[View, LabelMap],
    *,
    ed: int | None = None,
    es: int | None = None,
    n_stack: int | None = None,
) -> tuple[Measurement, ...]:
    """Return EDV, ESV and EF of the LV by biplane area-length; empty without both long-axis masks.

    `ed` and `es` are user-supplied frames, as in `long_axis_values`.
    """
    if not {View.LAX_2C, View.LAX_4C} <= set(labels):
        return ()
    planes = [(study.cine(view), labels[view]) for view in (View.LAX_2C, View.LAX_4C)]
    frames = {cine.n_frames for cine, _ in planes}
    if len(frames) > 1:
        return tuple(d.absent("the two views have different numbers of frames") for d in _biplane_definitions(""))
    volumes = biplane_volumes_ml(*planes)
    found = find_phases(volumes)
    phases = _given_phases(found, "long-axis masks", ed, es, n_frames=len(volumes), n_stack=n_stack)
    definitions = _biplane_definitions(phases.rule)
    if phases.ed is None or phases.es is None:
        return tuple(d.absent(f"biplane LV volume: {phases.reason}") for d in definitions)
    edv, esv = volumes[phases.ed], volumes[phases.es]
    both = (phases.ed, phases.es)
    return (
        definitions[0].value(edv, frames=(phases.ed,)),
        definitions[1].value(esv, frames=(phases.es,)),
        definitions[2].value(100 * (edv - esv) / edv, frames=both),
    )


def biplane_mismatch(values: Mapping[str, Measurement]) -> Flag | None:
    """Flag a biplane end-diastolic volume that differs much from that of the stack, a sign of a wrong mask."""
    stack, biplane = (values[n].value if n in values else None for n in ("lv_edv_ml", "lv_edv_biplane_ml"))
    if stack is None or biplane is None or abs(stack - biplane) <= BIPLANE_SHARE * max(stack, biplane):
        return None
    return Flag(
        code="biplane-mismatch",
        severity="warning",
        message=f"LV EDV is {stack:.0f} ml from the stack and {biplane:.0f} ml from the long-axis planes",
        evidence={"lv_edv_ml": round(stack, 1), "lv_edv_biplane_ml": round(biplane, 1)},
    )


def _biplane_definitions(phase_rule: str) -> tuple[Definition, Definition, Definition]:
    def define(short: str, title: str, unit: str) -> Definition:
        return Definition(
            name=f"lv_{short}",
            title=f"LV {title}, biplane",
            unit=unit,
            method="area-length, 2-chamber and 4-chamber masks",
            rule="; ".join(filter(None, (AREA_LENGTH, phase_rule))),
        )

    return (
        define("edv_biplane_ml", "end-diastolic volume", "ml"),
        define("esv_biplane_ml", "end-systolic volume", "ml"),
        define("ef_biplane_percent", "ejection fraction", "%"),
    )


def biplane_volumes_ml(two_chamber: tuple[Cine, LabelMap], four_chamber: tuple[Cine, LabelMap]) -> Points:
    """Return the (t,) LV volume from two long-axis masks; NaN in a frame without LV in either."""
    areas_2c, lengths_2c = _areas_and_lengths(*two_chamber)
    areas_4c, lengths_4c = _areas_and_lengths(*four_chamber)
    return 8 * areas_2c * areas_4c / (3 * np.pi * np.minimum(lengths_2c, lengths_4c)) / 1000


def _areas_and_lengths(cine: Cine, labels: LabelMap) -> tuple[Points, Points]:
    """Return the (t,) LV area in mm2 and long axis in mm of a long-axis mask; NaN without LV."""
    dx, dy, _ = cine.spacing_mm
    planes = labels.ventricular_codes[:, :, 0]
    frames = [_lv_axis_mm(planes[..., frame], (dx, dy)) for frame in range(cine.n_frames)]
    counts = np.count_nonzero(planes == CODES["lv"], axis=(0, 1))
    return np.where(counts > 0, counts * dx * dy, np.nan), np.array(frames)


def _lv_axis_mm(plane: NDArray[np.uint8], pixel_mm: tuple[float, float]) -> float:
    """Return the distance from the middle of the valve to the furthest blood.

    The valve is the largest piece of the blood's open rim, beside neither wall nor another ventricle: gaps in the drawn
    wall are smaller. `plane` holds ventricular codes only.
    """
    padded = np.pad(plane, 1)
    blood = padded == CODES["lv"]
    open_rim = np.zeros_like(blood)
    for axis in (0, 1):
        for step in (-1, 1):
            open_rim |= blood & (np.roll(padded, step, axis) == 0)
    if not open_rim.any():
        return float("nan")
    pieces, _ = ndimage.label(open_rim, structure=np.ones((3, 3)))
    largest = 1 + np.argmax(np.bincount(pieces[open_rim])[1:])
    valve = np.argwhere(pieces == largest) * pixel_mm
    from_valve = np.linalg.norm(np.argwhere(blood) * pixel_mm - valve.mean(axis=0), axis=1)
    half_pixel_at_each_end = float(np.sqrt(pixel_mm[0] * pixel_mm[1]))
    return float(from_valve.max()) + half_pixel_at_each_end
