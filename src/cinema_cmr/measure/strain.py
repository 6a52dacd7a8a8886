"""Global strain of the LV from the length of its contours: circumferential in the stack, longitudinal in the long axes.

Strain is the change of length relative to end-diastole, (L - L_ED) / L_ED, negative while the wall shortens (Voigt et
al., Eur Heart J Cardiovasc Imaging 2015;16:1). Contours bound the wall in a fixed plane: tissue that moves through the
plane is not followed, which is what separates this from tagging.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import Measurement
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.contours import curve_length_mm, loops, smooth_masks
from cinema_cmr.measure.definition import SHORT_NAMES, Definition
from cinema_cmr.measure.phases import Phases, find_phases
from cinema_cmr.measure.volumes import CODES, enclosed_fractions

__all__ = [
    "circumferential_curves",
    "circumferential_values",
    "longitudinal_curve_lengths_mm",
    "longitudinal_values",
    "strain_slices",
]

Curve = NDArray[np.float64]
Border = Literal["endo", "epi"]

MIN_ENCLOSED = 0.9
"""Share of the rim of the blood that borders myocardium in every frame, so that no outflow tract or valve is in it."""

TOUCH_MM = 3.0
"""Blood within this distance of the wall has an endocardial border; a mask may leave a pixel or two between them."""

FEWEST_SLICES = 3

_MARGIN = 4
"""Pixels about the labels."""

TITLES: Mapping[Border, str] = {"endo": "endocardial", "epi": "epicardial"}

_FORMULA = "(length at ES - length at ED) / length at ED"


def strain_slices(cine: Cine, labels: LabelMap) -> tuple[int, ...]:
    """Return the slices whose LV blood lies within myocardium in every frame, in which contours can be compared."""
    enclosed = np.nan_to_num(enclosed_fractions(cine, labels), nan=0.0)
    return tuple(int(index) for index in np.flatnonzero((enclosed >= MIN_ENCLOSED).all(axis=1)))


def circumferential_curves(cine: Cine, labels: LabelMap) -> dict[str, Curve]:
    """Return the (t,) length in mm of the endocardial and the epicardial contour, summed over the `strain_slices`.

    Empty with fewer than three such slices.
    """
    slices = strain_slices(cine, labels)
    if len(slices) < FEWEST_SLICES:
        return {}
    planes = _cropped(labels.array[:, :, list(slices)])
    blood = planes == CODES["lv"]
    within = {"endo": blood, "epi": blood | (planes == CODES["myo"])}
    return {f"lv_{border}_contour_length_mm": _lengths_mm(mask, cine) for border, mask in within.items()}


def _cropped(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return labels (x, y, ...) cropped in plane to what is labelled and a margin for the smoothing."""
    labelled = np.any(planes, axis=tuple(range(2, planes.ndim)))
    spans = []
    for axis in (1, 0):
        indices = np.flatnonzero(labelled.any(axis=axis))
        spans.append(slice(max(indices[0] - _MARGIN, 0), indices[-1] + _MARGIN + 1))
    return planes[tuple(spans)]


def _lengths_mm(masks: NDArray[np.bool_], cine: Cine) -> Curve:
    """Return the (t,) summed length of the longest contour of each slice of masks (x, y, z, t)."""
    dx, dy, _ = cine.spacing_mm
    smooth = smooth_masks(masks)
    lengths = [
        sum(_longest_mm(smooth[:, :, k, frame], (dy, dx)) for k in range(masks.shape[2]))
        for frame in range(masks.shape[3])
    ]
    return np.array(lengths, dtype=np.float64)


def _longest_mm(plane: NDArray[np.float32], spacing_mm: tuple[float, float]) -> float:
    return max((curve_length_mm(curve, spacing_mm) for curve in loops(plane)), default=0.0)


def circumferential_values(curves: Mapping[str, Curve], phases: Phases) -> tuple[Measurement, ...]:
    """Return the global circumferential strain (%) of endocardium and epicardium at the ES of the LV."""
    values = []
    borders: tuple[Border, ...] = ("endo", "epi")
    for border in borders:
        definition = Definition(
            name=f"lv_gcs_{border}_percent",
            title=f"global circumferential strain, {TITLES[border]}",
            unit="%",
            method="contour length, short axis",
            rule=(
                f"{_FORMULA}, summed over the slices whose blood borders myocardium for at least"
                f" {100 * MIN_ENCLOSED:g} % of its rim in every frame; in a fixed plane"
            ),
        )
        values.append(_change(definition, curves.get(f"lv_{border}_contour_length_mm"), phases))
    return tuple(values)


