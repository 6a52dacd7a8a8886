"""Depth and place of an infarct along rays, against wedges whose depth and direction are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scars import INNER_MM, OUTER_MM, ring, stack

from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.scar_wall import ScarWall, lesion_along_rays, measure_scar_wall, segment_values, to_cine_labels


def wall_of(planes: Sequence[NDArray[np.uint8]], **settings: object) -> ScarWall:
    study, prediction = stack(*planes, **settings)  # type: ignore[arg-type]
    return measure_scar_wall(study.cine(View.SAX), prediction.labels)


def tapering(**settings: float) -> list[NDArray[np.uint8]]:
    """Six slices that tell base from apex."""
    return [ring(scale=scale, **settings) for scale in (1.0, 1.0, 0.95, 0.9, 0.75, 0.65)]  # type: ignore[arg-type]


def test_rays_measure_wall_and_infarct() -> None:
    study, prediction = stack(ring(depth=0.5, wedge_deg=90))
    wall, lesion = lesion_along_rays(study.cine(View.SAX), prediction.labels, 0)
    assert wall == pytest.approx(np.full(360, OUTER_MM - INNER_MM), abs=0.8)
    inside = lesion > 0
    assert inside.sum() == pytest.approx(90, abs=3)
    assert float(np.mean(lesion[inside] / wall[inside])) == pytest.approx(0.5, abs=0.03)


def test_transmurality_does_not_depend_on_the_pixels_true_shape() -> None:
    """The same picture with pixels said to be twice as long one way."""
    planes = [ring(depth=0.75, wedge_deg=360)] * 3
    true, wrong = wall_of(planes), wall_of(planes, axes=np.diag([-2.0, -1.0, -1.0]))
    assert true.rim_half_percent == wrong.rim_half_percent == 100.0


def test_the_rim_counts_rays_with_any_and_with_half_of_the_wall() -> None:
    deep, shallow = wall_of([ring(depth=0.8)] * 3), wall_of([ring(depth=0.3)] * 3)
    assert deep.rim_percent == pytest.approx(25, abs=1) and deep.rim_half_percent == pytest.approx(25, abs=1)
    assert shallow.rim_percent == pytest.approx(25, abs=1) and shallow.rim_half_percent == 0


# In the ordinary display x runs to the patient's left and y to the back: the septum lies at 180 + 27 degrees
# and the anterior wall follows it clockwise, at about 270.
SEPTUM_DEG = np.degrees(np.arctan2(-0.5, -1.0))


@pytest.mark.parametrize(
    ("turned_deg", "segments"),
    [(30, {2, 8}), (-30, {3, 9}), (90, {1, 7}), (-90, {4, 10}), (150, {6, 12}), (-150, {5, 11})],
)
def test_a_wedge_lies_in_its_segment(turned_deg: float, segments: set[int]) -> None:
    wall = wall_of(tapering(at_deg=SEPTUM_DEG + turned_deg, wedge_deg=50, depth=0.6), oriented=True)
    assert {segment for segment, share in wall.infarct_percent.items() if share > 40 and segment < 13} == segments
    assert {segment for segment, share in wall.infarct_percent.items() if share == 0} >= {1, 4} - segments
    for segment in segments:
        assert wall.transmurality_percent[segment] == pytest.approx(60, abs=3)
    assert len(wall.infarct_percent) == 16


def test_without_orientation_there_are_levels_and_no_segments_with_the_reason() -> None:
    wall = wall_of(tapering())
    assert wall.levels == ((0, 1), (2, 3), (4, 5)) and not wall.infarct_percent
    values = {value.name: value for value in segment_values(wall)}
    assert len(values) == 2 + 2 * 16 and values["infarct_rim_percent"].value == pytest.approx(25, abs=1)
    assert "septum" in str(values["infarct_percent_aha01"].reason)


def test_a_long_axis_plane_and_too_few_rings_have_no_segments() -> None:
    sagittal = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
    assert "septum" in str(wall_of(tapering(), oriented=True, axes=sagittal).reason)
    few = wall_of([ring(), ring()])
    assert few.levels is None and "at least 3" in str(few.reason) and not few.rings
    absent = {value.name: value.value for value in segment_values(few)}
    assert set(absent.values()) == {None}


def test_all_of_the_wall_is_myocardium_in_cine_codes() -> None:
    _, prediction = stack(ring(core=True))
    as_cine = to_cine_labels(prediction.labels).array
    assert np.array_equal(as_cine == 3, prediction.labels.array == 1)
    assert np.array_equal(as_cine == 2, prediction.labels.array > 1)
