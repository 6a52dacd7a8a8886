"""A faster model of masks or landmarks from a U-Net: fewer channels, fitted to what it computes on images of people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import InputError, WeightsError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.image.intensity import normalise
from cinema_cmr.image.orient import reorient_to_standard
from cinema_cmr.image.resample import CropResample
from cinema_cmr.image.slices import plan_slices
from cinema_cmr.inference.loading import LANDMARK_MASK_MODEL
from cinema_cmr.inference.localiser import locate_heart
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.models.baselines import UNet2d
from cinema_cmr.models.cards import read_card
from cinema_cmr.models.compact.narrowed import check_channels, narrow_unet, same_labels
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.points import points_of_heatmaps
from cinema_cmr.models.weights import check_no_model, load_model, save_model

__all__ = ["NarrowedModel", "narrow_model"]

_EVERY = 4
"""One image in so many is kept from the fit, to compare the two networks."""
_KEPT_FACTS = ("data", "citation", "data_sha256", "split_sha256", "planes", "seen")
"""Facts of the wide network's training that hold for the narrow one."""


@dataclass(frozen=True, kw_only=True)
class NarrowedModel:
    """A narrowed model and how much it agrees with the one it was made of."""

    card: ModelCard
    agreement: dict[str, float]
    """On images that were not fitted to: structure -> Dice coefficient between the labels of both; of landmarks the
    median distance in mm."""


def narrow_model(
    source: LoadedModel | Path | str,
    folder: Path | str,
    chans: Sequence[int],
    studies: Iterable[Study],
    *,
    name: str,
    licence: str = "",
    seed: int = 0,
    overwrite: bool = False,
) -> NarrowedModel:
    """Save a U-Net of fewer channels that computes nearly what `source` does, as a start for fine-tuning.

    `chans`: channels of each resolution, finest first; the time of a frame falls about as their squares. One frame of
    each of `studies` is used, near ED and ES in turn, and no label; thirty people are enough, at 0.1 GB of memory each.
    `licence` defaults to the model's own. Raises `WeightsError` for a model of masks or landmarks that is no single
    U-Net, or of another task, `UsageError` for numbers of channels that do not fit it, `InputError` for fewer than
    four images of its views, and `OutputExistsError` where a model is in `folder` and `overwrite` is False. Model,
    channels and `folder` are checked before the first study is drawn from `studies`, which may read them one by one.
    """
    check_no_model(folder, overwrite=overwrite)
    loaded = source if isinstance(source, LoadedModel) else load_model(source)
    loaded.card.check_task("segment", "landmark")
    if not isinstance(loaded.model, UNet2d):
        raise WeightsError(
            f"'{loaded.card.name}' is a {loaded.card.architecture}; expected one U-Net, as cinema-sax is"
        )
    check_channels(loaded.model, chans)
    finder = _finder(loaded)
    of_studies = [list(_images(study, loaded, finder, near_es=at % 2 == 1)) for at, study in enumerate(studies)]
    images = [image for of_one in of_studies for image in of_one]
    if len(images) < _EVERY:
        views = ", ".join(loaded.card.grids)
        raise InputError(f"{len(images)} images of the views {views} in {len(of_studies)} studies; expected 4 or more")
    network = narrow_unet(loaded.model, chans, [one for at, one in enumerate(images) if (at + 1) % _EVERY], seed=seed)
    agreement = _agreement(loaded, network, images[_EVERY - 1 :: _EVERY])
    card = replace(
        loaded.card,
        name=name,
        licence=licence or loaded.card.licence,
        description=f"'{loaded.card.name}' with fewer channels, fitted and not trained: a start for fine-tuning",
        config={**loaded.card.config, "chans": list(chans)},
        training=_training(loaded.card, len(of_studies), agreement),
    )
    return NarrowedModel(card=read_card(save_model(folder, network, card, overwrite=overwrite)), agreement=agreement)


def _training(card: ModelCard, n_studies: int, agreement: dict[str, float]) -> dict[str, object]:
    """What the wide network learned from, and how the narrow one was made of it; scores of the wide one are not its."""
    narrowed = {"from": f"{card.name} {card.weights_sha256[:12]}", "n_studies": n_studies, "agreement": agreement}
    kept = {key: card.training[key] for key in _KEPT_FACTS if key in card.training}
    return {**kept, "narrowed": narrowed, "experimental": "narrowed and not trained since, a start for fine-tuning"}


def _finder(loaded: LoadedModel) -> Segmenter:
    """What finds the heart: the model itself, or the bundled masks of the planes in which it has landmarks."""
    of_masks = loaded if loaded.card.output_kind == "classes" else load_model(LANDMARK_MASK_MODEL)
    return Segmenter(of_masks, choose_runtime("cpu", "fp32"))


def _images(study: Study, loaded: LoadedModel, finder: Segmenter, *, near_es: bool) -> Iterator[Tensor]:
    """The network's input (1, 1, x, y, z) for one frame of each view, around the heart."""
    for view, grid in loaded.card.grids.items():
        if view not in study:
            continue
        cine = study.cine(View(view))
        cine = reorient_to_standard(cine) if loaded.card.training.get("planes") == "standard" else cine
        frame = min(cine.n_frames - 1, max(1, cine.n_frames // 3)) if near_es else 0
        crop = CropResample.around(cine.array.shape[:2], cine.spacing_mm, grid, locate_heart(cine, finder).centre)
        scaled = normalise(crop.apply(cine.array[..., [frame]] - cine.array.min()), grid.percentiles)
        planes = plan_slices(cine.slice_positions_mm, grid).to_model(scaled)
        yield torch.from_numpy(np.ascontiguousarray(np.moveaxis(planes, 3, 0)[:, None]))


def _agreement(loaded: LoadedModel, network: UNet2d, images: Sequence[Tensor]) -> dict[str, float]:
    """Dice coefficient of each structure, or the median distance of landmarks in mm, between both networks."""
    view, wide = network.config.view, loaded.model
    assert isinstance(wide, UNet2d)
    if loaded.card.output_kind == "classes":
        dice = same_labels(wide, network, images, view=view)
        return {name: round(one, 4) for name, one in zip(loaded.card.outputs[1:], dice, strict=True)}
    spacing_mm = next(iter(loaded.card.grids.values())).spacing_mm
    points: list[list[Tensor]] = []
    with torch.inference_mode():
        for net in (wide, network):
            points.append([points_of_heatmaps(net({view: image[..., 0]})[view])[0] for image in images])
    distances = torch.cat([(one - other).norm(dim=-1).flatten() for one, other in zip(*points, strict=True)])
    return {"median distance, mm": round(float(distances.median()) * spacing_mm, 2)}
