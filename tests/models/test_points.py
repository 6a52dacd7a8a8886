"""Points to heatmaps and fractions, and back."""

from __future__ import annotations

import pytest
import torch

from cinema_cmr.models.points import fractions_of_points, heatmaps_of_points, points_of_fractions, points_of_heatmaps

POINTS = torch.tensor([[[12.3, 20.8], [30.0, 9.5]]])
SIZE = (48, 40)


def test_a_heatmap_is_a_spot_of_height_one_at_its_point() -> None:
    maps = heatmaps_of_points(torch.tensor([[10.0, 20.0]]), SIZE, 3.0)
    assert maps.shape == (1, 48, 40) and maps[0, 10, 20] == 1
    assert maps[0, 13, 20] == pytest.approx(0.6065, abs=1e-4)


def test_points_come_back_to_a_fraction_of_a_pixel() -> None:
    prob = heatmaps_of_points(POINTS, SIZE, 3.0).clamp(1e-6, 1 - 1e-6)
    points, top = points_of_heatmaps(prob.logit())
    assert (points - POINTS).abs().max() < 0.15 and (top > 0.9).all()


def test_a_second_lower_spot_far_away_does_not_pull() -> None:
    both = heatmaps_of_points(POINTS, SIZE, 3.0)
    logits = (both[:, :1] + 0.5 * both[:, 1:]).clamp(1e-6, 1 - 1e-6).logit()
    points, _ = points_of_heatmaps(logits)
    assert (points[0, 0] - POINTS[0, 0]).abs().max() < 0.3


def test_a_point_that_is_not_there_has_no_heatmap() -> None:
    assert heatmaps_of_points(torch.full((1, 2), float("nan")), SIZE, 3.0).isnan().all()


def test_fractions_go_there_and_back() -> None:
    fractions = fractions_of_points(POINTS, SIZE)
    assert fractions[0].tolist() == pytest.approx([12.3 / 48, 20.8 / 40, 30 / 48, 9.5 / 40])
    assert torch.allclose(points_of_fractions(fractions, SIZE), POINTS)
