"""What other scanners, operators and files do to a stack: pure changes of an image, its labels moved in step.

Every change is a function of a scan and a random generator; the same seed gives the same scan. For research use only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.errors import InputError, unknown_name
from cinema_cmr.core.volume import Cine

__all__ = ["PERTURBATIONS", "Perturbation", "Scan", "perturbed", "quarter_turned"]

Image = NDArray[np.float32]
Labels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A cine with the expert's labels (x, y, z, t) on its grid."""

    cine: Cine
    labels: Labels


Change = Callable[[Scan, np.random.Generator], Scan]


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """A change under a stable name."""

    name: str
    title: str
    """For a table, with the size of the change."""
    change: Change


def perturbed(scan: Scan, name: str, *, seed: int) -> Scan:
    """The scan after the change of a name; `UsageError` for an unknown one."""
    if name not in PERTURBATIONS:
        raise unknown_name("perturbation", name, PERTURBATIONS)
    return PERTURBATIONS[name].change(scan, np.random.default_rng(seed))


def quarter_turned(scan: Scan, rng: np.random.Generator | None = None) -> Scan:
    """Stored a quarter turn further: new voxel (i, j) is the old one (j, ny - 1 - i), in the same place."""
    old, n_y = scan.cine.affine, scan.cine.array.shape[1]
    affine = old.copy()
    affine[:, 0], affine[:, 1] = -old[:, 1], old[:, 0]
    affine[:, 3] += old[:, 1] * (n_y - 1)
    return _regridded(scan, _copy(np.rot90(scan.cine.array)), _copy(np.rot90(scan.labels)), affine)


def _unchanged(scan: Scan, rng: np.random.Generator) -> Scan:
    return scan


def _mirrored(scan: Scan, rng: np.random.Generator) -> Scan:
    """Rows counted the other way by a file that does not say so: the heart becomes its mirror image."""
    return _regridded(scan, _copy(scan.cine.array[::-1]), _copy(scan.labels[::-1]), scan.cine.affine)


def _turned(scan: Scan, rng: np.random.Generator, *, degrees: float) -> Scan:
    """The planes turned about their normal; what comes in from outside is empty."""
    angle, pixel = np.radians(degrees), np.array(scan.cine.spacing_mm[:2])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(4)
    matrix[:2, :2] = turn * pixel[None, :] / pixel[:, None]
    middle = (np.array(scan.cine.array.shape[:2]) - 1) / 2
    offset = np.zeros(4)
    offset[:2] = middle - matrix[:2, :2] @ middle
    image = ndimage.affine_transform(scan.cine.array, matrix, offset, order=1)
    labels = ndimage.affine_transform(scan.labels, matrix, offset, order=0)
    return _regridded(scan, image, labels, scan.cine.affine)


def _resampled(scan: Scan, rng: np.random.Generator, *, factor: float) -> Scan:
    """In-plane pixels `factor` times as large; larger ones are blurred first, so that nothing aliases."""
    shape = scan.cine.array.shape
    size = (max(1, round(shape[0] / factor)), max(1, round(shape[1] / factor)), *shape[2:])
    affine = scan.cine.affine.copy()
    affine[:, :2] *= factor
    affine[:, 3] += scan.cine.affine[:, :2].sum(axis=1) * (factor - 1) / 2
    scale, offset = (factor, factor, 1, 1), ((factor - 1) / 2, (factor - 1) / 2, 0, 0)
    sigma = np.sqrt(max(factor**2 - 1, 0)) / 2
    image = ndimage.gaussian_filter(scan.cine.array, (sigma, sigma, 0, 0))
    image = ndimage.affine_transform(image, scale, offset, size, order=1, mode="nearest")
    labels = ndimage.affine_transform(scan.labels, scale, offset, size, order=0, mode="nearest")
    return _regridded(scan, image, labels, affine)


def _every_second_slice(scan: Scan, rng: np.random.Generator) -> Scan:
    return _with_slices(scan, np.arange(0, scan.cine.n_slices, 2))


def _ends_missing(scan: Scan, rng: np.random.Generator) -> Scan:
    """Without the outermost labelled slices of both ends and all beyond them."""
    labelled = np.flatnonzero((scan.labels > 0).any(axis=(0, 1, 3)))
    if labelled.size < 4:
        raise InputError(f"{labelled.size} labelled slices; a stack without its ends needs at least 4")
    return _with_slices(scan, labelled[1:-1])


def _field_cut(scan: Scan, rng: np.random.Generator) -> Scan:
    """An image that ends in the middle of the heart, as a field of view placed wrongly does."""
    along = np.flatnonzero((scan.labels > 0).any(axis=(1, 2, 3)))
    end = int(along[0] + 2 * (along[-1] + 1 - along[0]) / 3)
    return _regridded(scan, _copy(scan.cine.array[:end]), _copy(scan.labels[:end]), scan.cine.affine)


def _gamma(scan: Scan, rng: np.random.Generator, *, exponent: float) -> Scan:
    low, span = _range(scan.cine.array)
    return _with_image(scan, low + span * np.clip((scan.cine.array - low) / span, 0, None) ** exponent)


def _noisy(scan: Scan, rng: np.random.Generator, *, share: float) -> Scan:
    """Noise of a magnitude image (Rice): complex, its standard deviation a share of the intensity range."""
    _, span = _range(scan.cine.array)
    real, imaginary = rng.normal(0, share * span, (2, *scan.cine.array.shape))
    return _with_image(scan, np.hypot(scan.cine.array + real, imaginary))


def _blurred(scan: Scan, rng: np.random.Generator, *, sigma_mm: float) -> Scan:
    dx, dy, _ = scan.cine.spacing_mm
    return _with_image(scan, ndimage.gaussian_filter(scan.cine.array, (sigma_mm / dx, sigma_mm / dy, 0, 0)))


