"""A disease model fitted to hearts of two shapes, scored on hearts it did not see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hearts import heart
from scipy import ndimage

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy, Split
from cinema_cmr.datasets.registry import DATASETS
from cinema_cmr.models.weights import model_card
from cinema_cmr.recipes.disease_groups import measured_patient, train_disease_model
from cinema_cmr.recipes.finetune import TrainingData


def patient(number: int, group: str | None) -> AnnotatedStudy:
    """Weak hearts of group W hardly move; strong ones do."""
    rng = np.random.default_rng(number)
    moved = (0.93 if group == "W" else 0.7) + rng.uniform(-0.02, 0.02)
    cine, labels = heart(
        (rng.uniform(0.9, 1.0), 0.95 * moved), spacing_mm=(2.0, 2.0, 10.0), shape=(70, 60), oriented=True
    )
    return AnnotatedStudy(
        study=Study(
            name=f"p{number}", cines=(cine,), subject=Subject(height_cm=170 + number, weight_kg=60 + 3 * (number % 5))
        ),
        patient=f"p{number}",
        facts={} if group is None else {"group": group},
        labels={View.SAX: labels},
        labelled_frames={View.SAX: (0, 1)},
    )


PATIENTS = [patient(number, "SW"[number % 2]) for number in range(18)]


def data() -> TrainingData:
    split = Split(dataset="test", parts={"train": ("p0",), "validation": ("p12",)}, rule="by hand")
    return TrainingData(card=DATASETS["acdc"].card, split=split, train=PATIENTS[:12], val=PATIENTS[12:])


@pytest.mark.slow
def test_shapes_are_told_apart_and_the_scores_are_of_those_not_seen() -> None:
    drawn_by = replace(model_card("cinema-lax"), name="drawer", licence="of the masks")
    model = train_disease_model(data(), predict=lambda annotated: annotated.labels[View.SAX], predictor=drawn_by)
    scores = model.training["scores"]
    assert "of the masks (drawer)" in model.licence and "NC" in model.licence  # both bind
    assert model.groups == ("S", "W") and model.training["n_patients"] == 12
    for part, n in (
        ("validation, expert masks", 6),
        ("validation, predicted masks", 6),
        ("five-fold over all, expert masks", 18),
    ):
        assert scores[part]["n"] == n and scores[part]["accuracy"][0] == 1.0 and not scores[part]["wrong"]


@pytest.mark.slow
def test_a_mask_without_a_heart_counts_as_no_answer() -> None:
    empty = LabelMap(array=np.zeros_like(PATIENTS[0].labels[View.SAX].array))
    scores = train_disease_model(data(), predict=lambda annotated: empty).training["scores"][
        "validation, predicted masks"
    ]
    assert scores["without_answer"] == 6 and scores["balanced_accuracy"][0] == pytest.approx(0.5)


def test_a_patient_without_group_is_refused() -> None:
    with pytest.raises(InputError, match="no group"):
        measured_patient(patient(1, None))


@pytest.mark.slow
def test_with_a_network_its_masks_of_the_training_patients_are_learned_from() -> None:
    """A network whose walls are thicker than the experts' would put every heart among the strong ones."""
    asked: list[str] = []

    def thick(annotated: AnnotatedStudy) -> LabelMap:
        asked.append(annotated.patient)
        array = annotated.labels[View.SAX].array.copy()
        for frame in range(array.shape[3]):
            for index in range(array.shape[2]):
                grown = ndimage.binary_dilation(array[:, :, index, frame] == 2, iterations=2)
                array[:, :, index, frame][grown & (array[:, :, index, frame] == 0)] = 2
        return LabelMap(array=array)

    model = train_disease_model(data(), predict=thick)
    assert asked == [f"p{number}" for number in range(18)]
    assert model.training["n_patients"] == 12 and model.training["masks"] == "a network's"
    assert model.mean != train_disease_model(data()).mean
    assert model.training["scores"]["validation, predicted masks"]["accuracy"][0] == 1.0


def test_a_group_with_too_few_patients_is_named_with_its_number() -> None:
    """The fit's own error numbered it: "lack groups [1]"."""
    split = Split(dataset="test", parts={"train": ("p0",), "validation": ()}, rule="by hand")
    few = TrainingData(card=DATASETS["acdc"].card, split=split, train=PATIENTS[:3], val=[])
    with pytest.raises(InputError, match="by group: S 2, W 1; expected at least 2 of each"):
        train_disease_model(few)
