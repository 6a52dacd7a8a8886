"""Films of slices."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.report.display import Box
from cinema_cmr.report.frames import UNITS_PER_PIXEL, Film, film, outline_paths

HeartLabels = Callable[[tuple[int, int, int, int]], NDArray[np.uint8]]


def cine_of(array: NDArray[np.float32], spacing: tuple[float, float]) -> Cine:
    positions = np.arange(array.shape[2]) * 8.0
    affine = np.diag([*spacing, 8.0, 1.0])
    return Cine(array=array, affine=affine, view=View.SAX, slice_positions_mm=positions)


def ramp(shape: tuple[int, int, int, int]) -> Cine:
    """Brightness is the same over a frame and grows by 10 with each frame and by 100 with each slice."""
    n_z, n_t = shape[2:]
    levels = np.arange(n_z)[:, None] * 100 + np.arange(n_t)[None] * 10
    array = np.broadcast_to(levels, shape).astype(np.float32)
    return cine_of(array, (1.5, 1.5))


def sheet_of(shot: Film, tile: int) -> NDArray[np.float64]:
    data = base64.b64decode(shot.tiles[tile].source.removeprefix("data:image/webp;base64,"))
    return np.asarray(Image.open(io.BytesIO(data)).convert("L"), dtype=float)


def frame_of(shot: Film, tile: int, place: int) -> NDArray[np.float64]:
    """What the page shows of a sheet at a place."""
    x, y = shot.offset(place)
    return sheet_of(shot, tile)[-y : -y + shot.height, -x : -x + shot.width]


def test_each_frame_lies_where_the_page_looks_for_it() -> None:
    cine = ramp((40, 50, 2, 7))
    shot = film(cine, None, box=Box(left=5, top=5, right=35, bottom=45), frames=range(7), longest=64)
    assert (shot.width, shot.height) == (48, 64)
    for z in (0, 1):
        means = [frame_of(shot, z, t).mean() for t in range(7)]
        assert np.all(np.diff(means) > 3)
        assert max(frame_of(shot, z, t).std() for t in range(7)) < 1
    assert frame_of(shot, 1, 0).mean() > frame_of(shot, 0, 6).mean()
    assert sheet_of(shot, 0).shape == shot.sheet[::-1]


def test_each_frame_has_an_edge_of_one_pixel_on_the_sheet() -> None:
    shot = film(ramp((40, 40, 1, 9)), None, box=Box(left=0, top=0, right=40, bottom=40), frames=range(9), longest=32)
    assert (shot.columns, shot.sheet) == (3, (3 * 34, 3 * 34))
    assert [shot.offset(place) for place in (0, 1, 5, 8)] == [(-1, -1), (-35, -1), (-69, -35), (-69, -69)]


def test_frames_asked_for_are_the_ones_shown() -> None:
    shot = film(ramp((40, 40, 1, 7)), None, box=Box(left=0, top=0, right=40, bottom=40), frames=(6, 1), longest=32)
    assert shot.frames == (6, 1)
    assert frame_of(shot, 0, 0).mean() > frame_of(shot, 0, 1).mean() + 50


def test_picture_shows_x_to_the_right_and_y_down() -> None:
    array = np.zeros((40, 60, 1, 1), np.float32)
    array[30:, :15] = 100
    cine = cine_of(array, (2.0, 1.0))
    shot = film(cine, None, box=Box(left=0, top=0, right=40, bottom=60), frames=(0,), longest=80)
    assert (shot.width, shot.height) == (80, 60)
    picture = frame_of(shot, 0, 0)
    assert picture[3:12, 65:77].min() > 200
    assert picture[25:].max() < 30
    assert picture[:, :55].max() < 30


@pytest.mark.medium
def test_many_frames_and_slices_are_shown_smaller() -> None:
    box = Box(left=0, top=0, right=30, bottom=30)
    few = film(ramp((30, 30, 1, 4)), None, box=box, frames=range(4), longest=176)
    many = film(ramp((30, 30, 20, 60)), None, box=box, frames=range(60), longest=176)
    assert few.width == 176
    assert 60 <= many.width < 80


def points_of(text: str) -> NDArray[np.float64]:
    return np.array([int(n) for n in re.findall(r"-?\d+", text)]).reshape(-1, 2).cumsum(axis=0)


def test_outlines_lie_on_the_labels_in_the_pictures_own_pixels(heart_labels: HeartLabels) -> None:
    labels = heart_labels((64, 80, 6, 8))
    box = Box(left=6.5, top=20.25, right=46.5, bottom=60.25)
    paths = outline_paths(labels, box, (160, 160))
    points = points_of(paths["lv"][0][0]) / UNITS_PER_PIXEL / 4 + [6.5, 20.25] - 0.5
    assert points.mean(axis=0) == pytest.approx((30, 40), abs=0.3)
    assert np.hypot(*(points - [30, 40]).T) == pytest.approx(np.full(len(points), 9.0), abs=0.8)


def test_the_myocardiums_outline_is_the_epicardium(heart_labels: HeartLabels) -> None:
    labels = heart_labels((64, 80, 2, 2))
    box = Box(left=0, top=0, right=64, bottom=80)
    wall = outline_paths(labels, box, (64, 80))["myo"][0][0]
    assert wall.count("M") == 1
    radii = np.hypot(*(points_of(wall) / UNITS_PER_PIXEL - 0.5 - [30, 40]).T)
    assert radii.mean() == pytest.approx(12.0, abs=0.5)


def test_blood_without_a_wall_has_no_epicardium_and_nothing_has_no_path() -> None:
    labels = np.zeros((20, 20, 1, 2), np.uint8)
    labels[5:12, 5:12, 0, 0] = 3
    paths = outline_paths(labels, Box(left=0, top=0, right=20, bottom=20), (40, 40))
    assert paths["myo"] == [("", "")]
    assert paths["lv"][0][0].startswith("M")
    assert paths["lv"][0][1] == ""


def test_atria_have_outlines_of_their_own() -> None:
    labels = np.zeros((40, 50, 1, 2), np.uint8)
    labels[10:18, 10:18], labels[24:30, 10:18, :, 0] = 4, 5
    paths = outline_paths(labels, Box(left=0, top=0, right=40, bottom=50), (80, 100), scheme="chambers")
    assert [name for name in paths if any(paths[name][0])] == ["la", "ra"] and {"rv", "myo", "lv"} <= set(paths)
    assert [bool(path) for path in paths["la"][0]] == [True, True]
    assert [bool(path) for path in paths["ra"][0]] == [True, False]
