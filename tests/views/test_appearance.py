"""The evidence of images, on a beating ellipsoid in a wall, cut across and obliquely, beside a right ventricle."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.geometry import unit
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.views.appearance import StackAppearance, stack_appearance

Array = np.ndarray
PIXEL_MM, STEP_MM, N = 3.0, 9.0, 64
AXIS = np.array([0.0, 0.0, 1.0])
"""Of the ellipsoid; the right ventricle lies in the direction of x."""


def image(points: Array, phase: float) -> Array:
    """Signal of a heart at RAS points (..., 3): blood 1, LV wall 0.2, body 0.4; the atrium lies above z = 40."""
    scale = 1 - 0.3 * np.sin(np.pi * phase) ** 2
    x, y, z = np.moveaxis(points, -1, 0)
    signal = np.full(x.shape, 0.4)
    ventricle = z < 40
    signal[((x - 38) ** 2 / (26 * scale) ** 2 + (y / 34) ** 2 + (z / 48) ** 2 < 1) & ventricle] = 1
    from_axis = np.hypot(x, y) / np.sqrt(np.clip(1 - (z / 55) ** 2, 1e-6, None))
    inside = (np.abs(z) < 55) & ventricle
    signal[(from_axis < 34) & inside] = 0.2
    signal[(from_axis < 25 * scale) & inside] = 1
    signal[(np.linalg.norm(points - [0, 0, 62], axis=-1) < 24 * (1.5 - 0.5 * scale)) & ~ventricle] = 1
    return signal


def stack(normal: Array, *, movement: Array | None = None, n_slices: int = 11, n_frames: int = 8) -> Cine:
    """Slices across a normal through the heart; the whole is moved by a rotation."""
    normal = unit(normal)
    column = unit(np.cross(normal, [0.1, 1.0, 0.2]))
    row = np.cross(normal, column)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([column * PIXEL_MM, row * PIXEL_MM, normal * STEP_MM], axis=1)
    affine[:3, 3] = -affine[:3, :3] @ (np.array([N, N, n_slices]) - 1) / 2
    grid = np.stack(np.meshgrid(np.arange(N), np.arange(N), np.arange(n_slices), indexing="ij"), axis=-1)
    points = grid @ affine[:3, :3].T + affine[:3, 3]
    rng = np.random.default_rng(1)
    frames = [image(points, t / n_frames) + rng.normal(0, 0.02, points.shape[:3]) for t in range(n_frames)]
    if movement is not None:
        affine[:3] = movement @ affine[:3]
    return Cine(
        array=np.stack(frames, axis=-1).astype(np.float32),
        affine=affine,
        view=View.OTHER,
        slice_positions_mm=np.arange(n_slices) * STEP_MM,
    )


def shown(cine: Cine) -> StackAppearance:
    found = stack_appearance(cine)
    assert found is not None
    return found


def test_slices_across_the_ventricle_are_round_and_in_line() -> None:
    found = shown(stack(AXIS))
    assert found.log_odds > 0.5
    assert found.elongation < 0.04 and found.slope < 0.1 and found.n_rings >= 6


@pytest.mark.parametrize("normal", [[0.85, 0.0, 0.53], [0.0, 0.85, 0.53], [0.78, 0.0, 0.62], [1.0, 0.2, 0.0]])
def test_oblique_slices_are_not(normal: list[float]) -> None:
    across, oblique = shown(stack(AXIS)), shown(stack(np.array(normal)))
    assert oblique.log_odds < min(1.0, across.log_odds - 2)


def test_the_right_ventricle_lies_where_it_moves_beside_the_ring() -> None:
    assert shown(stack(AXIS)).towards_rv @ [1, 0, 0] > 0.9


def test_the_position_of_the_body_changes_nothing_but_the_direction() -> None:
    q, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))
    turn = q * np.sign(np.linalg.det(q))
    plain, turned = shown(stack(AXIS)), shown(stack(AXIS, movement=turn))
    assert turned.log_odds == pytest.approx(plain.log_odds)
    np.testing.assert_allclose(turned.towards_rv, turn @ plain.towards_rv, atol=1e-9)


def test_end_diastole_and_end_systole_are_enough() -> None:
    cine = stack(AXIS)
    assert shown(cine.with_array(cine.array[..., [0, 4]])).log_odds > 0


def test_nothing_is_shown_without_motion_slices_or_frames() -> None:
    cine = stack(AXIS)
    assert stack_appearance(cine.with_array(np.ones_like(cine.array))) is None
    assert stack_appearance(stack(AXIS, n_slices=2)) is None
    assert stack_appearance(cine.with_array(cine.array[..., :1])) is None
