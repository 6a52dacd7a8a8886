"""Landmarks are drawn where they are, whatever way the view is turned for display."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.results import LandmarkPrediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nifti.source import NiftiSource
from cinema_cmr.report.display import Box, shown
from cinema_cmr.report.frames import UNITS_PER_PIXEL
from cinema_cmr.report.marks import landmark_paths
from cinema_cmr.report.pictures import view_pictures

NAMES = LANDMARKS[View.LAX_4C]
PIXELS = np.array([[10.0, 20.0], [30.0, 22.0], [18.0, 5.0]])


def landmarks(cine: Cine, n_frames: int, pixels: np.ndarray = PIXELS) -> Landmarks:  # type: ignore[type-arg]
    placed = apply_affine(cine.affine, np.column_stack([pixels, np.zeros(3)]))
    return Landmarks(view=View.LAX_4C, points={name: np.tile(placed[k], (n_frames, 1)) for k, name in enumerate(NAMES)})


def places(path: str) -> list[tuple[float, float]]:
    """Where the path's strokes begin, in screen pixels."""
    return [(float(x) / UNITS_PER_PIXEL, float(y) / UNITS_PER_PIXEL) for x, y in re.findall(r"M(-?\d+) (-?\d+)", path)]


def test_a_line_joins_the_hinges_and_each_point_has_its_circle(study: Study) -> None:
    cine = study.cine(View.LAX_4C)
    box = Box(left=4, top=2, right=44, bottom=42)
    paths = landmark_paths(landmarks(cine, 2), cine, box, (80, 80))
    assert set(paths) == {"valve", "apex"} and [len(frames) for frames in paths.values()] == [2, 2]
    line, first, second = places(paths["valve"][0])
    # A pixel's centre is at a half; 2 screen pixels each.
    assert line == pytest.approx((2 * (10.5 - 4), 2 * (20.5 - 2)), abs=0.2)
    assert first[0] + 3.5 == pytest.approx(line[0], abs=0.3) and second[0] + 3.5 == pytest.approx(2 * 26.5, abs=0.3)
    (apex,) = places(paths["apex"][0])
    assert apex[0] + 3.5 == pytest.approx(2 * 14.5, abs=0.3) and apex[1] == pytest.approx(2 * 3.5, abs=0.3)


def test_a_missing_point_is_not_drawn(study: Study) -> None:
    cine = study.cine(View.LAX_4C)
    found = landmarks(cine, 2)
    found.points["apex"][1] = np.nan
    found.points["mitral_lateral"][0] = np.nan
    paths = landmark_paths(found, cine, Box(left=0, top=0, right=40, bottom=40), (80, 80))
    assert paths["apex"][1] == "" and paths["apex"][0]
    assert len(places(paths["valve"][0])) == 1 and "L" not in paths["valve"][0]
    assert "L" in paths["valve"][1]


def test_points_stay_on_their_pixels_when_the_view_is_turned(study: Study) -> None:
    """A bright pixel and a landmark on it are drawn at one place."""
    cine = study.cine(View.LAX_4C)
    affine = cine.affine[:, [1, 0, 2, 3]]
    stored = replace(cine, affine=affine, source=NiftiSource(b"x", (1, 1, 1)))
    turned, _ = shown(stored, None)
    found = landmarks(stored, 1)
    i, j = apply_affine(np.linalg.inv(turned.affine), found.points["apex"][0])[:2]
    box = Box(left=0, top=0, right=turned.array.shape[0], bottom=turned.array.shape[1])
    (apex,) = places(landmark_paths(found, turned, box, turned.array.shape[:2])["apex"][0])
    assert (apex[0] + 3.5, apex[1]) == pytest.approx((i + 0.5, j + 0.5), abs=0.3)


def test_the_view_shows_them_in_every_frame(study: Study) -> None:
    cine = study.cine(View.LAX_4C)
    sure = {name: np.ones(cine.n_frames) for name in NAMES}
    found = LandmarkPrediction(
        landmarks=landmarks(cine, cine.n_frames), confidence=sure, centre=(0.0, 0.0), model="cinema-lax"
    )
    pictures = view_pictures(study, {}, {View.LAX_4C: found})
    shown_paths = {picture.title: picture.film.tiles[0].paths for picture in pictures}
    assert shown_paths["Short axis"] == {}
    assert all(len(frames) == cine.n_frames and all(frames) for frames in shown_paths["4-chamber"].values())
