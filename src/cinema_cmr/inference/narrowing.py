"""A faster segmentation model from a U-Net: fewer channels, fitted to what it computes on images of people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import InputError, WeightsError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.inference.localiser import locate_heart
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.models.baselines import UNet2d
from cinema_cmr.models.cards import read_card
from cinema_cmr.models.compact.narrowed import narrow_unet, same_labels
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.weights import load_model, save_model

__all__ = ["NarrowedModel", "narrow_model"]

_EVERY = 4
"""One image in so many is kept from the fit, to compare the two networks."""


@dataclass(frozen=True, kw_only=True)
class NarrowedModel:
    """A narrowed model and how much it agrees with the one it was made of."""

    card: ModelCard
    agreement: dict[str, float]
    """Structure -> Dice coefficient between the labels of both, on images that were not fitted to."""


def narrow_model(
    source: LoadedModel | Path | str,
    folder: Path | str,
    chans: Sequence[int],
    studies: Sequence[Study],
    *,
    name: str,
    licence: str = "",
    seed: int = 0,
    overwrite: bool = False,
) -> NarrowedModel:
    """Save a segmentation U-Net of fewer channels that computes nearly what `source` does, as a start for fine-tuning.

    `chans`: channels of each resolution, finest first; the time of a frame falls about as their squares. One frame of
    each of `studies` is used, near ED and ES in turn, and no label; thirty people are enough, at 0.1 GB of memory each.
    `licence` defaults to the model's own. Raises
    `WeightsError` for a model that is no single U-Net, `UsageError` for numbers of channels that do not fit it, and
    `InputError` for fewer than four images of its views.
    """
    loaded = source if isinstance(source, LoadedModel) else load_model(source)
    loaded.card.check_task("segment")
    if not isinstance(loaded.model, UNet2d):
        raise WeightsError(
            f"'{loaded.card.name}' is a {loaded.card.architecture}; expected one U-Net, as cinema-sax is"
        )
    segmenter = Segmenter(loaded, choose_runtime("cpu", "fp32"))
    images = [one for at, study in enumerate(studies) for one in _images(study, segmenter, near_es=at % 2 == 1)]
    if len(images) < _EVERY:
        views = ", ".join(loaded.card.grids)
        raise InputError(f"{len(images)} images of the views {views} in {len(studies)} studies; expected 4 or more")
    fitted = [image for at, image in enumerate(images) if (at + 1) % _EVERY]
    network = narrow_unet(loaded.model, chans, fitted, seed=seed)
    view = loaded.model.config.view
    dice = same_labels(loaded.model, network, images[_EVERY - 1 :: _EVERY], view=view)
    agreement = dict(zip(loaded.card.outputs[1:], (round(one, 4) for one in dice), strict=True))
    card = replace(
        loaded.card,
        name=name,
        licence=licence or loaded.card.licence,
        description=f"'{loaded.card.name}' with fewer channels, fitted and not trained: a start for fine-tuning",
        config={**loaded.card.config, "chans": list(chans)},
        training=_training(loaded.card, len(studies), agreement),
    )
    return NarrowedModel(card=read_card(save_model(folder, network, card, overwrite=overwrite)), agreement=agreement)


def _training(card: ModelCard, n_studies: int, agreement: dict[str, float]) -> dict[str, object]:
    """The facts of the wide network's training, and how the narrow one was made of it."""
    narrowed = {
        "from": f"{card.name} {card.weights_sha256[:12]}",
        "n_studies": n_studies,
        "dice_with_it": agreement,
    }
    return {**card.training, "narrowed": narrowed}


def _images(study: Study, segmenter: Segmenter, *, near_es: bool) -> Iterator[Tensor]:
    """The network's input for one frame of each view, around the heart."""
    for view in segmenter.card.grids:
        if view not in study:
            continue
        cine = study.cine(View(view))
        crop = segmenter.plan(cine, locate_heart(cine, segmenter).centre)
        yield segmenter.images(cine, crop, [min(cine.n_frames - 1, max(1, cine.n_frames // 3)) if near_es else 0])
