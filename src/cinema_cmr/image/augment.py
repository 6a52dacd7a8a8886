"""Augmentation of stacks and planes: what is drawn, and how what was drawn is applied.

Drawing is separate from applying, so that a draw can be looked at, repeated and tested. All draws come from
the generator given; labels are moved with their image and are never interpolated as numbers.
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

_LEAST_BLUR_PX = 0.3
_N_WAVES, _SHORTEST_WAVE_MM, _LONGEST_WAVE_MM = 4, 90.0, 200.0
_MOST_BEND_MM = 12.0
"""The steepest waves then still keep every point's order: 4 waves of 3 mm over 90 mm rise by at most 0.84."""
_UNBENDINGS = 40


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Ranges that are drawn from; probabilities are of each change on its own."""

    p_right_angle_rotation: float = 0.3
    """Probability that the image is turned by a multiple of 90 degrees, as files of other programs are."""
    p_free_rotation: float = 0.1
    """Probability of a turn by any angle."""
    rotation_deg: float = 15.0
    """Standard deviation of the small turn that is always added."""
    mirror: float = 0.3
    """Probability of a mirror image, as rows counted the other way make it."""
    scale: float = 0.2
    """Largest relative change of size, and half of it between the axes."""
    anisotropic_scaling: float = 0.0
    """Largest relative stretch of one axis against the other, as in copies whose pixel shape was lost."""
    shift_mm: float = 12.0
    """Standard deviation of the crop's place around the heart."""
    elastic_mm: float = 0.0
    """Largest way that smooth waves bend the image, as bodies differ in form; at most 12."""
    p_random_crop: float = 0.06
    """Probability of a crop anywhere in the image, so that what is no heart is learned too."""
    gamma: float = 0.4
    """Largest change of the logarithm of gamma."""
    contrast: float = 0.3
    """Largest relative change of contrast and of brightness."""
    noise: float = 0.08
    """Largest standard deviation of noise, of the intensity range."""
    blur_px: float = 1.2
    """Largest standard deviation of blur."""
    bias_field: float = 0.4
    """Largest relative change of intensity across the field, as surface coils make it."""
    each: float = 0.4
    """Probability of each change of intensity."""

    def __post_init__(self) -> None:
        probs = (self.p_right_angle_rotation, self.p_free_rotation, self.mirror, self.p_random_crop, self.each)
        if min(probs) < 0 or max(probs) > 1 or self.p_right_angle_rotation + self.p_free_rotation > 1:
            raise UsageError(f"probabilities {probs} of an augmentation; expected 0 to 1, both turns together")
        sizes = (
            self.rotation_deg,
            self.scale,
            self.anisotropic_scaling,
            self.shift_mm,
            self.gamma,
            self.contrast,
            self.noise,
            self.bias_field,
            self.elastic_mm,
        )
        if self.elastic_mm > _MOST_BEND_MM:
            raise UsageError(f"a bend of {self.elastic_mm} mm would fold the image; expected at most {_MOST_BEND_MM:g}")
        if min(sizes) < 0 or self.blur_px < _LEAST_BLUR_PX:
            raise UsageError(
                f"sizes {sizes} and blur {self.blur_px} of an augmentation; expected 0 or more, and a blur of"
                f" {_LEAST_BLUR_PX} pixels or more (a probability of 0 leaves it out)"
            )


FROM_SYNTHETIC = Augmentation(
    rotation_deg=20.0,
    scale=0.25,
    elastic_mm=10.0,
    gamma=0.6,
    contrast=0.4,
    noise=0.1,
    blur_px=1.5,
    bias_field=0.9,
    each=0.55,
)
"""Forms and intensities vary strongly: for networks of synthetic hearts that are to hold on real images."""


