"""Affines and planes against hand-made cases and a second way to compute them."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.core.geometry import apply_affine, check_affine, lps_to_ras, plane_angle_deg, spacing_of, unit

TURN = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def affine(spacing: tuple[float, float, float] = (1.5, 1.2, 8.0)) -> np.ndarray:  # type: ignore[type-arg]
    matrix = np.eye(4)
    matrix[:3, :3] = TURN @ np.diag(spacing)
    matrix[:3, 3] = (10.0, -20.0, 30.0)
    return matrix


def test_voxels_go_to_patient_space_and_back() -> None:
    assert apply_affine(affine(), np.array([2.0, 0.0, 1.0])).tolist() == [10.0, -17.0, 38.0]
    points = np.random.default_rng(0).normal(size=(4, 5, 3)) * 50
    there = apply_affine(affine(), points)
    assert there.shape == points.shape
    np.testing.assert_allclose(apply_affine(np.linalg.inv(affine()), there), points, atol=1e-9)


def test_spacing_does_not_depend_on_the_turn() -> None:
    assert spacing_of(affine()) == pytest.approx((1.5, 1.2, 8.0))


def test_lps_and_ras_turn_into_each_other_for_points_and_affines() -> None:
    points = np.array([[1.0, 2.0, 3.0], [-4.0, 5.0, 6.0]])
    assert lps_to_ras(points).tolist() == [[-1.0, -2.0, 3.0], [4.0, -5.0, 6.0]]
    voxel = np.array([3.0, 4.0, 5.0])
    np.testing.assert_allclose(apply_affine(lps_to_ras(affine()), voxel), lps_to_ras(apply_affine(affine(), voxel)))
    np.testing.assert_allclose(lps_to_ras(lps_to_ras(affine())), affine())


@pytest.mark.parametrize("angle", [0.0, 30.0, 60.0, 90.0])
def test_the_angle_of_planes_has_no_sign(angle: float) -> None:
    normal = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle)), 0.0])
    for sign in (1, -2):
        assert plane_angle_deg(np.array([1.0, 0, 0]), sign * normal) == pytest.approx(angle, abs=1e-5)


@pytest.mark.parametrize("bad", [np.zeros(3), np.array([np.nan, 0, 1]), np.array([np.inf, 0, 1])])
def test_a_direction_without_length_is_refused(bad: np.ndarray) -> None:  # type: ignore[type-arg]
    with pytest.raises(GeometryError, match="non-zero"):
        unit(bad)


@pytest.mark.parametrize("bad", [np.eye(3), np.full((4, 4), np.nan), np.diag([1.5, 0.0, 8.0, 1.0])])
def test_an_affine_that_cannot_be_is_refused(bad: np.ndarray) -> None:  # type: ignore[type-arg]
    with pytest.raises(GeometryError):
        check_affine(bad)