def _change(definition: Definition, lengths_mm: Curve | None, phases: Phases) -> Measurement:
    if phases.ed is None or phases.es is None:
        return definition.absent(f"LV: {phases.reason}")
    if lengths_mm is None:
        return definition.absent(f"fewer than {FEWEST_SLICES} slices have their blood within myocardium in every frame")
    at_ed, at_es = lengths_mm[phases.ed], lengths_mm[phases.es]
    unmeasured = [name for name, length in (("ED", at_ed), ("ES", at_es)) if not (np.isfinite(length) and length > 0)]
    if unmeasured:
        return definition.absent(f"no contour that borders myocardium at {' and '.join(unmeasured)}")
    return definition.value(100 * (at_es / at_ed - 1), frames=(phases.ed, phases.es))


def longitudinal_curve_lengths_mm(cine: Cine, labels: LabelMap) -> Curve:
    """Return the (t,) length in mm of the endocardium from hinge point to hinge point; NaN in a frame without it.

    NaN also where no part of the blood is near myocardium.

    The contour of the blood without its longest part that is more than `TOUCH_MM` from myocardium, the valve.
    """
    codes = labels.ventricular_codes[:, :, 0]
    if not codes.any():
        return np.full(cine.n_frames, np.nan)
    planes = _cropped(codes)
    return np.array([_open_length_mm(planes[..., frame], cine) for frame in range(cine.n_frames)])


def _open_length_mm(plane: NDArray[np.uint8], cine: Cine) -> float:
    dx, dy, _ = cine.spacing_mm
    blood, wall = plane == CODES["lv"], plane == CODES["myo"]
    contours = loops(smooth_masks(blood)) if wall.any() else []
    if not contours:
        return float("nan")
    contour = max(contours, key=lambda curve: curve_length_mm(curve, (dy, dx)))
    following = np.roll(contour, -1, axis=0)
    middles = (contour + following) / 2
    steps_mm = np.linalg.norm((following - contour) * (dy, dx), axis=1)
    wall_mm = ndimage.distance_transform_edt(~wall, sampling=(dx, dy))
    off = ndimage.map_coordinates(wall_mm, middles[:, ::-1].T, order=1, mode="nearest") > TOUCH_MM
    return float(steps_mm.sum() - _longest_run_mm(off, steps_mm)) if not off.all() else float("nan")


def _longest_run_mm(off: NDArray[np.bool_], steps_mm: Curve) -> float:
    """Return the length of the longest run of True along a closed curve that is not all True."""
    start = int(np.argmin(off))  # begins outside every run, so that none is cut
    longest = current = 0.0
    for away, step in zip(np.roll(off, -start), np.roll(steps_mm, -start), strict=True):
        current = current + step if away else 0.0
        longest = max(longest, current)
    return longest


@dataclass(frozen=True, kw_only=True)
class _ViewStrain:
    """Strain of one long-axis view."""

    view: View
    measurement: Measurement


def longitudinal_values(study: Study, labels: Mapping[View, LabelMap]) -> tuple[Measurement, ...]:
    """Return the longitudinal strain (%) of each long-axis mask and their mean; empty without such a mask.

    ED and ES are the frames of the largest and smallest LV area of the view; the stack may have other frames.
    """
    found = [
        _ViewStrain(view=view, measurement=_view_strain(study.cine(view), labels[view]))
        for view in SHORT_NAMES
        if view in labels
    ]
    return (*(one.measurement for one in found), _mean_strain(found)) if found else ()


def _view_strain(cine: Cine, labels: LabelMap) -> Measurement:
    areas = np.count_nonzero(labels.array[:, :, 0] == CODES["lv"], axis=(0, 1)).astype(np.float64)
    phases = find_phases(np.where(areas > 0, areas, np.nan), times_ms=cine.frame_times_ms)
    definition = Definition(
        name=f"lv_ls_{SHORT_NAMES[cine.view]}_percent",
        title=f"longitudinal strain, {cine.view.title}",
        unit="%",
        method=f"endocardial contour, {cine.view.title} mask",
        rule=f"{_FORMULA}; ED / ES: frames of the largest / smallest LV area",
    )
    if phases.ed is None or phases.es is None:
        return definition.absent(f"LV in the {cine.view.title} mask: {phases.reason}")
    return _change(definition, longitudinal_curve_lengths_mm(cine, labels), phases)


def _mean_strain(found: list[_ViewStrain]) -> Measurement:
    definition = Definition(
        name="lv_gls_percent",
        title="global longitudinal strain",
        unit="%",
        method=", ".join(one.view.title for one in found),
        rule="mean of the long-axis views",
    )
    values = [one.measurement.value for one in found if one.measurement.value is not None]
    if not values:
        return definition.absent("; ".join(one.measurement.reason or "" for one in found))
    return definition.value(float(np.mean(values)))
