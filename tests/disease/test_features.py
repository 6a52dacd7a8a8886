"""The twelve numbers of hearts whose walls and volumes are known; none is made up where one is absent."""

from __future__ import annotations

import numpy as np
import pytest
from hearts import LV, MYO, WALL_MM, heart, measured

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.study import Subject
from cinema_cmr.disease.features import FEATURES, DiseaseFeatures, disease_features

KNOWN = Subject(height_cm=175, weight_kg=70)


def features(labels: LabelMap | None = None, subject: Subject | None = KNOWN) -> DiseaseFeatures:
    cine, drawn = heart((1.0, 0.7), oriented=True)
    mask = labels or drawn
    return disease_features(measured(cine, mask, subject), cine, mask)


@pytest.mark.medium
def test_numbers_are_those_of_the_heart() -> None:
    found, (cine, labels) = features(), heart((1.0, 0.7), oriented=True)
    numbers = measured(cine, labels, KNOWN)
    assert found.reason is None and tuple(found.values) == tuple(FEATURES)
    for name in ("lv_ef_percent", "rv_ef_percent", "lv_edvi_ml_m2", "rv_edvi_ml_m2"):
        assert found.values[name] == numbers.value(name)
    assert found.values["rv_per_lv_ed"] == pytest.approx(
        float(numbers.value("rv_edv_ml") or 0) / float(numbers.value("lv_edv_ml") or 1)
    )
    assert found.values["thickest_sector_ed_mm"] == pytest.approx(WALL_MM, abs=1.5)
    assert found.values["ring_unevenness_es"] < 0.1
    assert found.values["thickening_least_percent"] > 10


@pytest.mark.medium
def test_a_thick_side_of_the_wall_is_seen() -> None:
    _, labels = heart((1.0, 0.7), oriented=True)
    array = labels.array.copy()
    x, y = np.meshgrid(*(np.arange(n) - n // 2 for n in array.shape[:2]), indexing="ij")
    bulge = (np.abs(np.arctan2(y, x)) < 0.5) & (np.hypot(x, y) * 1.5 < 40)
    array[bulge[..., None, None] & (array == 0) & (array.max(axis=(0, 1)) >= MYO)] = MYO
    even, uneven = features(labels), features(LabelMap(array=array))
    assert uneven.values["thickest_sector_ed_mm"] > even.values["thickest_sector_ed_mm"] + 2
    assert uneven.values["ring_unevenness_es"] > even.values["ring_unevenness_es"] + 0.05


@pytest.mark.parametrize(
    ("labels", "subject", "reason"),
    [
        (None, Subject(), "height"),
        (LabelMap(array=np.where(heart((1.0, 0.7))[1].array == 1, 0, heart((1.0, 0.7))[1].array)), KNOWN, "RV"),
        (LabelMap(array=np.where(heart((1.0, 0.7))[1].array == LV, 0, heart((1.0, 0.7))[1].array)), KNOWN, "LV"),
    ],
)
def test_what_is_absent_is_said_and_not_filled_in(labels: LabelMap | None, subject: Subject, reason: str) -> None:
    found = features(labels, subject)
    assert not found.values and found.reason is not None and reason in found.reason
