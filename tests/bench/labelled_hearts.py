"""Labelled hearts of two groups, for the tests of this folder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hearts import heart as measured_heart
from oracles import Nothing, annotated, heart

from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy, DatasetCard, Split
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.finetune import TrainingData
from cinema_cmr.tasks.targets import reference_measurements


def short(experiment: Experiment) -> Experiment:
    return experiment.with_train(n_steps=2, validate_every=2, accelerator="cpu", precision="fp32")


CARD = DatasetCard(name="hearts", title="Hearts", licence="CC0", citation="", how_to_get="")
SPLIT = Split(dataset="hearts", parts={"train": ("a",), "validation": ("b",)}, rule="by hand")


def beating(number: int, radius: float) -> AnnotatedStudy:
    made = annotated(heart((15.0, radius), n_slices=4), f"p{number}", group="DCM" if radius > 11 else "NOR")
    subject = Subject(height_cm=170.0 + number, weight_kg=70.0)
    return replace(made, study=replace(made.study, subject=subject))


HEARTS = [beating(i, radius) for i, radius in enumerate((8.0, 12.5, 9.0, 13.0, 10.0, 12.0))]


def of(studies: list[AnnotatedStudy], n_held: int = 2) -> TrainingData:
    return TrainingData(card=CARD, split=SPLIT, train=studies[:-n_held], val=studies[-n_held:])


def measured(number: int) -> AnnotatedStudy:
    """The hearts of group "weak" hardly move."""
    group = ("strong", "weak")[number % 2]
    rng = np.random.default_rng(number)
    scales = (rng.uniform(0.9, 1.0), (0.9 if group == "weak" else 0.65) + rng.uniform(-0.02, 0.02))
    cine, labels = measured_heart(scales, spacing_mm=(2.0, 2.0, 10.0), shape=(70, 60), oriented=True)
    subject = Subject(height_cm=170.0 + number, weight_kg=60.0 + 3 * (number % 5))
    return AnnotatedStudy(
        study=Study(name=f"p{number}", cines=(cine,), subject=subject),
        patient=f"p{number}",
        labels={View.SAX: labels},
        labelled_frames={View.SAX: (0, 1)},
        facts={"group": group},
    )


def with_ef(number: int, study: AnnotatedStudy) -> AnnotatedStudy:
    """The study with an ejection fraction from elsewhere, a point or more above what its masks measure."""
    measured = reference_measurements(study)
    assert measured is not None
    value = measured.value("lv_ef_percent")
    assert value is not None
    return replace(study, facts={**study.facts, "lv_ef_percent": value + 1.0 + number})


def empty_segmenter() -> LoadedModel:
    card = ModelCard(
        name="nothing",
        task="segment",
        architecture="unet2d",
        config={},
        grids={View.SAX: Grid(spacing_mm=1.5, size=(49, 49))},
    )
    return LoadedModel(model=Nothing(), card=card)
