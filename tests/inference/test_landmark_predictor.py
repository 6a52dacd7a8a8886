"""Points in patient space, whatever way a plane is stored and wherever the search starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from long_axes import AFFINE, LEVELS, POINTS, Reads, annotated, cine, in_patient, model, spot
from oracles import CPU
from torch import Tensor, nn

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.errors import NoCineError, WeightsError
from cinema_cmr.core.results import LandmarkPrediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.inference.landmark_predictor import LandmarkPredictor
from cinema_cmr.models.points import fractions_of_points

NAMES = LANDMARKS[View.LAX_4C]


def stacked(found: LandmarkPrediction) -> np.ndarray:  # type: ignore[type-arg]
    return np.stack([found.landmarks.points[name] for name in NAMES], axis=1)


def test_points_are_found_to_a_part_of_a_pixel() -> None:
    found = LandmarkPredictor(model(), CPU).predict(annotated().study)[View.LAX_4C]
    assert np.abs(stacked(found) - in_patient(POINTS)).max() < 0.5
    assert all(found.confidence[name].shape == (2,) and (found.confidence[name] > 0.9).all() for name in NAMES)


def test_a_start_far_away_is_found_back_from() -> None:
    found = LandmarkPredictor(model(), CPU).predict_view(cine(), (95.0, 90.0))
    assert np.abs(stacked(found) - in_patient(POINTS)).max() < 0.5
    assert np.hypot(found.centre[0] - POINTS[..., 0].mean(), found.centre[1] - POINTS[..., 1].mean()) < 2


def test_a_plane_stored_turned_and_mirrored_has_the_same_points() -> None:
    turned = AFFINE.copy()
    turned[:, 3] += 119 * AFFINE[:, 1]
    turned[:, 1] *= -1
    swapped = turned[:, [1, 0, 2, 3]]
    stored = np.flip(cine().array, 1).swapaxes(0, 1)
    other = replace(cine(), array=stored, affine=swapped)
    found = LandmarkPredictor(model(), CPU).predict_view(other, (60.0, 70.0))
    assert np.abs(stacked(found) - in_patient(POINTS)).max() < 0.5


def test_a_point_without_a_spot_is_no_point() -> None:
    found = LandmarkPredictor(model(Reads(lost=1)), CPU).predict_view(cine(), (72.0, 60.0))
    assert np.isnan(found.landmarks.points[NAMES[1]]).all() and (found.confidence[NAMES[1]] < 0.1).all()
    assert np.isfinite(found.landmarks.points[NAMES[0]]).all()


class TwoTops(nn.Module):
    """Reads the discs, and sees a higher top in a corner of some frames."""

    def __init__(self, *frames: int) -> None:
        super().__init__()
        self.frames, self.reads = list(frames), Reads()

    def forward(self, images: dict[str, Tensor]) -> dict[str, Tensor]:
        maps = self.reads(images)
        (logits,) = maps.values()
        logits[self.frames, :, 2:12, 2:12] = 6.0
        return maps


def several(n: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.repeat(POINTS[:1], n, axis=0)


def test_a_top_that_most_frames_do_not_have_is_passed_over() -> None:
    found = LandmarkPredictor(model(TwoTops(1)), CPU).predict_view(cine(several(4)), (72.0, 60.0))
    assert np.abs(stacked(found) - in_patient(several(4))).max() < 0.5


def test_a_top_that_most_frames_have_wins_unless_another_place_is_expected() -> None:
    seen = LandmarkPredictor(model(TwoTops(0, 1, 2)), CPU)
    away = np.abs(stacked(seen.predict_view(cine(several(4)), (72.0, 60.0))) - in_patient(several(4)))
    assert np.nanmax(away) > 20
    near = in_patient(POINTS[0] + [6.0, -6.0])
    expected = dict(zip(NAMES, near, strict=True))
    found = seen.predict(Study(name="s", cines=(cine(several(4)),)), {View.LAX_4C: expected})[View.LAX_4C]
    assert np.abs(stacked(found) - in_patient(several(4))).max() < 0.5


def test_where_nothing_is_at_the_expected_places_they_are_forgotten() -> None:
    expected = dict(zip(NAMES, in_patient(POINTS[0] + [400.0, 0.0]), strict=True))
    found = LandmarkPredictor(model(), CPU).predict_view(cine(), (72.0, 60.0), expected)
    assert np.abs(stacked(found) - in_patient(POINTS)).max() < 0.5


def mask_landmarks(points: np.ndarray, view: View = View.LAX_4C) -> Landmarks:  # type: ignore[type-arg]
    """Points (t, k, 2) in voxels as a mask of the plane shows them."""
    placed = in_patient(points)
    return Landmarks(view=view, points={name: placed[:, k] for k, name in enumerate(LANDMARKS[view])})


def test_tops_are_looked_for_near_the_points_of_a_mask() -> None:
    seen = LandmarkPredictor(model(TwoTops(0, 1, 2)), CPU)
    found = seen.predict_view(
        cine(several(4)), (20.0, 20.0), mask_points=mask_landmarks(several(4) + np.array([4.0, 0.0]))
    )
    away = np.abs(stacked(found) - in_patient(several(4)))
    assert away.max() < 0.6, "a high top counts more than the mask's point"
    assert all((found.confidence[name] > 0.95).all() for name in NAMES)


def test_a_point_that_only_the_mask_shows_is_the_masks() -> None:
    for lost in (model(Reads(lost=1)), model(TwoTops(0, 1))):
        away = (
            POINTS + np.array([0.0, 30.0]) if lost.model.__class__ is TwoTops else POINTS
        )  # a top 27 mm off is another place
        found = LandmarkPredictor(lost, CPU).predict_view(cine(), (72.0, 60.0), mask_points=mask_landmarks(away))
        assert np.abs(stacked(found)[:, 1] - in_patient(away)[:, 1]).max() < 1e-6
        assert np.allclose(found.confidence[NAMES[1]], 0.55)


class Faint(nn.Module):
    """Reads the discs; the second point's tops have a height of 0.2."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = Reads()

    def forward(self, images: dict[str, Tensor]) -> dict[str, Tensor]:
        maps: dict[str, Tensor] = self.reads(images)
        (logits,) = maps.values()
        logits[:, 1] = torch.where(logits[:, 1] > 0, -1.386, logits[:, 1])
        return maps