def _ghosts(scan: Scan, rng: np.random.Generator, *, loss: float) -> Scan:
    """Every fourth phase-encoding line weakened: copies a quarter, half and three quarters of the field away."""
    lines = np.fft.fft(scan.cine.array, axis=1)
    lines[:, 1::4] *= 1 - loss
    return _with_image(scan, np.abs(np.fft.ifft(lines, axis=1)))


def _shaded(scan: Scan, rng: np.random.Generator, *, fall: float) -> Scan:
    """Signal that falls `fall`-fold across the image, in a direction that is drawn, as of a coil at one side."""
    angle = rng.uniform(0, 2 * np.pi)
    x, y = (np.linspace(-0.5, 0.5, n) for n in scan.cine.array.shape[:2])
    across = np.cos(angle) * x[:, None] + np.sin(angle) * y[None, :]
    return _with_image(scan, scan.cine.array * np.exp(-np.log(fall) * across)[..., None, None])


def _displaced(scan: Scan, rng: np.random.Generator, *, sd_mm: float) -> Scan:
    """Each slice at another place in plane, by whole pixels, as breath holds of different depth leave them."""
    image, labels = scan.cine.array.copy(), scan.labels.copy()
    dx, dy, _ = scan.cine.spacing_mm
    for z, (x_mm, y_mm) in enumerate(rng.normal(0, sd_mm, (scan.cine.n_slices, 2))):
        step = (round(x_mm / dx), round(y_mm / dy))
        image[:, :, z] = np.roll(image[:, :, z], step, axis=(0, 1))
        labels[:, :, z] = np.roll(labels[:, :, z], step, axis=(0, 1))
    return _regridded(scan, image, labels, scan.cine.affine)


def _inverted(scan: Scan, rng: np.random.Generator) -> Scan:
    """Black blood for white, as another kind of image has it."""
    low, span = _range(scan.cine.array)
    return _with_image(scan, low + span - np.clip(scan.cine.array - low, 0, span))


def _of_256_levels(scan: Scan, rng: np.random.Generator) -> Scan:
    low = float(scan.cine.array.min())
    step = max(float(np.ptp(scan.cine.array)) / 255, 1e-12)
    return _with_image(scan, low + step * np.rint((scan.cine.array - low) / step))


def _range(image: Image) -> tuple[float, float]:
    """Lowest value, and from there to the 99.5th percentile."""
    low = float(image.min())
    return low, max(float(np.percentile(image, 99.5)) - low, 1e-12)


_copy = np.ascontiguousarray


def _with_image(scan: Scan, image: NDArray[np.floating]) -> Scan:
    return replace(scan, cine=scan.cine.with_array(image.astype(np.float32)))


def _regridded(scan: Scan, image: Image, labels: Labels, affine: NDArray[np.float64]) -> Scan:
    cine = replace(scan.cine, array=image, affine=affine, source=None)
    return Scan(cine=cine, labels=labels)


def _with_slices(scan: Scan, kept: NDArray[np.intp]) -> Scan:
    old = scan.cine
    affine, at = old.affine.copy(), old.slice_positions_mm[kept]
    normal = affine[:3, 2] / old.spacing_mm[2]
    affine[:3, 3] += normal * at[0]
    affine[:3, 2] = normal * (np.diff(at).mean() if at.size > 1 else old.spacing_mm[2])
    cine = replace(
        old,
        array=_copy(old.array[:, :, kept]),
        affine=affine,
        slice_positions_mm=at - at[0],
        source=None,
    )
    return Scan(cine=cine, labels=_copy(scan.labels[:, :, kept]))


_ALL: tuple[tuple[str, str, Change], ...] = (
    ("none", "as it is", _unchanged),
    ("gamma-0.6", "gamma 0.6", partial(_gamma, exponent=0.6)),
    ("gamma-1.6", "gamma 1.6", partial(_gamma, exponent=1.6)),
    ("noise-6", "noise, SD 6 % of the range", partial(_noisy, share=0.06)),
    ("noise-15", "noise, SD 15 % of the range", partial(_noisy, share=0.15)),
    ("noise-30", "noise, SD 30 % of the range", partial(_noisy, share=0.3)),
    ("blur-2mm", "blur, SD 2 mm", partial(_blurred, sigma_mm=2.0)),
    ("blur-4mm", "blur, SD 4 mm", partial(_blurred, sigma_mm=4.0)),
    ("blur-8mm", "blur, SD 8 mm", partial(_blurred, sigma_mm=8.0)),
    ("turn-30", "turned by 30 degrees", partial(_turned, degrees=30.0)),
    ("turn-90", "turned by 90 degrees", quarter_turned),
    ("pixels-0.75", "pixels 0.75 times as large", partial(_resampled, factor=0.75)),
    ("pixels-1.5", "pixels 1.5 times as large", partial(_resampled, factor=1.5)),
    ("every-second-slice", "every second slice missing", _every_second_slice),
    ("ends-missing", "base and apex missing", _ends_missing),
    ("ghosts", "ghosts of 20 % along the phase encoding", partial(_ghosts, loss=0.8)),
    ("breathing", "slices displaced, SD 8 mm", partial(_displaced, sd_mm=8.0)),
    ("shading", "signal falls 5-fold across the field", partial(_shaded, fall=5.0)),
    ("mirrored", "mirror image", _mirrored),
    ("8-bit", "256 grey levels", _of_256_levels),
    ("inverted", "bright for dark", _inverted),
    ("field-cut", "a third of the heart outside of the image", _field_cut),
)

PERTURBATIONS: Mapping[str, Perturbation] = {
    name: Perturbation(name=name, title=title, change=change) for name, title, change in _ALL
}
"""Name -> change, "none" first."""
