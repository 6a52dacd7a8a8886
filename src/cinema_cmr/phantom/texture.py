"""Smooth random fields in space, for tissue that is never uniform: fat, liver, lung vessels, moving blood."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Texture", "make_texture"]

_SIZE = 48


@dataclass(frozen=True, kw_only=True)
class Texture:
    """A periodic field of mean 0 and SD 1 on a lattice, made by `make_texture`."""

    lattice: NDArray[np.float32]

    def at(self, points_mm: NDArray[np.floating], scale_mm: float, shift: float = 0.0) -> NDArray[np.float32]:
        """Interpolate the field linearly at points (..., 3).

        Details are about `scale_mm` wide; `shift` selects another field.
        """
        size = len(self.lattice)
        scaled = np.asarray(points_mm, dtype=np.float32) / np.float32(scale_mm / 2.5)
        scaled += np.float32(shift)
        place = np.zeros(scaled.shape[:-1], dtype=np.intp)
        shares = []
        for axis, row in enumerate((size + 1, size + 1, size)):
            along = np.ascontiguousarray(scaled[..., axis])
            along -= size * np.floor(along / np.float32(size))
            # Rounding may leave a point at the very end, which equals the start of the lattice.
            cell = np.minimum(along.astype(np.intp), size - 1)
            along -= cell
            shares.append(along)
            place *= row
            place += cell
        x, y, z = shares
        step_x, step_y = (size + 1) * size, size
        low, high = (_lerp(self._along_z(place, at, z), self._along_z(place, at + step_y, z), y) for at in (0, step_x))
        return _lerp(low, high, x)

    def _along_z(self, place: NDArray[np.intp], step: int, share: NDArray[np.float32]) -> NDArray[np.float32]:
        """Interpolate along z on the lattice edges that lie `step` after `place`."""
        edges = self._edges[step:].take(place)
        return _lerp(edges.real, edges.imag, share)

    @cached_property
    def _edges(self) -> NDArray[np.complex64]:
        """Lattice edges along z, flattened, with both ends in one complex number, so that one look-up fetches both."""
        closed = np.pad(self.lattice, ((0, 1),) * 3, mode="wrap")
        edges = np.empty((*closed.shape[:2], len(self.lattice)), dtype=np.complex64)
        edges.real, edges.imag = closed[..., :-1], closed[..., 1:]
        return edges.ravel()


def _lerp(low: NDArray[np.float32], high: NDArray[np.float32], share: NDArray[np.float32]) -> NDArray[np.float32]:
    between = high - low
    between *= share
    between += low
    return between


def make_texture(seed: int) -> Texture:
    """Make the field of a seed."""
    rng = np.random.default_rng((seed, 4))
    field = ndimage.gaussian_filter(rng.standard_normal((_SIZE,) * 3).astype(np.float32), 1.0, mode="wrap")
    return Texture(lattice=np.asarray((field - field.mean()) / field.std(), dtype=np.float32))