@dataclass(frozen=True, kw_only=True)
class ElasticDeformation:
    """Smooth waves over a plane: a way for every position, all in model pixels from the crop's middle."""

    ways: NDArray[np.float64]
    """(waves, 2)."""
    frequencies: NDArray[np.float64]
    """(waves, 2), radians a pixel."""
    phases: NDArray[np.float64]
    """(waves,)."""

    def at(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions (..., 2) -> the way (..., 2) that each is moved."""
        way: NDArray[np.float64] = np.sin(positions @ self.frequencies.T + self.phases) @ self.ways
        return way


@dataclass(frozen=True, kw_only=True)
class PlaneDraw:
    """A drawn move in plane, model pixel -> source pixel: bent, then `matrix` (2, 2) about the crop's middle at
    `centre`."""

    matrix: NDArray[np.float64]
    centre: tuple[float, float]
    bend: ElasticDeformation | None = None

    def bent(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Model pixels (..., 2) from the crop's middle, after the bend."""
        return positions if self.bend is None else positions + self.bend.at(positions)

    def unbent(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """The positions that `bent` takes to these, to a thousandth of a pixel."""
        found = positions
        for _ in range(0 if self.bend is None else _UNBENDINGS):
            found = found + positions - self.bent(found)
        return found


@dataclass(frozen=True, kw_only=True)
class IntensityDraw:
    """Drawn changes of intensity; None leaves a step out."""

    gamma: float | None
    contrast: tuple[float, float] | None
    noise: tuple[float, int] | None
    """Standard deviation and the seed of its field."""
    blur_px: float | None
    low_resolution: float | None
    bias_field: tuple[float, float, float] | None
    """Amplitude, and the place of its top in units of half the field."""


def draw_plane(
    rng: np.random.Generator,
    config: Augmentation,
    *,
    heart: tuple[float, float],
    shape: tuple[int, int],
    spacing_mm: float,
) -> PlaneDraw:
    """A move of a crop around `heart` (pixels of a plane of `shape` and `spacing_mm`)."""
    angle = np.radians(rng.normal(0, config.rotation_deg))
    kind = rng.random()
    if kind < config.p_free_rotation:
        angle += rng.uniform(-np.pi, np.pi)
    elif kind < config.p_free_rotation + config.p_right_angle_rotation:
        angle += np.pi / 2 * rng.integers(4)
    scale = np.exp(rng.uniform(-1, 1) * np.log1p(config.scale) + rng.uniform(-0.5, 0.5, 2) * config.scale / 2)
    if config.anisotropic_scaling:
        half = rng.uniform(-0.5, 0.5) * np.log1p(config.anisotropic_scaling)
        scale = scale * np.exp([half, -half])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    mirror = np.diag([-1.0 if rng.random() < config.mirror else 1.0, 1.0])
    centre = np.asarray(heart) + rng.normal(0, config.shift_mm / spacing_mm, 2)
    if rng.random() < config.p_random_crop:
        centre = rng.random(2) * (np.asarray(shape) - 1)
    bend = _bend(rng, config.elastic_mm / spacing_mm, spacing_mm) if config.elastic_mm else None
    return PlaneDraw(matrix=turn @ mirror @ np.diag(scale), centre=(float(centre[0]), float(centre[1])), bend=bend)


def _bend(rng: np.random.Generator, largest_px: float, spacing_mm: float) -> ElasticDeformation:
    """Waves of any direction whose ways add up to at most `largest_px`."""
    running, moving = rng.uniform(0, 2 * np.pi, (2, _N_WAVES))
    length_px = rng.uniform(_SHORTEST_WAVE_MM, _LONGEST_WAVE_MM, _N_WAVES) / spacing_mm
    way_px = rng.uniform(0, largest_px / _N_WAVES, _N_WAVES)
    return ElasticDeformation(
        ways=way_px[:, None] * np.stack([np.cos(moving), np.sin(moving)], axis=1),
        frequencies=(2 * np.pi / length_px)[:, None] * np.stack([np.cos(running), np.sin(running)], axis=1),
        phases=rng.uniform(0, 2 * np.pi, _N_WAVES),
    )


def move_planes(planes: Tensor, draw: PlaneDraw, size: tuple[int, int], *, mode: str) -> Tensor:
    """Source planes (n, c, X, Y) -> (n, c, x, y) of `size` where `draw` puts them; zero outside the image.

    `mode`: "bilinear", "bicubic" or "nearest", as in `torch.nn.functional.grid_sample`.
    """
    nx, ny = size
    u, v = np.meshgrid(np.arange(nx) - (nx - 1) / 2, np.arange(ny) - (ny - 1) / 2, indexing="ij")
    at = draw.bent(np.stack([u, v], axis=-1)) @ draw.matrix.T + np.asarray(draw.centre)
    extent = np.array(planes.shape[2:])
    scaled = (2 * at + 1) / extent - 1
    # grid_sample names the last axis x, so the order turns round.
    grid = torch.from_numpy(scaled[..., ::-1].astype(np.float32)).expand(len(planes), -1, -1, -1)
    return F.grid_sample(planes, grid, mode=mode, padding_mode="zeros", align_corners=False)


def move_points(points: NDArray[np.float64], draw: PlaneDraw, size: tuple[int, int]) -> NDArray[np.float64]:
    """Positions (..., 2) in pixels of a source plane -> where `move_planes` puts them on a crop of `size`."""
    away = np.asarray(points, dtype=np.float64) - np.asarray(draw.centre)
    middle = (np.asarray(size) - 1) / 2
    moved: NDArray[np.float64] = draw.unbent(away @ np.linalg.inv(draw.matrix).T) + middle
    return moved


def draw_intensities(rng: np.random.Generator, config: Augmentation) -> IntensityDraw:
    """Changes of intensity, each drawn with the same probability."""

    def chosen() -> bool:
        return bool(rng.random() < config.each)

    return IntensityDraw(
        gamma=float(np.exp(rng.uniform(-1, 1) * config.gamma)) if chosen() else None,
        contrast=_pair(rng.uniform(-1, 1, 2) * config.contrast) if chosen() else None,
        noise=(float(rng.uniform(0, config.noise)), int(rng.integers(2**31))) if chosen() else None,
        blur_px=float(rng.uniform(_LEAST_BLUR_PX, config.blur_px)) if rng.random() < config.each / 2 else None,
        low_resolution=float(rng.uniform(0.5, 0.9)) if rng.random() < config.each / 2 else None,
        bias_field=_triple(rng.uniform(-1, 1, 3) * [config.bias_field, 1, 1]) if chosen() else None,
    )


def change_intensities(image: Tensor, draw: IntensityDraw) -> Tensor:
    """Intensities (x, y, z) in 0 to 1 -> the same after the drawn changes, clipped to 0 to 1."""
    if draw.low_resolution is not None:
        image = _at_low_resolution(image, draw.low_resolution)
    if draw.blur_px is not None:
        image = _blurred(image, draw.blur_px)
    if draw.bias_field is not None:
        image = image * _shading(image.shape[:2], draw.bias_field)[..., None]
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


def _at_low_resolution(image: Tensor, factor: float) -> Tensor:
    planes = image.permute(2, 0, 1).unsqueeze(1)
    small = F.interpolate(planes, scale_factor=factor, mode="bilinear", align_corners=False)
    large = F.interpolate(small, size=tuple(image.shape[:2]), mode="bicubic", align_corners=False)
    return large.squeeze(1).permute(1, 2, 0)


def _blurred(image: Tensor, sigma: float) -> Tensor:
    reach = max(1, int(2.5 * sigma + 0.5))
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    taps = taps / taps.sum()
    planes = image.permute(2, 0, 1).unsqueeze(1)
    planes = F.conv2d(planes, taps.view(1, 1, -1, 1), padding=(reach, 0))
    planes = F.conv2d(planes, taps.view(1, 1, 1, -1), padding=(0, reach))
    return planes.squeeze(1).permute(1, 2, 0)


def _shading(shape: torch.Size, draw: tuple[float, float, float]) -> Tensor:
    amplitude, top_x, top_y = draw
    x = torch.linspace(-1, 1, shape[0])[:, None]
    y = torch.linspace(-1, 1, shape[1])[None, :]
    return 1 + amplitude * (torch.exp(-((x - top_x) ** 2 + (y - top_y) ** 2)) - 0.5)
