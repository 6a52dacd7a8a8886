"""What is shown of each view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cinema_cmr.core.results import Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.report.pictures import contact_sheets, stack_film, view_pictures

Predictions = dict[View, Prediction]


def test_the_stack_has_every_slice_and_frame_with_outlines(study: Study, predictions: Predictions) -> None:
    shot = stack_film(study, predictions)
    assert shot is not None
    assert [tile.slice_index for tile in shot.tiles] == list(range(6))
    assert [tile.position_mm for tile in shot.tiles] == pytest.approx([0, 8, 16, 24, 32, 40])
    assert shot.frames == tuple(range(8))
    assert all(len(paths) == 8 for tile in shot.tiles for paths in tile.paths.values())
    assert all(path.startswith("M") for tile in shot.tiles for paths in tile.paths.values() for path in paths)


def test_contact_sheets_are_of_ed_and_es(study: Study, predictions: Predictions) -> None:
    sheets = contact_sheets(study, predictions, ed=7, es=3)
    assert [(sheet.title, sheet.frame, sheet.film.frames) for sheet in sheets] == [
        ("End-diastole", 7, (7,)),
        ("End-systole", 3, (3,)),
    ]
    film = stack_film(study, predictions)
    assert film is not None
    assert sheets[0].film.width > film.width


def test_without_phases_the_first_frame_is_shown(study: Study) -> None:
    (sheet,) = contact_sheets(study, {}, ed=None, es=None)
    assert (sheet.title, sheet.frame) == ("First frame", 0)
    assert sheet.film.tiles[0].paths == {}


def test_every_cine_has_a_picture_measured_views_first(study: Study, predictions: Predictions) -> None:
    sax, lax = study.cine(View.SAX), study.cine(View.LAX_4C)
    odd = replace(lax, view=View.OTHER, label="series 8")
    pictures = view_pictures(replace(study, cines=(odd, lax, sax)), predictions)
    assert [(picture.title, picture.label) for picture in pictures] == [
        ("Short axis", "series 3"),
        ("4-chamber", "series 4"),
        ("Not used", "series 8"),
    ]
    assert pictures[0].facts == "6 slices 8.0 mm apart, 8 frames, 1.50 × 1.50 mm"
    assert [tile.slice_index for tile in pictures[0].film.tiles] == [0]
    assert pictures[0].film.tiles[0].paths["lv"][0].startswith("M")
    assert pictures[2].film.tiles[0].paths == {}


def test_a_large_long_axis_view_is_cropped_around_the_heart(study: Study, predictions: Predictions) -> None:
    lax = study.cine(View.LAX_4C)
    wide = replace(lax, array=np.zeros((400, 90, 1, 8), np.float32))
    (_, picture) = view_pictures(replace(study, cines=(study.cine(View.SAX), wide)), predictions)
    assert picture.film.width / picture.film.height == pytest.approx(230 / (90 * 1.5), rel=0.02)


def test_a_study_without_a_stack_has_no_stack_pictures(study: Study) -> None:
    only = replace(study, cines=(study.cine(View.LAX_4C),))
    assert stack_film(only, {}) is None
    assert contact_sheets(only, {}, ed=0, es=1) == ()
    assert len(view_pictures(only, {})) == 1
