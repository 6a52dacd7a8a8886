"""Slices stand for the tissue between them: gaps, uneven ones too, count in every volume."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine


def cine(positions: list[float], **changes: object) -> Cine:
    values: dict[str, object] = {
        "array": np.zeros((4, 5, len(positions), 2), np.float32),
        "affine": np.diag([1.5, 2.0, 10.0, 1.0]),
        "view": View.SAX,
        "slice_positions_mm": np.array(positions),
        **changes,
    }
    return Cine(**values)  # type: ignore[arg-type]


def test_even_slices_each_stand_for_their_distance() -> None:
    assert cine([0, 10, 20]).slice_weights_mm.tolist() == [10, 10, 10]
    assert cine([0, 10, 20]).voxel_volumes_ml == pytest.approx([0.03, 0.03, 0.03])


def test_the_pixels_of_a_sheared_plane_are_parallelograms() -> None:
    affine = np.diag([1.5, 2.0, 10.0, 1.0])
    affine[:2, 1] = 2 * np.sin(np.radians(5)), 2 * np.cos(np.radians(5))
    expected = 1.5 * 2 * np.cos(np.radians(5)) * 10 / 1000
    assert cine([0, 10], affine=affine).voxel_volumes_ml == pytest.approx([expected] * 2)


def test_a_missing_slice_is_shared_by_its_neighbours() -> None:
    """Of 0, 10, 20, 30 mm without the third: the gap of 20 mm is covered half from each side."""
    assert cine([0, 10, 30]).slice_weights_mm.tolist() == [10, 15, 20]


def test_a_plane_stands_for_its_own_thickness() -> None:
    assert cine([0]).slice_weights_mm.tolist() == [10]


def test_the_same_grid_with_other_intensities() -> None:
    first = cine([0, 10])
    other = first.with_array(first.array + 1)
    assert (other.array == 1).all() and (first.array == 0).all() and other.affine is first.affine


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"array": np.zeros((4, 5, 3), np.float32)}, "four axes"),
        ({"slice_positions_mm": np.array([0.0, 10.0])}, "2 slice positions for 3"),
        ({"slice_positions_mm": np.array([0.0, 10.0, 10.0])}, "do not ascend"),
        ({"slice_positions_mm": np.array([20.0, 10.0, 0.0])}, "do not ascend"),
        ({"frame_times_ms": np.arange(3.0)}, "3 frame times for 2"),
        ({"affine": np.diag([1.5, 0.0, 10.0, 1.0])}, "without length"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(GeometryError, match=said):
        cine([0, 10, 20], **changes)
