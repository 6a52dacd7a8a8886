"""Segment values on the wall: constant stays constant, and each centre is closest to its own value."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.phantom.anatomy.segments import SEGMENT_CENTRES, draw_contraction, draw_thickness, interpolate_segments


def test_equal_values_are_equal_everywhere() -> None:
    theta, level = np.linspace(-7, 7, 50)[:, None], np.linspace(0, 1.2, 20)[None]
    assert interpolate_segments((1.3,) * 17, theta, level) == pytest.approx(np.full((50, 20), 1.3))


@pytest.mark.parametrize("number", range(1, 17))
def test_a_single_segment_peaks_at_its_centre(number: int) -> None:
    values = tuple(float(other == number) for other in range(1, 18))
    at_centres = {
        other: float(interpolate_segments(values, np.array(np.radians(angle)), np.array(level)))
        for other, (angle, level) in SEGMENT_CENTRES.items()
    }
    assert max(at_centres, key=lambda other: at_centres[other]) == number and at_centres[number] > 0.5


def test_apex_has_the_value_of_segment_17_at_every_angle() -> None:
    values = (*(1.0,) * 16, 0.4)
    assert interpolate_segments(values, np.linspace(0, 6, 9), np.array(1.0)) == pytest.approx(0.4)


def test_infarct_is_akinetic_and_thin_in_one_territory() -> None:
    rng = np.random.default_rng(0)
    contraction = draw_contraction("MINF", rng)
    thickness = draw_thickness("MINF", contraction, rng)
    scarred = [number for number in range(17) if contraction[number] < 0.3]
    assert 3 <= len(scarred) <= 7
    assert np.mean([thickness[number] for number in scarred]) < np.mean(thickness)
    assert min(draw_contraction("NOR", np.random.default_rng(0))) >= 0.88
