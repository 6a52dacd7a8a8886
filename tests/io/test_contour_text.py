"""Contours as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cinema_cmr.core.errors import InputError
from cinema_cmr.io.contour_text import read_contour


def test_points_are_read_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("1.5 2\n3 4.25\n\n5 6\n")
    assert np.array_equal(read_contour(tmp_path / "c.txt"), [[1.5, 2], [3, 4.25], [5, 6]])


@pytest.mark.parametrize(
    "text", ["", "1 2\n3 4\n", "1 2 3\n4 5 6\n7 8 9\n", "a b\n", "1 2\n3 nan\n5 6\n", "1 2\n3 inf\n5 6\n"]
)
def test_a_file_without_a_polygon_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.txt").write_text(text)
    with pytest.raises(InputError, match=r"'c\.txt'.*again"):
        read_contour(tmp_path / "c.txt")
