"""Landmarks: the middle of a spot to a fraction of a pixel, the table where there is none, both compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from trees import POINTS, landmark_tree

from cinema_cmr.core.errors import GeometryError, MissingFileError, UnreadableFileError
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.datasets.readers.landmark import PIXEL_MM, list_cases, read_case

VIEW = View.LAX_2C


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return landmark_tree(tmp_path).root


def first(root: Path) -> AnnotatedStudy:
    return read_case(list_cases(root)[0])


def points_px(annotated: AnnotatedStudy) -> np.ndarray:
    """(frame, point, xy)."""
    points = annotated.landmarks[VIEW].points
    return np.stack([points[name] for name in LANDMARKS[VIEW]], axis=1)[..., :2] / PIXEL_MM


def test_points_are_the_middles_of_their_spots(root: Path) -> None:
    annotated = first(root)
    assert np.allclose(points_px(annotated), np.array(list(POINTS.values())), atol=1e-9)
    assert annotated.labelled_frames == {VIEW: (0, 1)} and not annotated.study.cine(VIEW).orientation_known
    assert [issue.code for issue in annotated.study.issues] == ["size-unknown"]


def test_other_views_are_no_part_of_the_data_set(root: Path) -> None:
    before = list_cases(root)
    (root / "lax_3c.csv").write_text("cohort1,0009__00,lax_3c,1,24,24\n")
    assert list_cases(root) == before


def test_without_a_mask_the_table_counts_and_without_both_there_is_no_point(root: Path) -> None:
    (root / "lax_2c" / "masks" / "0001__09.png").unlink()
    assert np.allclose(points_px(first(root))[1], POINTS["0001__09"])
    row = "cohort1,0001__09,lax_2c,{},24\n"
    (root / "lax_2c.csv").write_text(row.format("1,32") + row.format("nan,32") + row.format("2,inf"))
    annotated = first(root)
    assert np.isnan(points_px(annotated)[1, 1:]).all() and annotated.labelled_frames == {VIEW: (0,)}
    assert "points-absent" in [issue.code for issue in annotated.study.issues]


def test_points_that_differ_from_the_table_are_reported_and_the_spots_used(root: Path) -> None:
    table = root / "lax_2c.csv"
    table.write_text(table.read_text().replace(",60.0,22.5", ",15.0,5.6"))
    annotated = first(root)
    assert np.allclose(points_px(annotated)[0, 1], (60.0, 22.5))
    (issue,) = (issue for issue in annotated.study.issues if issue.code == "points-differ")
    assert issue.evidence["image"] == "0001__00"


def test_an_image_of_the_table_that_is_not_there_is_missing(root: Path) -> None:
    (root / "lax_2c" / "images" / "0001__09.png").unlink()
    with pytest.raises(MissingFileError, match=r"'0001__09\.png' is missing"):
        first(root)


def test_frames_of_different_size_are_refused(root: Path) -> None:
    Image.new("L", (40, 40)).save(root / "lax_2c" / "images" / "0001__09.png")
    with pytest.raises(GeometryError, match="expected one size"):
        first(root)


def test_a_picture_out_of_proportion_is_refused_before_it_is_decoded(root: Path) -> None:
    Image.new("L", (20_000, 2)).save(root / "lax_2c" / "images" / "0001__09.png")
    with pytest.raises(UnreadableFileError, match="20000 x 2 pixels"):
        first(root)
