"""Points that no heart can have are left out and told; a heart's points pass untouched."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.results import LandmarkPrediction
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.measure.long_axis.measurements import long_axis_values
from cinema_cmr.measure.quality.landmarks import mapse_uneven, plausible_landmarks
from cinema_cmr.phantom.phantom import make_phantom

N = 20


def heart() -> NDArray[np.float64]:
    """(t, k, 3): a ring of 34 mm that moves 12 mm towards an apex 90 mm away."""
    way = 6 * (1 - np.cos(np.arange(N) * 2 * np.pi / N))
    points = np.zeros((N, 3, 3))
    points[:, 0], points[:, 1], points[:, 2] = [-17.0, 0, 0], [17.0, 0, 0], [0, 90.0, 0]
    points[:, :2, 1] = way[:, None]
    return points


def found(points: NDArray[np.float64], view: View = View.LAX_4C) -> LandmarkPrediction:
    named = {name: points[:, k] for k, name in enumerate(LANDMARKS[view])}
    sure = {name: np.ones(len(points)) for name in named}
    return LandmarkPrediction(
        landmarks=Landmarks(view=view, points=named), confidence=sure, centre=(0.0, 0.0), model="m"
    )


def test_a_heart_passes_untouched() -> None:
    given = found(heart())
    assert plausible_landmarks(given) == (given.landmarks, ())


@pytest.mark.medium
@pytest.mark.parametrize("seed", range(4))
def test_phantoms_of_all_kinds_pass(seed: int) -> None:
    made = make_phantom(seed, views=tuple(LANDMARKS), n_frames=12)
    for view, landmarks in made.landmarks.items():
        stacked = np.stack([landmarks.points[name] for name in LANDMARKS[view]], axis=1)
        assert plausible_landmarks(found(stacked, view))[1] == ()


@pytest.mark.parametrize(
    ("point", "moved"),
    [
        (0, [-60.0, 0, 0]),
        (1, [-30.0, 0, 0]),
        (2, [0, 70.0, 0]),
        (2, [0, -70.0, 0]),
        (2, [30.0, 0, 0]),
        (0, [0, 40.0, 0]),
    ],
    ids=["ring too wide", "ring too small", "too long", "too short", "apex elsewhere", "jump"],
)
def test_a_frame_that_no_heart_shows_is_left_out_and_told(point: int, moved: list[float]) -> None:
    points = heart()
    points[7, point] += moved
    landmarks, (flag,) = plausible_landmarks(found(points))
    assert landmarks is not None and flag.code == "landmarks-excluded-lax_4c" and flag.severity == "info"
    gone = np.isnan(landmarks.points["apex"][:, 0])
    assert gone[7] and gone.sum() == flag.evidence["implausible_frames"] <= 3


def test_the_valve_of_the_3_chamber_view_may_be_narrower() -> None:
    narrow = heart()
    narrow[:, :2, 0] *= 14 / 34
    assert plausible_landmarks(found(narrow, View.LAX_3C))[1] == ()
    assert plausible_landmarks(found(narrow, View.LAX_4C))[0] is None


def test_missing_points_are_counted_apart() -> None:
    points = heart()
    points[3, 1] = np.nan
    landmarks, (flag,) = plausible_landmarks(found(points))
    assert landmarks is not None and flag.evidence["frames_without_a_point"] == 1
    assert flag.evidence["implausible_frames"] == 0
    assert np.isnan(landmarks.points["mitral_septal"][3]).all()


def test_a_frame_of_which_the_model_is_unsure_is_left_out() -> None:
    given = found(heart())
    given.confidence["mitral_lateral"][4] = 0.3
    landmarks, (flag,) = plausible_landmarks(given)
    assert landmarks is not None and flag.evidence["uncertain_frames"] == 1
    assert np.isnan(landmarks.points["apex"][4]).all()
    blind = found(heart())
    for name in blind.confidence:
        blind.confidence[name][:] = np.nan  # coordinates come without a confidence
    assert plausible_landmarks(blind)[1] == ()


def test_a_view_that_is_mostly_odd_gives_nothing() -> None:
    points = heart()
    points[::2, 1] += [60.0, 0, 0]
    landmarks, (flag,) = plausible_landmarks(found(points))
    assert landmarks is None and flag.code == "landmarks-implausible-lax_4c" and flag.severity == "warning"


def test_no_points_at_all_give_nothing() -> None:
    landmarks, (flag,) = plausible_landmarks(found(np.full((N, 3, 3), np.nan)))
    assert landmarks is None and flag.evidence["frames_without_a_point"] == N


def test_one_frame_is_judged_by_its_form_alone() -> None:
    given = found(heart()[:1])
    assert plausible_landmarks(given) == (given.landmarks, ())


@pytest.mark.parametrize(("lateral_mm", "fires"), [(12.0, False), (21.5, False), (22.5, True), (1.5, True)])
def test_sides_that_move_a_centimetre_apart_are_reported(lateral_mm: float, fires: bool) -> None:
    points = heart()
    points[:, 1, 1] *= lateral_mm / 12
    landmarks = {View.LAX_4C: found(points).landmarks}
    flag = mapse_uneven({one.name: one for one in long_axis_values(landmarks)})
    assert (flag is not None) is fires
    if flag is not None:
        assert "frames 0 and 10" in flag.message
        assert flag.evidence["lateral_mm"] == pytest.approx(lateral_mm, abs=0.4)  # along the axis, which tilts


def test_one_side_alone_is_not_compared() -> None:
    assert mapse_uneven({}) is None
