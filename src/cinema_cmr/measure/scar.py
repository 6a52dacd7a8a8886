"""Infarct and no-reflow of a late-enhancement stack: shares of the myocardium, and sizes if the geometry is true.

Every slice counts with the length it represents. No-reflow (microvascular obstruction) is part of the infarct, as it is
in the SCMR recommendations (JCMR 2020;22:19) and in EMIDEC (Data 2020;5:89).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, check_same_grid
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.results import Measurement, Measurements, Prediction
from cinema_cmr.core.study import NOMINAL_SPACING, Study
from cinema_cmr.core.vocabulary import SCAR_LABELS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.definition import Definition
from cinema_cmr.measure.function import MYOCARDIAL_DENSITY_G_ML
from cinema_cmr.measure.quality.scar import ScarContext, scar_flags
from cinema_cmr.measure.scar_wall import LEVELS, ScarWall, measure_scar_wall, segment_values

__all__ = ["SCAR_SUMMARY", "measure_scar", "scar_volumes_ml"]

SCAR_SUMMARY = ("infarct_percent", "no_reflow_percent", "infarct_ml", "infarct_g", "lge_myocardium_g")
"""Headline measurements of a late-enhancement study."""

_METHOD = "sum of slices, late enhancement, short axis"
_WITH_CORE = "infarct and no-reflow together"
_OF_MYOCARDIUM = "share of the whole myocardium: healthy wall, infarct and no-reflow"


def scar_volumes_ml(cine: Cine, labels: LabelMap, frame: int = 0) -> dict[str, float]:
    """Return the volume of each class of a scar map in one frame, in ml of the header's geometry.

    Raises `InputError` for a map of another scheme, `GeometryError` for one on another grid.
    """
    check_same_grid(labels, cine)
    if labels.scheme != "scar":
        raise InputError(f"label map has the scheme '{labels.scheme}'; expected 'scar'")
    plane = labels.array[..., frame]
    return {
        label.name: float(np.count_nonzero(plane == label.code, axis=(0, 1)) @ cine.voxel_volumes_ml)
        for label in SCAR_LABELS
    }


def measure_scar(study: Study, labels: LabelMap, *, prediction: Prediction | None = None) -> Measurements:
    """Measure the labels of a still late-enhancement stack; what cannot be measured has no value but a reason.

    A cine (more than one frame) is not measured. `prediction`, if the labels come from one, adds flags on its
    confidence, post-processing and field of view.
    """
    cine = study.cine(View.SAX)
    volumes = scar_volumes_ml(cine, labels)
    reason = _missing_input(cine, volumes)
    wall = measure_scar_wall(cine, labels)
    values = [*_shares(volumes, reason), *_sizes(volumes, reason or _missing_geometry(study))]
    if reason is None:
        values += [*_levels(cine, labels, wall), *segment_values(wall)]
    context = ScarContext(study=study, cine=cine, labels=labels, volumes_ml=volumes, prediction=prediction)
    return Measurements(measured=tuple(values), flags=scar_flags(context))


def _missing_input(cine: Cine, volumes: Mapping[str, float]) -> str | None:
    if cine.n_frames > 1:
        return f"a stack of {cine.n_frames} frames is a cine, not late enhancement"
    if volumes["myo_normal"] + volumes["infarct"] + volumes["no_reflow"] <= 0:
        return "no myocardium was found"
    return None


def _missing_geometry(study: Study) -> str | None:
    if any(issue.code == NOMINAL_SPACING for issue in study.issues):
        return "the voxel size in the header is nominal; the true one is unknown"
    return None


def _shares(volumes: Mapping[str, float], reason: str | None) -> Iterator[Measurement]:
    lesion = volumes["infarct"] + volumes["no_reflow"]
    myocardium = lesion + volumes["myo_normal"]
    for name, title, part, whole, rule in (
        ("infarct_percent", "infarct, no-reflow included", lesion, myocardium, f"{_WITH_CORE}, {_OF_MYOCARDIUM}"),
        ("no_reflow_percent", "no-reflow", volumes["no_reflow"], myocardium, _OF_MYOCARDIUM),
        ("no_reflow_of_infarct_percent", "no-reflow in the infarct", volumes["no_reflow"], lesion, _WITH_CORE),
    ):
        definition = Definition(name=name, title=title, unit="%", method=_METHOD, rule=rule)
        if reason is not None:
            yield definition.absent(reason)
        elif whole <= 0:
            yield definition.absent("no infarct was found")
        else:
            yield definition.value(100 * part / whole, frames=(0,))


def _sizes(volumes: Mapping[str, float], reason: str | None) -> Iterator[Measurement]:
    lesion = volumes["infarct"] + volumes["no_reflow"]
    myocardium = lesion + volumes["myo_normal"]
    by_density = f"volume x {MYOCARDIAL_DENSITY_G_ML} g/ml"
    for name, title, value, rule in (
        ("infarct_ml", "infarct volume", lesion, _WITH_CORE),
        ("infarct_g", "infarct mass", MYOCARDIAL_DENSITY_G_ML * lesion, f"{_WITH_CORE}; {by_density}"),
        ("no_reflow_ml", "no-reflow volume", volumes["no_reflow"], "every labelled slice counts"),
        ("no_reflow_g", "no-reflow mass", MYOCARDIAL_DENSITY_G_ML * volumes["no_reflow"], by_density),
        ("lge_myocardium_ml", "myocardial volume", myocardium, "every labelled slice counts"),
        ("lge_myocardium_g", "myocardial mass", MYOCARDIAL_DENSITY_G_ML * myocardium, by_density),
        ("lge_cavity_ml", "cavity volume in the imaged phase", volumes["lv_cavity"], "every labelled slice counts"),
    ):
        definition = Definition(name=name, title=title, unit=name.rpartition("_")[2], method=_METHOD, rule=rule)
        yield definition.absent(reason) if reason is not None else definition.value(value, frames=(0,))


def _levels(cine: Cine, labels: LabelMap, wall: ScarWall) -> Iterator[Measurement]:
    """Yield the infarct share of the myocardium of the basal, mid and apical third."""
    lesion, myocardium = _count_voxels(labels)
    for level, name in enumerate(LEVELS):
        definition = Definition(
            name=f"infarct_{name}_percent",
            title=f"infarct in the {name} third",
            unit="%",
            method=_METHOD,
            rule=f"{_WITH_CORE}, share of that third's myocardium; thirds of the length with a closed wall",
        )
        if wall.levels is None:
            yield definition.absent(wall.reason or "")
            continue
        slices = list(wall.levels[level])
        weights = cine.slice_weights_mm[slices]
        share = 100 * (lesion[slices] @ weights) / (myocardium[slices] @ weights)
        yield definition.value(float(share), frames=(0,), slices=slices)


def _count_voxels(labels: LabelMap) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the (z,) voxels of the infarct and of the myocardium in each slice."""
    codes = {label.name: label.code for label in SCAR_LABELS}
    plane = labels.array[..., 0]
    lesion = np.count_nonzero(np.isin(plane, (codes["infarct"], codes["no_reflow"])), axis=(0, 1))
    healthy = np.count_nonzero(plane == codes["myo_normal"], axis=(0, 1))
    return np.asarray(lesion, np.int64), np.asarray(lesion + healthy, np.int64)
