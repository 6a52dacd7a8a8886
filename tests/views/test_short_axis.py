"""Short-axis stacks against stacks built at known angles to the typical axis and to the body planes."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.geometry import unit
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.views.appearance import StackAppearance
from cinema_cmr.views.axis import EXPECTED_AXIS
from cinema_cmr.views.candidate import Candidate
from cinema_cmr.views.recognise import recognise_views
from cinema_cmr.views.short_axis import classify_stacks

Array = np.ndarray


def stack(normal: Array, *, n_slices: int = 8, n_frames: int = 12, gap_mm: float = 10.0, **facts: object) -> Candidate:
    """Slices across `normal`, centred on one point."""
    row = unit(np.cross(normal, [0.3, -0.2, 1.0]))
    affine = np.eye(4)
    affine[:3, :3] = np.stack([row * 2, np.cross(normal, row) * 2, normal * gap_mm], axis=1)
    affine[:3, 3] = np.array([-25.0, 15.0, -5.0]) - affine[:3, :3] @ np.array([4, 4, (n_slices - 1) / 2])
    cine = Cine(
        array=np.zeros((9, 9, n_slices, n_frames), np.float32),
        affine=affine,
        view=View.OTHER,
        slice_positions_mm=np.arange(n_slices) * gap_mm,
        label=str(facts.pop("label", "series 1")),
    )
    return Candidate(cine=cine, **facts)


def off_axis(degrees: float) -> Array:
    """A direction so many degrees from the typical axis, away from the body axes."""
    side = unit(np.cross(EXPECTED_AXIS, [-0.57, -0.62, -0.53]))
    return np.cos(np.radians(degrees)) * EXPECTED_AXIS + np.sin(np.radians(degrees)) * side


@pytest.mark.parametrize("degrees", [0.0, 15.0, 25.0])
def test_a_stack_across_the_axis_is_the_short_axis(degrees: float) -> None:
    (decision,) = classify_stacks([stack(off_axis(degrees))]).values()
    assert (decision.view, decision.kept) == (View.SAX, True)
    assert decision.evidence["normal_to_typical_axis_deg"] == pytest.approx(degrees, abs=0.1)
    assert decision.evidence["n_slices"] == 8


@pytest.mark.parametrize(("axis", "plane"), [(0, "sagittal"), (1, "coronal"), (2, "transverse")])
def test_a_body_plane_is_named(axis: int, plane: str) -> None:
    (decision,) = classify_stacks([stack(np.eye(3)[axis])]).values()
    assert decision.view is View.OTHER and f"in a {plane} plane" in decision.reason


def test_a_stack_along_the_axis_has_no_decision_as_a_slice_may_be_a_long_axis_view() -> None:
    along = unit(np.cross(EXPECTED_AXIS, [0.2, 0.1, 0.9]))
    assert classify_stacks([stack(along)]) == {}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"n_slices": 10}, {"n_slices": 8, "n_frames": 40}),
        ({"n_frames": 30}, {"n_frames": 12, "gap_mm": 12.0}),
        ({"gap_mm": 12.0}, {"gap_mm": 10.0, "acquisition_order": (9.0,)}),
        ({"acquisition_order": (9.0,)}, {"acquisition_order": (8.0,)}),
    ],
    ids=["slices", "frames", "coverage", "later"],
)
def test_the_better_of_two_stacks_is_kept(better: dict[str, object], worse: dict[str, object]) -> None:
    for order in ((better, worse), (worse, better)):
        decisions = classify_stacks([stack(EXPECTED_AXIS, **facts) for facts in order])
        assert all(decision.view is View.SAX for decision in decisions.values())
        assert [decisions[k].kept for k in (0, 1)] == [facts is better for facts in order]


def test_two_slices_count_only_without_a_stack() -> None:
    pair = stack(EXPECTED_AXIS, n_slices=2)
    assert classify_stacks([pair])[0].kept
    assert set(classify_stacks([pair, stack(EXPECTED_AXIS)])) == {1}
    assert classify_stacks([stack(EXPECTED_AXIS, n_slices=2, hints=("right ventricle",))]) == {}


def test_a_usual_direction_whose_images_show_no_round_ring_is_measured_and_uncertain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    no_ring = StackAppearance(elongation=0.5, slope=1.0, atrial_share=0.5, n_rings=6, towards_rv=None)
    monkeypatch.setattr("cinema_cmr.views.short_axis.stack_appearance", lambda cine: no_ring)
    found = recognise_views([stack(off_axis(5.0))])
    assert (found.decisions[0].view, found.decisions[0].kept) == (View.SAX, True)
    (issue,) = (one for one in found.issues if one.code == "view-uncertain")
    assert issue.severity == "warning" and "do not show a round ring of wall around blood" in issue.message
