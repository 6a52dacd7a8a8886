"""Sizes beyond any scanner's are refused, unusual ones are reported."""

from __future__ import annotations

import pytest

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.io.plausible import check_pixel_spacing, spacing_issue


def test_pixels_of_mice_and_localisers_pass_and_no_others() -> None:
    check_pixel_spacing((0.05, 0.05))
    check_pixel_spacing((8.0, 8.0))
    for sizes in ((1e-9, 1.0), (1.0, 30.0), (1e308, 1e308), (float("nan"), 1.0)):
        with pytest.raises(GeometryError, match="a pixel spacing of"):
            check_pixel_spacing(sizes)


@pytest.mark.parametrize(
    ("sizes", "n_slices", "severity"),
    [
        ((1.4, 1.4, 8.0), 10, None),
        ((0.1, 0.1, 8.0), 10, "warning"),
        ((1.4, 1.4, 40.0), 10, "warning"),
        ((1.4, 1.4, 1e10), 5, "error"),
        ((1.4, 1.4, 1e-6), 5, "error"),
        ((1.4, 1.4, 1e10), 1, None),
    ],
)
def test_unusual_sizes_are_reported(sizes: tuple[float, ...], n_slices: int, severity: str | None) -> None:
    issue = spacing_issue(sizes, n_slices)
    assert (None if issue is None else issue.severity) == severity
