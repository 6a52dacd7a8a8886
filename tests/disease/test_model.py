"""A disease model says what its weights say, writes and reads itself, and refuses what is none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cinema_cmr.core.errors import OutputExistsError, UsageError, WeightsError
from cinema_cmr.disease.features import FEATURES, DiseaseFeatures
from cinema_cmr.disease.model import DISEASE_FILE, DiseaseModel, load_disease_model

NAMES = ("lv_ef_percent", "rv_per_lv_ed")
MODEL = DiseaseModel(
    name="two",
    groups=("A", "B", "C"),
    titles={"A": "alpha", "B": "beta", "C": "gamma"},
    features=NAMES,
    mean=(50.0, 1.0),
    scale=(10.0, 0.2),
    weights=((1.0, 0.0), (-1.0, 2.0), (0.0, 0.0)),
    bias=(0.1, 0.0, -0.1),
    temperature=2.0,
)


def seen(ef: float, ratio: float) -> DiseaseFeatures:
    return DiseaseFeatures(values=dict(zip(NAMES, (ef, ratio), strict=True)))


def test_chances_are_the_softmax_of_the_weights() -> None:
    classification = MODEL.classify(seen(60, 1.0))
    logits = np.array([1.1, -1.0, -0.1]) / 2
    probs = np.exp(logits) / np.exp(logits).sum()
    assert list(classification.probabilities) == ["A", "C", "B"] and classification.group == "A"
    assert classification.probabilities == pytest.approx({"A": probs[0], "B": probs[1], "C": probs[2]})
    assert classification.contributions == pytest.approx({"lv_ef_percent": 0.5, "rv_per_lv_ed": 0.0})
    assert classification.titles["A"] == "alpha" and classification.titles["lv_ef_percent"] == FEATURES["lv_ef_percent"]


def test_a_number_unlike_any_training_patient_is_named() -> None:
    assert MODEL.classify(seen(55, 1.1)).out_of_distribution == ()
    assert MODEL.classify(seen(55, 2.1)).out_of_distribution == ("rv_per_lv_ed",)


def test_without_features_it_says_nothing_but_why() -> None:
    classification = MODEL.classify(DiseaseFeatures(values={}, reason="height is unknown"))
    assert (classification.group, classification.reason, dict(classification.probabilities)) == (
        None,
        "height is unknown",
        {},
    )


def test_written_and_read_it_is_the_same(tmp_path: Path) -> None:
    MODEL.write(tmp_path / DISEASE_FILE)
    assert load_disease_model(str(tmp_path)) == load_disease_model(str(tmp_path / DISEASE_FILE)) == MODEL
    with pytest.raises(OutputExistsError):
        MODEL.write(tmp_path / DISEASE_FILE)


@pytest.mark.parametrize("text", ["", "[]", '{"name": "x"}', "no json"])
def test_what_is_no_model_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / DISEASE_FILE).write_text(text)
    with pytest.raises(WeightsError, match="cinema disease"):
        load_disease_model(str(tmp_path))


def test_features_that_nobody_measures_are_refused(tmp_path: Path) -> None:
    replace(MODEL, features=("lv_ef_percent", "beauty")).write(tmp_path / "x.json")
    with pytest.raises(WeightsError, match="beauty"):
        load_disease_model(str(tmp_path / "x.json"))


@pytest.mark.parametrize("change", [{"mean": (1.0,)}, {"weights": ((1.0, 0.0),)}, {"scale": (0.0, 1.0)}, {"format": 9}])
def test_parts_that_do_not_fit_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="two"):
        replace(MODEL, **change)  # type: ignore[arg-type]


def test_the_embedded_model_knows_its_data_and_tells_hearts_apart() -> None:
    model = load_disease_model()
    assert model.groups == ("NOR", "MINF", "DCM", "HCM", "RV") and model.training["n_patients"] == 80
    assert "non-commercial" in model.licence.lower() or "NC" in model.licence
    assert json.dumps(model.training["scores"]["validation, predicted masks"]["confusion"])
    typical = dict(zip(model.features, model.mean, strict=True))
    dilated = {**typical, "lv_ef_percent": 20.0, "lv_edvi_ml_m2": 150.0, "rv_per_lv_ed": 0.7, "rv_per_lv_es": 0.6}
    thick = {**typical, "lv_ef_percent": 70.0, "lv_edvi_ml_m2": 60.0, "thickest_sector_ed_mm": 22.0}
    assert model.classify(DiseaseFeatures(values={**dilated, "thickening_mean_percent": 20.0})).group in (
        "DCM",
        "MINF",
    )
    assert model.classify(DiseaseFeatures(values={**thick, "mass_per_volume_g_ml": 1.8})).group == "HCM"
