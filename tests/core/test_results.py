"""Measurements behave as a mapping; results print on a few lines."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.errors import CinemaError
from cinema_cmr.core.results import Flag, HeartLocation, LandmarkPrediction, Measurement, Measurements, Prediction
from cinema_cmr.core.vocabulary import View


def measurement(name: str, value: float | None) -> Measurement:
    return Measurement(name=name, title=name, value=value, unit="ml", method="", rule="")


FOUND = Measurements(
    measured=(measurement("lv_edv_ml", 150.0), measurement("lv_esv_ml", None)),
    curves={"lv_volume_ml": np.zeros(3)},
    flags=(Flag(code="few-slices", severity="info", message=""),),
)


def test_measurements_are_a_mapping() -> None:
    assert "lv_edv_ml" in FOUND and "lv_ef_percent" not in FOUND
    assert list(FOUND) == ["lv_edv_ml", "lv_esv_ml"] and len(FOUND) == 2
    assert FOUND["lv_edv_ml"].value == FOUND.value("lv_edv_ml") == 150
    assert FOUND.get("lv_ef_percent") is None
    assert FOUND.to_dict() == {"lv_edv_ml": 150.0, "lv_esv_ml": None}


def test_unknown_measurement_is_a_key_error_of_ours_with_the_nearest_name() -> None:
    for kind in (KeyError, CinemaError):
        with pytest.raises(kind, match="did you mean 'lv_edv_ml'"):
            FOUND["lv_edv"]


def test_results_print_on_one_line() -> None:
    labels = LabelMap(array=np.zeros((9, 9, 4, 3), np.uint8))
    location = HeartLocation(centre=(1.0, 1.0), method="motion")
    confidence = np.array([0.8, 0.9, np.nan], np.float32)
    prediction = Prediction(view=View.SAX, labels=labels, confidence=confidence, location=location, model="m")
    landmarks = Landmarks(view=View.LAX_4C, points={"apex": np.zeros((3, 3))})
    found = LandmarkPrediction(landmarks=landmarks, confidence={}, centre=(0, 0), model="m")
    assert repr(prediction) == (
        "Prediction(sax: LabelMap(9 x 9 x 4 x 3 voxels, scheme 'cine'), confidence 0.85, model 'm')"
    )
    assert repr(found) == "LandmarkPrediction(Landmarks(lax_4c: apex; 3 frames), model 'm')"
    assert repr(FOUND) == "Measurements(1 of 2 measured, 1 curve; flags: few-slices)"
