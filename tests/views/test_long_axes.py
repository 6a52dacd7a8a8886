"""Long-axis views against planes built at known rotations about a known axis."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from cinema_cmr.core.geometry import unit
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.views.axis import EXPECTED_AXIS, LongAxis
from cinema_cmr.views.candidate import Candidate
from cinema_cmr.views.long_axes import VIEW_ROTATIONS_DEG, classify_planes

CENTRE = np.array([-25.0, 15.0, -5.0])
AXIS = LongAxis(centre=CENTRE, direction=EXPECTED_AXIS, half_length_mm=40.0, source="motion")


def plane(rotation_deg: float, *, offset_mm: float = 0.0, tilt_deg: float = 0.0, **facts: object) -> Candidate:
    """A plane that contains the axis, rotated about it from the right ventricle towards the anterior wall.

    It is then tilted out of the axis about its row, and moved along its normal.
    """
    towards_rv = unit(np.array([1.0, 1.0, 0.0]) - (np.array([1.0, 1.0, 0.0]) @ EXPECTED_AXIS) * EXPECTED_AXIS)
    angle, tilt = np.radians([rotation_deg, tilt_deg])
    row = np.cos(angle) * towards_rv + np.sin(angle) * np.cross(towards_rv, EXPECTED_AXIS)
    column = np.cos(tilt) * EXPECTED_AXIS + np.sin(tilt) * np.cross(row, EXPECTED_AXIS)
    normal = np.cross(row, column)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([row * 2, column * 2, normal * 8], axis=1)
    affine[:3, 3] = CENTRE + offset_mm * normal - affine[:3, :3] @ np.array([10, 10, 0])
    array = np.zeros((21, 21, 1, int(facts.pop("n_frames", 8))), np.float32)
    label = str(facts.pop("label", "series 1"))
    cine = Cine(array=array, affine=affine, view=View.OTHER, slice_positions_mm=np.zeros(1), label=label)
    return Candidate(cine=cine, **facts)


def views_of(candidates: list[Candidate], axis: LongAxis = AXIS) -> list[View]:
    decisions = classify_planes(candidates, axis, indices=range(len(candidates)))
    return [decisions[k].view for k in range(len(candidates))]


@pytest.mark.parametrize("order", list(permutations(VIEW_ROTATIONS_DEG)))
def test_the_three_views_in_any_order(order: tuple[View, ...]) -> None:
    assert views_of([plane(VIEW_ROTATIONS_DEG[view]) for view in order]) == list(order)


@pytest.mark.parametrize("turn", [-25.0, -10.0, 10.0, 25.0])
def test_a_rotated_heart_is_recognised_from_its_planes_together(turn: float) -> None:
    assert views_of([plane(degrees + turn) for degrees in VIEW_ROTATIONS_DEG.values()]) == list(VIEW_ROTATIONS_DEG)


def test_a_plane_and_its_reverse_are_the_same_view() -> None:
    for view, degrees in VIEW_ROTATIONS_DEG.items():
        assert views_of([plane(degrees + 180)]) == [view]


def test_the_evidence_is_the_construction() -> None:
    (decision,) = classify_planes([plane(-38, offset_mm=7, tilt_deg=0)], AXIS, indices=[0]).values()
    assert decision.evidence["rotation_deg"] == pytest.approx(-38, abs=0.1)
    assert decision.evidence["distance_to_axis_mm"] == pytest.approx(7, abs=0.1)
    assert decision.evidence["angle_to_short_axis_deg"] == pytest.approx(90, abs=0.1)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"offset_mm": 30.0}, "passes 30 mm from"),
        ({"tilt_deg": 40.0}, "tilted by 40 degrees"),
        ({"tilt_deg": 75.0}, "transverse to the left ventricle"),
    ],
)
def test_a_plane_that_does_not_contain_the_axis_is_no_view(facts: dict[str, float], reason: str) -> None:
    (decision,) = classify_planes([plane(90, **facts)], AXIS, indices=[0]).values()
    assert decision.view is View.OTHER and not decision.kept and reason in decision.reason


def test_a_described_plane_may_pass_a_little_further_from_the_axis() -> None:
    assert views_of([plane(90, offset_mm=18)]) == [View.OTHER]
    assert views_of([plane(90, offset_mm=18, hints=("2ch",))]) == [View.LAX_2C]


def test_the_description_decides_half_way_between_two_views() -> None:
    described = [views_of([plane(0, hints=(hint,))])[0] for hint in ("4ch", "3ch")]
    assert described == [View.LAX_4C, View.LAX_3C]


def test_of_two_planes_of_a_view_the_better_aligned_is_kept_then_the_one_with_more_frames() -> None:
    good, skewed = plane(90), plane(90, offset_mm=10, tilt_deg=8)
    decisions = classify_planes([skewed, good], AXIS, indices=[0, 1])
    assert [decisions[k].kept for k in (0, 1)] == [False, True] and "better aligned" in decisions[0].reason
    decisions = classify_planes([plane(90, n_frames=25), plane(90, n_frames=12)], AXIS, indices=[0, 1])
    assert [decisions[k].kept for k in (0, 1)] == [True, False] and "more frames" in decisions[1].reason


def test_one_plane_between_two_views_is_left_open_without_a_measured_axis() -> None:
    assumed = LongAxis(centre=CENTRE, direction=EXPECTED_AXIS, half_length_mm=0.0, source="typical direction")
    assert views_of([plane(10)], assumed) == [View.OTHER]
    assert views_of([plane(10, hints=("3ch",))], assumed) == [View.LAX_3C]
