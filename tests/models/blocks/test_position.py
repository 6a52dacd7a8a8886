"""Position tables follow their formula, axis by axis, and stretch to other grids."""

from __future__ import annotations

import math

import pytest
import torch

from cinema_cmr.models.blocks.position import interpolate_table, position_table


def test_each_axis_has_sines_then_cosines_and_the_first_two_axes_change_places() -> None:
    table = position_table(12, (2, 3))[0]
    assert table.shape == (6, 12)
    # With the "xy" convention the first axis runs fastest: row 1 is x = 1, y = 0 and row 3 is x = 1, y = 1.
    x, y = 1, 1
    frequencies = [1.0, 10000 ** (-1 / 3), 10000 ** (-2 / 3)]
    expected = [
        *(math.sin(x * f) for f in frequencies),
        *(math.cos(x * f) for f in frequencies),
        *(math.sin(y * f) for f in frequencies),
        *(math.cos(y * f) for f in frequencies),
    ]
    assert table[3].tolist() == pytest.approx(expected, abs=1e-6)
    assert table[1, [0, 6]].tolist() == pytest.approx([math.sin(1), 0.0], abs=1e-6)


def test_the_last_of_three_axes_is_fastest_and_the_rest_is_zero() -> None:
    table = position_table(16, (2, 3, 4))[0]
    assert table.shape == (24, 16)
    assert torch.equal(table[:, 12:], torch.zeros(24, 4))
    assert table[:4, 8].tolist() == pytest.approx([math.sin(z) for z in range(4)], abs=1e-6)


def test_the_same_grid_is_left_as_it_is() -> None:
    table = position_table(8, (3, 2))
    assert interpolate_table(table, (3, 2), (3, 2)) is table


@pytest.mark.parametrize(("built", "wanted"), [((4, 6), (8, 3)), ((2, 3, 4), (4, 3, 2))])
def test_a_constant_stays_constant_on_another_grid(built: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    table = torch.full((1, math.prod(built), 5), 0.7)
    stretched = interpolate_table(table, built, wanted)
    assert stretched.shape == (1, math.prod(wanted), 5)
    assert torch.allclose(stretched, torch.tensor(0.7))


def test_a_ramp_along_z_is_halved_where_voxel_centres_say() -> None:
    ramp = torch.arange(4.0).reshape(1, 1, 1, 4, 1).expand(1, 2, 2, 4, 1).reshape(1, 16, 1)
    assert interpolate_table(ramp, (2, 2, 4), (2, 2, 2))[0, :2, 0].tolist() == [0.5, 2.5]
