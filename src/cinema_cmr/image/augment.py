"""Random augmentation of stacks and planes: drawing the parameters, and applying them.

Drawing is separate from applying, so that a draw can be inspected, repeated and tested. All draws come from the given
generator. Labels are moved together with their image and are never interpolated as numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cinema_cmr.core.errors import UsageError

__all__ = [
    "FROM_SYNTHETIC",
    "Augmentation",
    "ElasticDeformation",
    "IntensityDraw",
    "PlaneDraw",
    "change_intensities",
    "draw_intensities",
    "draw_plane",
    "move_planes",
    "move_points",
]

_MIN_BLUR_PX = 0.3
_N_WAVES, _MIN_WAVELENGTH_MM, _MAX_WAVELENGTH_MM = 4, 90.0, 200.0
_MAX_ELASTIC_MM = 12.0
"""Largest amplitude that cannot fold the image: 4 waves of 3 mm over 90 mm have a slope of at most 0.84."""
_INVERSION_STEPS = 40


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Probabilities and ranges of the random changes; each change is drawn independently."""

    p_right_angle_rotation: float = 0.3
    """Probability of a rotation by a multiple of 90 degrees, as found in files written by other programs."""
    p_free_rotation: float = 0.1
    """Probability of a rotation by any angle."""
    rotation_deg: float = 15.0
    """Standard deviation of the small rotation that is always added."""
    p_flip: float = 0.3
    """Probability of a mirror image, as produced by rows counted from the other end."""
    scaling: float = 0.2
    """Largest relative change of size; half of it also varies between the axes."""
    anisotropic_scaling: float = 0.0
    """Largest relative scaling of one axis against the other, as in copies that lost their pixel shape."""
    shift_mm: float = 12.0
    """Standard deviation of the crop's centre around the heart."""
    elastic_mm: float = 0.0
    """Largest displacement by a smooth elastic deformation, which imitates differences of anatomy; at most 12."""
    p_random_crop: float = 0.06
    """Probability of a crop anywhere in the image, which also trains on tissue outside the heart."""
    gamma: float = 0.4
    """Largest change of the logarithm of gamma."""
    contrast: float = 0.3
    """Largest relative change of contrast and of brightness."""
    noise: float = 0.08
    """Largest standard deviation of the noise, as a fraction of the intensity range."""
    blur_px: float = 1.2
    """Largest standard deviation of the blur."""
    bias_field: float = 0.4
    """Largest relative change of intensity across the field of view, as caused by surface coils."""
    p_intensity: float = 0.4
    """Probability of each change of intensity (half of it for blur and for low resolution)."""

    def __post_init__(self) -> None:
        probs = (self.p_right_angle_rotation, self.p_free_rotation, self.p_flip, self.p_random_crop, self.p_intensity)
        if min(probs) < 0 or max(probs) > 1 or self.p_right_angle_rotation + self.p_free_rotation > 1:
            raise UsageError(
                f"augmentation has the probabilities {probs}; expected 0 to 1 for each and for both rotations together"
            )
        sizes = (
            self.rotation_deg,
            self.scaling,
            self.anisotropic_scaling,
            self.shift_mm,
            self.gamma,
            self.contrast,
            self.noise,
            self.bias_field,
            self.elastic_mm,
        )
        if self.elastic_mm > _MAX_ELASTIC_MM:
            raise UsageError(
                f"an elastic deformation of {self.elastic_mm} mm would fold the image; expected at most"
                f" {_MAX_ELASTIC_MM:g} mm"
            )
        if min(sizes) < 0 or self.blur_px < _MIN_BLUR_PX:
            raise UsageError(
                f"augmentation has the sizes {sizes} and blur {self.blur_px}; expected sizes of 0 or more and a blur of"
                f" at least {_MIN_BLUR_PX} pixels: set p_intensity to 0 to disable changes of intensity"
            )


FROM_SYNTHETIC = Augmentation(
    rotation_deg=20.0,
    scaling=0.25,
    elastic_mm=10.0,
    gamma=0.6,
    contrast=0.4,
    noise=0.1,
    blur_px=1.5,
    bias_field=0.9,
    p_intensity=0.55,
)
"""Strong variation of shape and intensity, for networks trained on synthetic hearts and applied to real images."""