@pytest.mark.parametrize(("away_px", "confidence"), [(4.0, 0.8), (16.0, 0.55)])
def test_a_low_top_counts_near_the_point_of_a_mask_alone(away_px: float, confidence: float) -> None:
    """Far from it, it would make the point less sure than the mask alone."""
    shown = POINTS + np.array([0.0, away_px])
    found = LandmarkPredictor(model(Faint()), CPU).predict_view(cine(), (72.0, 60.0), mask_points=mask_landmarks(shown))
    assert (found.confidence[NAMES[1]] >= confidence - 1e-6).all()
    off_mm = np.linalg.norm(stacked(found)[:, 1] - in_patient(shown)[:, 1], axis=1)
    assert (off_mm < 1e-6).all() == (away_px > 10)


def test_the_end_of_the_valve_beside_the_aorta_is_where_it_is_expected() -> None:
    """A mask of the 3-chamber view has no aorta: its point is taken where no top is near the expected place."""
    view = View.LAX_3C
    names = LANDMARKS[view]
    shown = mask_landmarks(POINTS + np.array([0.0, 8.0]), view)
    expected = dict(zip(names, in_patient(POINTS.mean(axis=0)), strict=True))
    plane = cine(view=view)
    for network, of_mask in ((Reads(), False), (Reads(lost=0), True)):
        predictor = LandmarkPredictor(model(network, view=view), CPU)
        found = predictor.predict_view(plane, (72.0, 60.0), expected, shown)
        truth = shown.points[names[0]] if of_mask else in_patient(POINTS)[:, 0]
        assert np.abs(found.landmarks.points[names[0]] - truth).max() < 0.5
        assert np.allclose(found.confidence[names[0]], 0.55) if of_mask else (found.confidence[names[0]] > 0.95).all()
        alone = predictor.predict_view(plane, (72.0, 60.0), None, shown)
        assert (alone.landmarks.points["apex"] == found.landmarks.points["apex"]).all()


