"""A cine and late enhancement are told apart by their frames, by the reader, and by their intensities."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scars import ring, stack

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.results import Flag, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.inference.modality import intensity_features, late_enhancement_score, modality_flag
from cinema_cmr.measure.scar_wall import to_cine_labels

LABELS = np.stack([ring(wedge_deg=60)] * 4, axis=2)


def card(modality: str) -> ModelCard:
    return ModelCard(
        name="model",
        task="segment",
        architecture="none",
        config={},
        grids={View.SAX: Grid(spacing_mm=1.0, size=(64, 64))},
        modality=modality,  # type: ignore[arg-type]
    )


def noisy(means: tuple[float, ...], deviations: tuple[float, ...]) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    image = np.choose(LABELS, means) + rng.normal(0, 1, LABELS.shape) * np.choose(LABELS, deviations)
    return np.clip(image, 0, 100).astype(np.float32)


CINE = noisy((15, 75, 20, 20, 20), (22, 18, 4, 4, 4))
"""Bright uneven blood in a surrounding that is mostly dark."""
LATE = noisy((45, 52, 38, 90, 20), (20, 6, 6, 6, 6))
"""Grey surroundings, blood near to the wall, a bright infarct."""


def flag(
    image: NDArray[np.float32], modality: str, scheme: str, *, frames: int = 1, read_as: str = "cine"
) -> Flag | None:
    study, prediction = stack(*np.moveaxis(LABELS, 2, 0))
    array = np.repeat(image[..., None], frames, axis=3)
    study = Study(name="s", cines=(study.cine(View.SAX).with_array(array),), modality=read_as)  # type: ignore[arg-type]
    labels = prediction.labels if scheme == "scar" else to_cine_labels(prediction.labels)
    return modality_flag(study, drawn(prediction, labels, frames), card(modality))


def drawn(prediction: Prediction, labels: LabelMap, frames: int) -> Prediction:
    return replace(prediction, labels=replace(labels, array=np.repeat(labels.array, frames, axis=3)))


@pytest.mark.parametrize("scheme", ["scar", "cine"])
def test_each_image_is_known_whatever_the_scheme_it_was_drawn_in(scheme: str) -> None:
    assert flag(LATE, "lge", scheme, read_as="lge") is None and flag(CINE, "cine", scheme) is None
    for image, modality, looks in ((CINE, "lge", "cine"), (LATE, "cine", "lge")):
        raised = flag(image, modality, scheme)
        assert raised is not None and raised.code == "modality-mismatch" and raised.severity == "error"
        assert raised.evidence["image_modality"] == looks


def test_frames_and_the_reader_decide_before_intensities() -> None:
    assert flag(LATE, "lge", "scar", frames=6) is not None and flag(LATE, "cine", "cine", frames=6) is None
    read = flag(CINE, "cine", "cine", read_as="lge")
    assert read is not None and "metadata of the study" in read.message


def test_brightness_and_contrast_of_the_file_change_nothing() -> None:
    for image in (CINE, LATE):
        first, second = (intensity_features(its, LABELS, "scar") for its in (image, 7 * image + 300))
        assert first is not None and second is not None and np.allclose(first, second, atol=1e-5)


def test_nothing_drawn_says_nothing() -> None:
    assert intensity_features(CINE, np.zeros_like(LABELS), "scar") is None
    assert intensity_features(CINE, np.where(LABELS == 1, 0, LABELS), "scar") is None


@pytest.mark.realdata
def test_validation_patients_whom_the_rule_has_not_seen(real_data: Path) -> None:
    from cinema_cmr.datasets.registry import DATASETS

    for name, sign in (("emidec", 1), ("acdc", -1)):
        dataset = DATASETS[name]
        assert dataset.split is not None
        held = dataset.split()["validation"]
        for case in [case for case in dataset.list_cases(real_data / name) if case.patient in held]:
            study = dataset.read_case(case)
            labels, frames = study.labels[View.SAX], study.study.cine(View.SAX).array
            for t in study.labelled_frames[View.SAX]:
                features = intensity_features(frames[..., t], labels.array[..., t], labels.scheme)
                assert features is not None and sign * late_enhancement_score(features) > 0, case.name
