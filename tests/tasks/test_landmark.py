"""What is learned from points: examples, samples whose points follow the image, losses that miss nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from long_axes import GRID, LEVELS, POINTS, Reads, annotated, cine, in_patient, model
from oracles import CPU, heart
from oracles import annotated as short_axis
from torch import Tensor, nn

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.errors import GeometryError, UsageError
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.data.sample import collate
from cinema_cmr.image.augment import Augmentation
from cinema_cmr.models.points import heatmaps_of_points
from cinema_cmr.tasks.evaluator import PredictionOptions
from cinema_cmr.tasks.landmark import LandmarkConfig, LandmarkEvaluator, LandmarkTask, score_landmarks
from cinema_cmr.tasks.result import Result, summarise

VIEW = View.LAX_4C


def task(network: nn.Module | None = None, **changes: object) -> LandmarkTask:
    return LandmarkTask(LandmarkConfig(grids={VIEW: GRID}, **changes), network or nn.Identity())  # type: ignore[arg-type]


def brightness(image: Tensor, point: Tensor) -> float:
    x, y = point.round().int().tolist()
    return float(image[0, x, y])


def test_each_frame_with_points_is_an_example() -> None:
    study = annotated()
    assert [e.name for e in task().examples(study)] == ["long, 4-chamber, frame 0", "long, 4-chamber, frame 1"]
    points = {name: values.copy() for name, values in study.landmarks[VIEW].points.items()}
    for values in points.values():
        values[0] = np.nan
    only_second = replace(study, landmarks={VIEW: Landmarks(view=VIEW, points=points)})
    assert [e.name for e in task().examples(only_second)] == ["long, 4-chamber, frame 1"]


@pytest.mark.parametrize("seed", [None, 0, 1, 2, 3, 4])
def test_points_lie_on_their_discs_whatever_is_drawn(seed: int | None) -> None:
    made = task(
        augmentation=Augmentation(p_flip=0.0, p_random_crop=0.0, shift_mm=4.0, p_intensity=0.0, contrast=0.0, noise=0.0)
    )
    (first, *_) = made.examples(annotated())
    sample = made.sample(first, None if seed is None else np.random.default_rng(seed))
    image, points = sample.images[str(VIEW)], sample.values[str(VIEW)]
    assert image.shape == (1, 64, 64) and points.shape == (3, 2)
    for point, level in zip(points, LEVELS, strict=True):
        assert brightness(image, point) == pytest.approx(level, abs=0.09)


def test_a_right_heatmap_costs_nearly_nothing_and_a_wrong_one_much() -> None:
    made = task()
    batch = collate([made.sample(e, None) for e in made.examples(annotated())])
    target = heatmaps_of_points(batch.values[str(VIEW)], GRID.size, 3.0)

    class Says(nn.Module):
        def __init__(self, maps: Tensor) -> None:
            super().__init__()
            self.maps = maps

        def forward(self, images: dict[str, Tensor]) -> dict[str, Tensor]:
            return {str(VIEW): self.maps.clamp(1e-4, 1 - 1e-4).logit()}

    right, wrong = (float(task(Says(maps)).loss(batch).total) for maps in (target, target.flip(2)))
    assert right < 0.1 and wrong > 0.5
    assert task(Says(target)).validate(batch)["apex_mm"] == pytest.approx([0.0, 0.0], abs=0.3)
    assert task(Reads()).validate(batch)["apex_mm"] == pytest.approx([0.0, 0.0], abs=0.5)


def test_a_point_that_nobody_set_is_no_part_of_the_loss() -> None:
    made = task()
    batch = collate([made.sample(e, None) for e in made.examples(annotated())])
    maps = torch.zeros(2, 3, 64, 64, requires_grad=True)

    class Says(nn.Module):
        def forward(self, images: dict[str, Tensor]) -> dict[str, Tensor]:
            return {str(VIEW): maps}

    batch.values[str(VIEW)][:, 1] = float("nan")
    task(Says()).loss(batch).total.backward()
    assert maps.grad is not None and not maps.grad[:, 1].any() and maps.grad[:, 0].any()
    assert torch.isfinite(maps.grad).all()


def test_coordinates_are_learned_as_fractions() -> None:
    made = task(by="coordinates")
    batch = collate([made.sample(e, None) for e in made.examples(annotated())])
    right = (batch.values[str(VIEW)] / 64).flatten(1)

    class Says(nn.Module):
        def forward(self, images: dict[str, Tensor]) -> Tensor:
            return right + 0.1

    made.network = Says()
    assert float(made.loss(batch).total) == pytest.approx(0.01, rel=1e-3)
    moved = made.validate(batch)["apex_mm"]
    assert moved == pytest.approx([6.4 * 2**0.5 * 1.5] * 2, rel=1e-3)


def test_the_card_names_the_points() -> None:
    assert task().card_fields().outputs == LANDMARKS[VIEW]
    every = LandmarkTask(LandmarkConfig(grids=dict.fromkeys(LANDMARKS, GRID)), nn.Identity()).card_fields()
    assert (every.outputs[0], every.outputs[-1]) == ("lax_2c:mitral_anterior", "lax_3c:apex")
    assert len(every.outputs) == 9


def test_what_cannot_be_learned_is_said() -> None:
    assert task().examples(short_axis(heart())) == []
    study = annotated()
    longer = replace(study.study, cines=(cine(np.repeat(POINTS, 2, axis=0)),))
    with pytest.raises(GeometryError, match="of 2 frames and an image of 4"):
        task().examples(replace(study, study=longer))
    with pytest.raises(UsageError, match="expected one view"):
        LandmarkConfig(grids=dict.fromkeys(LANDMARKS, GRID), by="coordinates")
    with pytest.raises(UsageError, match="short axis"):
        LandmarkConfig(grids={View.SAX: GRID})
    with pytest.raises(UsageError, match="0 pixels"):
        LandmarkConfig(grids={VIEW: GRID}, sigma_px=0)


NAMES = LANDMARKS[View.LAX_4C]


def landmarks(points: np.ndarray) -> dict[View, Landmarks]:  # type: ignore[type-arg]
    placed = in_patient(points)
    return {View.LAX_4C: Landmarks(view=View.LAX_4C, points={n: placed[:, k] for k, n in enumerate(NAMES)})}


def moved(voxels: float) -> np.ndarray:  # type: ignore[type-arg]
    """The points, so many voxels of 1.2 mm further along the columns."""
    return POINTS + np.array([voxels, 0.0])


def scored(patient: str, voxels: float) -> Result:
    return score_landmarks(replace(annotated(patient), landmarks=landmarks(POINTS)), landmarks(moved(voxels)))


def test_a_shift_of_known_length_is_the_distance() -> None:
    result = scored("p", 2.0)
    names = [f"distance_mm_lax_4c:{name}" for name in NAMES]
    assert all(result.scores[name] == pytest.approx(2.4) for name in ("distance_mm", *names))
    assert all(result.scores[f"found_lax_4c:{name}"] == 1 for name in NAMES)
    assert all(frame == pytest.approx(dict.fromkeys(names, 2.4)) for frame in result.frames)
    assert result.measured["mapse_mean_mm"] == pytest.approx(result.reference["mapse_mean_mm"])


def test_only_studies_with_landmarks_of_the_views_can_be_scored() -> None:
    its = LandmarkEvaluator(model(), CPU, PredictionOptions())
    assert its.not_scorable(annotated("a")) is None
    assert its.not_scorable(short_axis(heart())) == "no landmarks of the 4-chamber"
    assert its.evaluate(annotated("a")).scores["distance_mm"] < 0.6


def test_the_summary_is_over_patients() -> None:
    found = summarise([scored("a", 1.0), scored("b", 3.0)])
    assert found.n_patients == 2 and found.scores["distance_mm"].value == pytest.approx(2.4)
    assert found.scores["distance_mm_lax_4c:apex"].n == 2
    assert found.measurements["mapse_septal_mm"].bias == pytest.approx(0.0, abs=1e-9)


def test_a_point_that_was_not_found_has_no_distance() -> None:
    its = LandmarkEvaluator(model(Reads(lost=2)), CPU, PredictionOptions())
    found = summarise([its.evaluate(annotated("a")), its.evaluate(annotated("b"))]).scores
    assert found["found_lax_4c:apex"].value == 0 and found["found_lax_4c:mitral_septal"].value == 1
    assert found["distance_mm_lax_4c:apex"].n == 0


def test_weights_are_chosen_by_the_shortest_distance() -> None:
    assert task().validation_score({"apex_mm": 2.0, "mitral_septal_mm": 4.0}) == -3.0