def test_a_mask_that_fails_in_one_frame_of_a_cycle_is_mended() -> None:
    failed = several(16)
    failed[7, 0] += [0.0, 20.0]
    still = LandmarkPredictor(model(), CPU).predict_view(
        cine(several(16)), (72.0, 60.0), mask_points=mask_landmarks(failed)
    )
    assert np.abs(stacked(still) - in_patient(several(16))).max() < 0.6


def test_a_mask_that_mostly_fails_is_not_asked() -> None:
    lost = several(4)
    lost[:3, 1] = np.nan
    found = LandmarkPredictor(model(), CPU).predict_view(
        cine(several(4)), (72.0, 60.0), mask_points=mask_landmarks(lost)
    )
    assert np.abs(stacked(found) - in_patient(several(4))).max() < 0.5


def test_a_model_whose_card_says_that_it_is_experimental_is_flagged() -> None:
    plain = model()
    views = tuple(plain.card.grids)
    assert LandmarkPredictor(plain, CPU).model_flags(views) == ()
    card = replace(plain.card, training={**plain.card.training, "experimental": "made of nothing"})
    predictor = LandmarkPredictor(replace(plain, card=card), CPU)
    (flag,) = predictor.model_flags(views)
    assert flag.code == "landmarks-experimental" and "made of nothing" in flag.message
    assert predictor.model_flags(()) == ()


def test_a_note_on_one_view_flags_that_view_alone() -> None:
    plain = model()
    note = {"experimental": "made of nothing", "experimental_views": ["lax_2c"]}
    card = replace(plain.card, training={**plain.card.training, **note})
    predictor = LandmarkPredictor(replace(plain, card=card), CPU)
    assert predictor.model_flags([View.LAX_4C]) == ()
    (flag,) = predictor.model_flags([View.LAX_4C, View.LAX_2C])
    assert flag.message.startswith("2-chamber landmarks")


class Coordinates(nn.Module):
    """The brightest pixels' middles, as fractions."""

    def forward(self, images: dict[str, Tensor]) -> Tensor:
        (image,) = images.values()
        points = []
        for level in LEVELS:
            at = [torch.nonzero(inside).float().mean(dim=0) for inside in spot(image, level)]
            points.append(torch.stack(at))
        return fractions_of_points(torch.stack(points, dim=1), (64, 64))


def test_coordinates_are_points_without_a_confidence() -> None:
    found = LandmarkPredictor(model(Coordinates()), CPU).predict_view(cine(), (72.0, 60.0))
    assert np.abs(stacked(found) - in_patient(POINTS)).max() < 0.7
    assert all(np.isnan(found.confidence[name]).all() for name in NAMES)


def test_a_study_without_the_view_and_a_model_of_another_task_are_refused() -> None:
    with pytest.raises(NoCineError, match="no 2-chamber"):
        LandmarkPredictor(model(view=View.LAX_2C), CPU).predict(Study(name="s", cines=(cine(),)))
    other = model()
    with pytest.raises(WeightsError, match="'segment'; expected a model for landmark"):
        LandmarkPredictor(replace(other, card=replace(other.card, task="segment")), CPU)


def test_a_plane_that_its_mask_shows_from_the_head_is_seen_as_displayed() -> None:
    """A copy without axes may be mirrored, and the model has never seen such a plane."""
    seen: list[Tensor] = []

    class Watches(Reads):
        def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
            seen.extend(images.values())
            return super().forward(images)

    points: np.ndarray = POINTS.copy()  # type: ignore[type-arg]
    points[..., 0] = 129 - points[..., 0]
    lost_axes = replace(cine(points), orientation_known=False)
    mask = mask_landmarks(points)
    found = LandmarkPredictor(model(Watches()), CPU).predict_view(lost_axes, (57.0, 60.0), mask_points=mask)
    assert np.abs(stacked(found) - in_patient(points)).max() < 0.5
    septal, lateral = (np.argwhere(spot(seen[0], level)[0].numpy()).mean(axis=0) for level in LEVELS[:2])
    assert septal[0] < lateral[0]
