"""What an autoencoder was shown, what it was not, and what it made of it, as pictures of every view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.sample import Batch, collate
from cinema_cmr.data.store import StoredStudy
from cinema_cmr.image.mosaic import mosaic
from cinema_cmr.models.blocks.layers import from_slices, group_patches, pad_to_multiple, to_slices
from cinema_cmr.models.blocks.masking import TokenMask
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.mae import CineMA
from cinema_cmr.tasks.pretrain import PretrainConfig, PretrainTask

__all__ = ["ReconstructedView", "hidden_error", "picture", "reconstruct", "reconstructed"]

Array = NDArray[np.float32]

_MOST_SLICES = 6
_HEADS = ("input", "visible part", "reconstruction")


@dataclass(frozen=True, kw_only=True)
class ReconstructedView:
    """One view of one sample, each (x, y, z)."""

    image: Array
    shown: Array
    """The visible tokens; NaN where masked."""
    filled: Array
    """The visible tokens as they are, the masked ones as reconstructed."""


def reconstruct(
    loaded: LoadedModel, study: StoredStudy, *, frame: int = 0, mask_ratio: float = 0.75, seed: int = 0
) -> dict[str, ReconstructedView]:
    """Mask a share of a study's tokens and reconstruct them; view -> its images.

    `frame` counts from 0 in the view with the most frames; the other views are taken at the same time of the cycle.
    Raises `WeightsError` for a model that is no autoencoder, `UsageError` for a frame that the study lacks.
    """
    if not isinstance(loaded.model, CineMA):
        raise WeightsError(f"model '{loaded.card.name}' is a {loaded.card.architecture}; expected an autoencoder")
    token_size = loaded.model.config.stem.token_stride(3)
    config = PretrainConfig(grids=loaded.card.grids, token_size=token_size, mask_ratio=mask_ratio)
    task = PretrainTask(config, loaded.model)
    n_frames = max(study.cine(view).n_frames for view in task.views_of(study))
    if not 0 <= frame < n_frames:
        raise UsageError(f"frame {frame} of '{study.name}'; it has frames 0 to {n_frames - 1}")
    batch = collate([task.moment(study, (frame + 0.5) / n_frames, np.random.default_rng(seed))])
    normalised = loaded.model.config.normalise_targets
    return reconstructed(loaded.model, batch, task.masks(batch), token_size, normalised=normalised)


@torch.no_grad()
def reconstructed(
    model: nn.Module,
    batch: Batch,
    masks: Mapping[str, TokenMask],
    token_size: tuple[int, int, int],
    *,
    normalised: bool = False,
) -> dict[str, ReconstructedView]:
    """The first sample of a batch through a `CineMA`, as it stands; view -> what was shown and made.

    `token_size` is that of a stack; a plane's third number is 1. Predictions of targets that were `normalised` by
    patch are no intensities: they get the mean and the deviation of the true patch.
    """
    output = model(batch.images, masks)
    found = {}
    for view, image in batch.images.items():
        size = token_size if image.ndim == 5 else (*token_size[:2], 1)
        parts = _pasted(image[:1], masks[view], output.predictions[view][:1].float(), size, normalised)
        whole, shown, filled = (part[0, 0].reshape(*image.shape[2:4], -1).cpu().numpy() for part in parts)
        found[view] = ReconstructedView(image=whole, shown=shown, filled=filled)
    return found


def hidden_error(one: ReconstructedView) -> float:
    """Mean squared error of what was hidden."""
    hidden = np.isnan(one.shown)
    return float(np.mean((one.filled - one.image)[hidden] ** 2))


def picture(views: Mapping[str, ReconstructedView]) -> Image.Image:
    """Columns of input, what was visible, and the reconstruction, with captions: a row for each view and slice."""
    rows, titles = [], []
    for name, one in views.items():
        n_slices = one.image.shape[2]
        lit = [z for z in range(n_slices) if one.image[..., z].any()] or [0]
        chosen = sorted({lit[round(i)] for i in np.linspace(0, len(lit) - 1, min(_MOST_SLICES, len(lit)))})
        rows += [[part[..., z] for part in (one.image, one.shown, one.filled)] for z in chosen]
        view = View.parse(name).title
        titles += [view if n_slices == 1 else f"{view}, slice {z}" for z in chosen]
    return mosaic(rows, heads=_HEADS, titles=titles)


def _pasted(
    image: Tensor, mask: TokenMask, predicted: Tensor, size: tuple[int, int, int], normalised: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Image, visible part and filled image (1, c, x, y[, z]) of one sample."""
    padded = pad_to_multiple(to_slices(image.float()), size)
    patches = group_patches(padded, size).permute(0, 2, 3, 1, 4)
    grid, tokens = patches.shape[1:4], patches.flatten(1, 3)
    shown, filled = tokens.clone(), tokens.clone()
    shown[0, mask.masked[0]] = torch.nan
    if normalised:
        deviation, mean = torch.std_mean(tokens[:, mask.masked[0]], dim=-1, keepdim=True)
        predicted = predicted * (deviation + 1e-6) + mean
    filled[0, mask.masked[0]] = predicted[0]
    shapes = (tuple(grid), size, tuple(image.shape))
    first, second, third = (_images(part, *shapes) for part in (tokens, shown, filled))
    return first, second, third


def _images(tokens: Tensor, grid: tuple[int, ...], size: tuple[int, int, int], shape: tuple[int, ...]) -> Tensor:
    """Tokens (1, l, pixels), z fastest, as the image (1, c, x, y[, z]) they were cut from."""
    (gx, gy, gz), (p, q, r) = grid, size
    x = tokens.reshape(1, gx, gy, gz, p, q, r, -1).permute(0, 3, 6, 1, 4, 2, 5, 7)
    whole = x.reshape(1, gz * r, gx * p, gy * q, -1)
    z = shape[4] if len(shape) == 5 else 1
    return from_slices(whole[:, :z, : shape[2], : shape[3]], len(shape) - 2)
