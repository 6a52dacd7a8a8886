"""Scanner styles: found by name, drawn by seed, and refused when impossible."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.phantom.styles import STYLES, draw_style, find_style


def test_names_find_their_styles_and_typing_errors_the_nearest() -> None:
    assert all(find_style(name).name == name for name in STYLES)
    with pytest.raises(UsageError, match="did you mean 'ideal'"):
        find_style("idael")


def test_slice_step_is_thickness_and_gap() -> None:
    assert find_style("wide-gap").slice_step_mm == 10.0


@pytest.mark.parametrize("seed", range(30))
def test_drawn_styles_repeat_and_stay_possible(seed: int) -> None:
    style = draw_style(seed)
    assert style == draw_style(seed) and style != draw_style(seed + 1)
    assert not style.name.startswith("ideal") and min(style.acquired_mm) >= style.pixel_mm
    assert 6 <= style.thickness_mm <= 10 and 0 <= style.banding <= 1 and 0 <= style.inflow <= 0.5


@pytest.mark.parametrize("wrong", [{"snr": 0.0}, {"gap_mm": -1.0}, {"pixel_mm": 3.0}])
def test_impossible_styles_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="expected"):
        replace(find_style("ideal"), **wrong)  # type: ignore[arg-type]
