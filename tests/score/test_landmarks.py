"""Landmark distances by hand, and what a missing point does."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.score.landmarks import detection_rates, landmark_distances_mm

NO_POINT = (np.nan, np.nan, np.nan)


def landmarks(view: View = View.LAX_2C, **points: list[tuple[float, float, float]]) -> Landmarks:
    return Landmarks(view=view, points={name: np.array(where) for name, where in points.items()})


def test_distance_is_straight_in_space_and_sub_pixel() -> None:
    reference = landmarks(apex=[(0, 0, 0), (10, 10, 10)])
    predicted = landmarks(apex=[(3, 4, 12), (10, 10, 10.25)])
    assert landmark_distances_mm(predicted, reference)["apex"].tolist() == pytest.approx([13, 0.25])


def test_points_are_matched_by_name_not_by_order() -> None:
    reference = landmarks(apex=[(0, 0, 0)], mitral_anterior=[(50, 0, 0)])
    predicted = landmarks(mitral_anterior=[(50, 0, 1)], apex=[(0, 2, 0)])
    found = landmark_distances_mm(predicted, reference)
    assert {name: float(distance[0]) for name, distance in found.items()} == {"mitral_anterior": 1, "apex": 2}


def test_a_point_that_was_not_found_is_counted() -> None:
    reference = landmarks(apex=[(0, 0, 0), (0, 0, 0), NO_POINT])
    predicted = landmarks(apex=[(1, 0, 0), NO_POINT, (5, 5, 5)])
    distance = landmark_distances_mm(predicted, reference)["apex"]
    assert distance[0] == 1
    assert np.isnan(distance[1:]).all()
    assert detection_rates(predicted, reference)["apex"] == 0.5


def test_nothing_to_find_is_undefined() -> None:
    reference = landmarks(apex=[NO_POINT])
    assert math.isnan(detection_rates(landmarks(apex=[(1, 0, 0)]), reference)["apex"])


def test_other_views_names_and_frames_are_refused() -> None:
    reference = landmarks(apex=[(0, 0, 0)])
    with pytest.raises(UsageError, match=r"4-chamber view.*2-chamber view"):
        landmark_distances_mm(landmarks(view=View.LAX_4C, apex=[(0, 0, 0)]), reference)
    with pytest.raises(UsageError, match="mitral_anterior"):
        detection_rates(landmarks(mitral_anterior=[(0, 0, 0)]), reference)
    with pytest.raises(InputError, match=r"landmark 'apex' has shape \(2, 3\)"):
        landmark_distances_mm(landmarks(apex=[(0, 0, 0), (0, 0, 0)]), reference)
