"""The twelve features of the disease model, all measured on the short axis.

Ejection fractions, sizes, their ratios and the uniformity of the wall, following the best entries of the ACDC challenge
(Bernard et al., IEEE TMI 2018;37:2514; uniformity after Khened et al., Med Image Anal 2019;51:21). For research only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import Measurements
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.shape import AHA_SEGMENTS, FULL_RING, wall_thickness_mm
from cinema_cmr.measure.volumes import enclosed_fractions

__all__ = ["FEATURES", "DiseaseFeatures", "disease_features"]

FEATURES: Mapping[str, str] = MappingProxyType(
    {
        "lv_ef_percent": "LV ejection fraction, %",
        "rv_ef_percent": "RV ejection fraction, %",
        "lv_edvi_ml_m2": "LV end-diastolic volume per body surface area, ml/m2",
        "rv_edvi_ml_m2": "RV end-diastolic volume per body surface area, ml/m2",
        "mass_per_volume_g_ml": "LV mass per end-diastolic volume, g/ml",
        "rv_per_lv_ed": "RV per LV volume at end-diastole",
        "rv_per_lv_es": "RV per LV volume at end-systole",
        "thickest_sector_ed_mm": "thickest sixth of a ring of the wall at end-diastole, mm",
        "ring_unevenness_es": "SD over mean of the wall thickness around a ring at end-systole, averaged over rings",
        "segment_unevenness_es": "SD over mean of the thickness of the 16 segments at end-systole",
        "thickening_mean_percent": "mean thickening of the 16 segments, %",
        "thickening_least_percent": "smallest thickening of the 16 segments, %",
    }
)
"""Name -> description, in the order of the model's weights."""

_SECTOR_RAYS = 60


@dataclass(frozen=True, kw_only=True)
class DiseaseFeatures:
    """The twelve features, or the reason why they are absent."""

    values: Mapping[str, float]
    """Values by the keys of `FEATURES`; empty if there is a reason."""
    reason: str | None = None


def disease_features(measurements: Measurements, cine: Cine, labels: LabelMap) -> DiseaseFeatures:
    """Return the features of a study from its short-axis cine (at least ED and ES), mask and measurements.

    Missing values are not imputed: without height and weight, both ventricles or a wall at three levels, all features
    are absent, with the reason.
    """
    absent = next((m for name in _NEEDED if (m := measurements[name]).value is None), None)
    if absent is not None:
        return DiseaseFeatures(values={}, reason=f"{absent.title} is absent: {absent.reason}")
    inputs = {name: float(measurements[name].value or 0.0) for name in _NEEDED}
    if min(inputs["lv_edv_ml"], inputs["lv_esv_ml"]) <= 0:
        return DiseaseFeatures(values={}, reason="the left ventricle has no volume in one of the two phases")
    at_ed = _rings(cine, labels, int(inputs["lv_ed_frame"]))
    at_es = _rings(cine, labels, int(inputs["lv_es_frame"]))
    values = {**{name: inputs[name] for name in FEATURES if name in inputs}, **_ratios(inputs), **_wall(inputs)}
    values["thickest_sector_ed_mm"] = float(_sectors(at_ed).max())
    values["ring_unevenness_es"] = float((at_es.std(axis=1) / at_es.mean(axis=1)).mean())
    return DiseaseFeatures(values={name: values[name] for name in FEATURES})


_SEGMENTS = tuple(f"wall_{kind}_aha{n:02d}" for kind in ("thickness_es_mm", "thickening_percent") for n in AHA_SEGMENTS)

_NEEDED = (
    *("lv_ef_percent", "rv_ef_percent", "lv_edvi_ml_m2", "rv_edvi_ml_m2", "lv_edv_ml", "lv_esv_ml"),
    *("rv_edv_ml", "rv_esv_ml", "lv_mass_g", "lv_ed_frame", "lv_es_frame", *_SEGMENTS),
)


def _ratios(inputs: Mapping[str, float]) -> dict[str, float]:
    return {
        "mass_per_volume_g_ml": inputs["lv_mass_g"] / inputs["lv_edv_ml"],
        "rv_per_lv_ed": inputs["rv_edv_ml"] / inputs["lv_edv_ml"],
        "rv_per_lv_es": inputs["rv_esv_ml"] / inputs["lv_esv_ml"],
    }


def _wall(inputs: Mapping[str, float]) -> dict[str, float]:
    """Return unevenness and thickening of the segments."""
    thickness = np.array([inputs[f"wall_thickness_es_mm_aha{n:02d}"] for n in AHA_SEGMENTS])
    thickening = np.array([inputs[f"wall_thickening_percent_aha{n:02d}"] for n in AHA_SEGMENTS])
    return {
        "segment_unevenness_es": float(thickness.std() / thickness.mean()),
        "thickening_mean_percent": float(thickening.mean()),
        "thickening_least_percent": float(thickening.min()),
    }


def _rings(cine: Cine, labels: LabelMap, frame: int) -> NDArray[np.float64]:
    """Return the (rings, 360) thickness in mm of each slice with a closed wall."""
    enclosed = np.nan_to_num(enclosed_fractions(cine, labels)[:, frame])
    return np.stack([wall_thickness_mm(cine, labels, int(z), frame) for z in np.flatnonzero(enclosed >= FULL_RING)])


def _sectors(rings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (rings, 6) mean thickness of each sixth."""
    means: NDArray[np.float64] = rings.reshape(len(rings), -1, _SECTOR_RAYS).mean(axis=2)
    return means
