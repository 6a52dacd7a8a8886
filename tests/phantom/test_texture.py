"""A texture is its lattice, linear in between and periodic: the same as scipy's interpolation."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cinema_cmr.phantom.texture import make_texture


def test_values_are_those_of_linear_interpolation_wherever_a_point_lies() -> None:
    texture = make_texture(3)
    points = np.random.default_rng(0).uniform(-400, 400, (7, 11, 3)).astype(np.float32)
    points[0, 0] = 0.0
    found = texture.at(points, 9.0, shift=1.5)
    scaled = np.moveaxis(points / np.float32(9.0 / 2.5) + np.float32(1.5), -1, 0)
    wanted = ndimage.map_coordinates(texture.lattice, scaled, order=1, mode="grid-wrap")
    assert found.shape == (7, 11) and np.allclose(found, wanted, atol=1e-3)


def test_a_lattice_point_has_its_own_value_and_comes_again_a_period_later() -> None:
    texture = make_texture(3)
    step, size = 10.0 / 2.5, len(texture.lattice)
    at = np.array([[5.0, 0.0, 47.0], [5.0 + size, -size, 47.0 + 2 * size]]) * step
    assert np.allclose(texture.at(at, 10.0), texture.lattice[5, 0, 47], atol=1e-4)
