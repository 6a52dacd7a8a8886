"""Smooth random fields in space, for what is never even in a body: fat, liver, lung vessels, blood in motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Texture", "make_texture"]

_SIZE = 48


@dataclass(frozen=True, kw_only=True)
class Texture:
    """A periodic field of mean 0 and SD 1 on a lattice; `make_texture` makes it of a seed."""

    lattice: NDArray[np.float32]

    def at(self, points_mm: NDArray[np.floating], scale_mm: float, shift: float = 0.0) -> NDArray[np.float32]:
        """Values at points (..., 3); details are about `scale_mm` wide, `shift` gives another field."""
        scaled = np.moveaxis(np.asarray(points_mm, dtype=np.float32) / np.float32(scale_mm / 2.5), -1, 0)
        values = ndimage.map_coordinates(
            self.lattice, scaled + np.float32(shift), order=1, mode="grid-wrap", output=np.float32
        )
        return np.asarray(values)


def make_texture(seed: int) -> Texture:
    """The field of a seed."""
    rng = np.random.default_rng((seed, 4))
    field = ndimage.gaussian_filter(rng.standard_normal((_SIZE,) * 3).astype(np.float32), 1.0, mode="wrap")
    return Texture(lattice=np.asarray((field - field.mean()) / field.std(), dtype=np.float32))
