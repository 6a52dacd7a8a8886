"""Candidates of view recognition: their planes, and the view that a description names."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.views.candidate import Candidate, view_from_hints

AFFINE = np.array([[0.0, 2.0, 0.0, 10.0], [3.0, 0.0, 0.0, 20.0], [0.0, 0.0, -4.0, 30.0], [0.0, 0.0, 0.0, 1.0]])


def candidate(*positions_mm: float) -> Candidate:
    array = np.zeros((5, 7, len(positions_mm), 2), np.float32)
    cine = Cine(array=array, affine=AFFINE, view=View.OTHER, slice_positions_mm=np.array(positions_mm))
    return Candidate(cine=cine)


def test_planes_pass_through_the_image_centres() -> None:
    """The centre is voxel (2, 3): x = 2 * 3 + 10, y = 3 * 2 + 20; slices go down by 4 mm from z = 30."""
    centres = np.array([plane.centre for plane in candidate(0.0, 4.0, 8.0).planes])
    assert centres == pytest.approx(np.array([[16, 26, 30], [16, 26, 26], [16, 26, 22]]))


def test_the_normal_is_row_times_column() -> None:
    assert all(plane.normal == pytest.approx([0, 0, -1]) for plane in candidate(0.0, 4.0, 8.0).planes)


def test_uneven_slices_keep_their_distances() -> None:
    heights = [plane.centre[2] for plane in candidate(0.0, 2.0, 8.0).planes]
    assert heights == pytest.approx([30, 28, 22])


@pytest.mark.parametrize(("positions_mm", "height"), [((0.0,), 30), ((0.0, 4.0, 8.0), 26), ((0.0, 4.0), 26)])
def test_the_middle_plane_is_that_of_the_middle_slice(positions_mm: tuple[float, ...], height: float) -> None:
    assert candidate(*positions_mm).middle_plane.centre[2] == pytest.approx(height)


@pytest.mark.parametrize(
    ("hints", "view"),
    [
        ((), None),
        (("4ch",), View.LAX_4C),
        (("short axis", "transverse"), View.SAX),
        (("2ch", "4ch"), None),
        (("right ventricle",), None),
    ],
)
def test_a_description_names_one_view_or_none(hints: tuple[str, ...], view: View | None) -> None:
    assert view_from_hints(hints) is view
