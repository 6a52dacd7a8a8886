"""Slices stand for the tissue between them: gaps, uneven ones too, count in every volume."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.errors import GeometryError, UnknownNameError, UsageError
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
        ({"slice_positions_mm": np.array([0.0, np.nan, 20.0])}, "do not ascend"),
        ({"frame_times_ms": np.arange(3.0)}, "3 frame times for 2"),
        ({"frame_times_ms": np.array([0.0, np.nan])}, "a finite one each"),
        ({"affine": np.diag([1.5, 0.0, 10.0, 1.0])}, "without length"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(GeometryError, match=said):
        cine([0, 10, 20], **changes)


def uneven(n_frames: int = 6) -> Cine:
    """Slices at 0, 8, 20 and 30 mm along z, frames 40 ms apart; each voxel's value is 10 x slice + frame."""
    values = np.add.outer(10.0 * np.arange(4), np.arange(n_frames))
    return Cine(
        array=np.broadcast_to(values, (3, 2, 4, n_frames)).astype(np.float32),
        affine=np.diag([1.5, 1.5, 10.0, 1.0]),
        view=View.SAX,
        slice_positions_mm=np.array([0.0, 8.0, 20.0, 30.0]),
        frame_times_ms=40.0 * np.arange(n_frames),
    )


def test_selected_frames_keep_their_intervals() -> None:
    part = uneven().select(frames=[2, 5])
    assert part.shape == (3, 2, 4, 2) and part.array[0, 0, 1].tolist() == [12, 15]
    assert part.frame_times_ms is not None and part.frame_times_ms.tolist() == [0, 120]


def test_selected_slices_stay_where_they_are() -> None:
    part = uneven().select(slices=slice(1, 3))
    assert part.slice_positions_mm.tolist() == [0, 12]
    assert part.affine[:3, 3].tolist() == [0, 0, 8] and part.spacing_mm == (1.5, 1.5, 12.0)
    assert uneven().select(slices=-1).affine[2, 3] == 30


def test_a_slice_index_is_a_place_on_the_affine() -> None:
    assert cine([0, 10, 20]).slice_indices.tolist() == [0, 1, 2]
    assert cine([5, 15, 45]).slice_indices.tolist() == [0, 0.5, 2]
    assert cine([0]).slice_indices.tolist() == [0]


def test_a_whole_selection_changes_nothing() -> None:
    cine = uneven()
    assert cine.select() is cine
    part = cine.select(frames=slice(None), slices=range(4))
    assert np.array_equal(part.array, cine.array) and np.array_equal(part.affine, cine.affine)


@pytest.mark.parametrize("selection", [{"frames": 6}, {"slices": []}, {"slices": [-5]}])
def test_selections_outside_of_the_cine_are_refused(selection: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="expected at least one of"):
        uneven().select(**selection)  # type: ignore[arg-type]


def test_repr_names_view_and_grid() -> None:
    assert repr(uneven()) == "Cine(sax: 3 x 2 x 4 voxels of 1.5 x 1.5 x 10 mm, 6 frames)"


def test_lists_and_names_are_taken_and_slices_are_even_unless_stated() -> None:
    affine = [[1.5, 0.0, 0.0, 0.0], [0.0, 1.5, 3.0, 0.0], [0.0, 0.0, 8.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    cine = Cine(array=np.zeros((4, 4, 3, 2), np.float32), affine=affine, view="sax")  # type: ignore[arg-type]
    assert cine.view is View.SAX and cine.slice_positions_mm.tolist() == [0, 8, 16]  # along the normal
    stated = Cine(array=cine.array, affine=affine, view="sax", slice_positions_mm=[0, 8, 24])  # type: ignore[arg-type]
    assert stated.slice_weights_mm.tolist() == [8, 12, 16]
    with pytest.raises(UnknownNameError, match="unknown view 'short'"):
        Cine(array=cine.array, affine=affine, view="short")  # type: ignore[arg-type]