@dataclass(frozen=True, kw_only=True)
class ElasticDeformation:
    """Sum of smooth waves over a plane; positions and displacements in model pixels from the centre of the crop."""

    amplitudes: NDArray[np.float64]
    """(waves, 2), displacement of each wave along x and y."""
    frequencies: NDArray[np.float64]
    """(waves, 2), radians per pixel."""
    phases: NDArray[np.float64]
    """(waves,)."""

    def displacement(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the displacement (..., 2) at positions (..., 2)."""
        moved: NDArray[np.float64] = np.sin(positions @ self.frequencies.T + self.phases) @ self.amplitudes
        return moved


@dataclass(frozen=True, kw_only=True)
class PlaneDraw:
    """A drawn in-plane transform, model pixel -> source pixel: the elastic deformation, then `matrix` (2, 2) about the
    centre of the crop, which lies at `centre` of the source."""

    matrix: NDArray[np.float64]
    centre: tuple[float, float]
    elastic: ElasticDeformation | None = None

    def deform(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Apply the elastic deformation to model pixels (..., 2) from the centre of the crop."""
        return positions if self.elastic is None else positions + self.elastic.displacement(positions)

    def undo_deform(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Invert `deform` by fixed-point iteration, to a thousandth of a pixel."""
        estimate = positions
        for _ in range(0 if self.elastic is None else _INVERSION_STEPS):
            estimate = estimate + positions - self.deform(estimate)
        return estimate


@dataclass(frozen=True, kw_only=True)
class IntensityDraw:
    """Drawn changes of intensity; None omits a step."""

    gamma: float | None
    contrast: tuple[float, float] | None
    """Relative change of contrast, and change of brightness."""
    noise: tuple[float, int] | None
    """Standard deviation, and the seed of the noise field."""
    blur_px: float | None
    low_resolution: float | None
    """Factor by which the plane is reduced and enlarged again."""
    bias_field: tuple[float, float, float] | None
    """Amplitude, and the position of its maximum in units of half the field of view."""


def draw_plane(
    rng: np.random.Generator,
    config: Augmentation,
    *,
    heart: tuple[float, float],
    shape: tuple[int, int],
    spacing_mm: float,
) -> PlaneDraw:
    """Draw the transform of a crop around `heart`, a position in pixels of a plane of `shape` and `spacing_mm`."""
    angle = np.radians(rng.normal(0, config.rotation_deg))
    kind = rng.random()
    if kind < config.p_free_rotation:
        angle += rng.uniform(-np.pi, np.pi)
    elif kind < config.p_free_rotation + config.p_right_angle_rotation:
        angle += np.pi / 2 * rng.integers(4)
    scale = np.exp(rng.uniform(-1, 1) * np.log1p(config.scaling) + rng.uniform(-0.5, 0.5, 2) * config.scaling / 2)
    if config.anisotropic_scaling:
        half = rng.uniform(-0.5, 0.5) * np.log1p(config.anisotropic_scaling)
        scale = scale * np.exp([half, -half])
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flip = np.diag([-1.0 if rng.random() < config.p_flip else 1.0, 1.0])
    centre = np.asarray(heart) + rng.normal(0, config.shift_mm / spacing_mm, 2)
    if rng.random() < config.p_random_crop:
        centre = rng.random(2) * (np.asarray(shape) - 1)
    elastic = _draw_elastic(rng, config.elastic_mm / spacing_mm, spacing_mm) if config.elastic_mm else None
    matrix = rotation @ flip @ np.diag(scale)
    return PlaneDraw(matrix=matrix, centre=(float(centre[0]), float(centre[1])), elastic=elastic)


def _draw_elastic(rng: np.random.Generator, largest_px: float, spacing_mm: float) -> ElasticDeformation:
    """Draw waves of any direction whose amplitudes add up to at most `largest_px`."""
    propagation, polarisation = rng.uniform(0, 2 * np.pi, (2, _N_WAVES))
    length_px = rng.uniform(_MIN_WAVELENGTH_MM, _MAX_WAVELENGTH_MM, _N_WAVES) / spacing_mm
    amplitude_px = rng.uniform(0, largest_px / _N_WAVES, _N_WAVES)
    return ElasticDeformation(
        amplitudes=amplitude_px[:, None] * np.stack([np.cos(polarisation), np.sin(polarisation)], axis=1),
        frequencies=(2 * np.pi / length_px)[:, None] * np.stack([np.cos(propagation), np.sin(propagation)], axis=1),
        phases=rng.uniform(0, 2 * np.pi, _N_WAVES),
    )


def move_planes(planes: Tensor, draw: PlaneDraw, size: tuple[int, int], *, mode: str) -> Tensor:
    """Resample source planes (n, c, X, Y) to crops (n, c, x, y) of `size`; zero outside the image.

    `mode`: "bilinear", "bicubic" or "nearest", as in `torch.nn.functional.grid_sample`.
    """
    nx, ny = size
    u, v = np.meshgrid(np.arange(nx) - (nx - 1) / 2, np.arange(ny) - (ny - 1) / 2, indexing="ij")
    source = draw.deform(np.stack([u, v], axis=-1)) @ draw.matrix.T + np.asarray(draw.centre)
    extent = np.array(planes.shape[2:])
    scaled = (2 * source + 1) / extent - 1
    # grid_sample calls the last axis x, so the order of the coordinates is reversed.
    grid = torch.from_numpy(scaled[..., ::-1].astype(np.float32)).expand(len(planes), -1, -1, -1)
    return F.grid_sample(planes, grid, mode=mode, padding_mode="zeros", align_corners=False)


def move_points(points: NDArray[np.float64], draw: PlaneDraw, size: tuple[int, int]) -> NDArray[np.float64]:
    """Map source pixels (..., 2) to the positions that `move_planes` gives them on a crop of `size`."""
    offset = np.asarray(points, dtype=np.float64) - np.asarray(draw.centre)
    middle = (np.asarray(size) - 1) / 2
    moved: NDArray[np.float64] = draw.undo_deform(offset @ np.linalg.inv(draw.matrix).T) + middle
    return moved


def draw_intensities(rng: np.random.Generator, config: Augmentation) -> IntensityDraw:
    """Draw the changes of intensity; each is applied with a probability of `p_intensity` or half of it."""

    def chosen() -> bool:
        return bool(rng.random() < config.p_intensity)

    return IntensityDraw(
        gamma=float(np.exp(rng.uniform(-1, 1) * config.gamma)) if chosen() else None,
        contrast=_pair(rng.uniform(-1, 1, 2) * config.contrast) if chosen() else None,
        noise=(float(rng.uniform(0, config.noise)), int(rng.integers(2**31))) if chosen() else None,
        blur_px=float(rng.uniform(_MIN_BLUR_PX, config.blur_px)) if rng.random() < config.p_intensity / 2 else None,
        low_resolution=float(rng.uniform(0.5, 0.9)) if rng.random() < config.p_intensity / 2 else None,
        bias_field=_triple(rng.uniform(-1, 1, 3) * [config.bias_field, 1, 1]) if chosen() else None,
    )


def change_intensities(image: Tensor, draw: IntensityDraw) -> Tensor:
    """Apply the drawn changes to intensities (x, y, z) from 0 to 1; the result is clipped to 0 to 1."""
    if draw.low_resolution is not None:
        image = _reduce_resolution(image, draw.low_resolution)
    if draw.blur_px is not None:
        image = _blur(image, draw.blur_px)
    if draw.bias_field is not None:
        image = image * _bias_field(image.shape[:2], draw.bias_field)[..., None]
    if draw.gamma is not None:
        image = image.clamp(0, 1) ** draw.gamma
    if draw.contrast is not None:
        gain, offset = draw.contrast
        middle = image.mean()
        image = (image - middle) * (1 + gain) + middle + offset / 2
    if draw.noise is not None:
        level, seed = draw.noise
        field = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))
        image = image + level * field
    return image.clamp(0, 1)


def _pair(values: NDArray[np.float64]) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def _reduce_resolution(image: Tensor, factor: float) -> Tensor:
    planes = image.permute(2, 0, 1).unsqueeze(1)
    small = F.interpolate(planes, scale_factor=factor, mode="bilinear", align_corners=False)
    large = F.interpolate(small, size=tuple(image.shape[:2]), mode="bicubic", align_corners=False)
    return large.squeeze(1).permute(1, 2, 0)


def _blur(image: Tensor, sigma: float) -> Tensor:
    reach = max(1, int(2.5 * sigma + 0.5))
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    taps = taps / taps.sum()
    planes = image.permute(2, 0, 1).unsqueeze(1)
    planes = F.conv2d(planes, taps.view(1, 1, -1, 1), padding=(reach, 0))
    planes = F.conv2d(planes, taps.view(1, 1, 1, -1), padding=(0, reach))
    return planes.squeeze(1).permute(1, 2, 0)


def _bias_field(shape: torch.Size, draw: tuple[float, float, float]) -> Tensor:
    amplitude, top_x, top_y = draw
    x = torch.linspace(-1, 1, shape[0])[:, None]
    y = torch.linspace(-1, 1, shape[1])[None, :]
    return 1 + amplitude * (torch.exp(-((x - top_x) ** 2 + (y - top_y) ** 2)) - 0.5)
