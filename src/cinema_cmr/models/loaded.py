"""A network with its card, ready to predict."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.ensemble import Ensemble, EnsembleConfig, MemberConfig

__all__ = ["LoadedModel", "in_target_units", "join"]

_SIZES = re.compile(r"\bsizes?\b|\bshapes?\b|channels|dimension|\dD\b", re.IGNORECASE)
_MACHINE = re.compile(r"memory|allocate|CUDA|CU[A-Z]+_STATUS|device|dtype|\btype\b", re.IGNORECASE)
"""Words of torch's errors, on the shape of an input and on what runs it."""


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A network in evaluation mode and its card: the result of `load_model`."""

    model: nn.Module
    """One network, or an `Ensemble`; both are called in the same way."""
    card: ModelCard

    @torch.inference_mode()
    def __call__(self, images: Tensor | Mapping[str, Tensor]) -> Any:
        """Run the network on images (b, c, x, y, z) on its grid: a mapping by view, or a tensor for a one-view model.

        Numbers of any type are taken as float32. A tensor gives the tensor of that view, a mapping the outputs as the
        network returns them. Raises `UsageError`, which names the form, for images that the network cannot take;
        what else fails in it (memory, number formats) is raised as it is.
        """
        grids = self.card.grids
        if isinstance(images, Mapping):
            unknown = set(images) - set(grids)
            if unknown or not images:
                raise UsageError(f"images of {sorted(map(str, images))}; {self._expected_images}")
            return self._run({str(view): image for view, image in images.items()})
        if not isinstance(images, Tensor) or len(grids) != 1:
            raise UsageError(f"images as one {type(images).__name__}; {self._expected_images}")
        (view,) = grids
        outputs = self._run({str(view): images})
        return outputs[str(view)] if isinstance(outputs, Mapping) else outputs

    def _run(self, images: Mapping[str, Tensor]) -> Any:
        shapes = ", ".join(f"{tuple(getattr(image, 'shape', ()))}" for image in images.values())
        if any(not isinstance(image, Tensor) or image.ndim not in (4, 5) for image in images.values()):
            raise UsageError(f"images of shape {shapes}; {self._expected_images}")
        weight = next(self.model.parameters(), None)
        devices = {str(image.device) for image in images.values()}
        if weight is not None and devices != {str(weight.device)}:
            raise UsageError(
                f"images on {', '.join(sorted(devices))} and a network on {weight.device}; expected one device: move"
                f" the images with .to('{weight.device}')"
            )
        try:
            return self.model({view: image.float() for view, image in images.items()})
        except (RuntimeError, IndexError, ValueError) as error:
            if not _concerns_sizes(error):
                raise
            raise UsageError(
                f"images of shape {shapes} do not fit the network ({str(error).splitlines()[0][:120]});"
                f" {self._expected_images}"
            ) from error

    @property
    def _expected_images(self) -> str:
        """The form of the images, e.g. "... (b, 1, x, y, z) of 112 x 112 pixels of 1.5 mm"."""
        views = " or ".join(f"'{view}'" for view in self.card.grids)
        one = "a tensor, or " if len(self.card.grids) == 1 else ""
        grid = next(iter(self.card.grids.values()))
        plane = f"{grid.size[0]} x {grid.size[1]} pixels of {grid.spacing_mm:g} mm"
        return (
            f"expected {one}a mapping of {views} to tensors (b, c, x, y, z), c channels (1 for one frame), of {plane}"
        )

    @property
    def members(self) -> dict[str, LoadedModel]:
        """Members of an ensemble by name, each with its own architecture; otherwise the model itself."""
        if not isinstance(self.model, Ensemble):
            return {self.card.name: self}
        described = self.card.config["members"]
        return {
            name: LoadedModel(model=network, card=replace(self.card, **described[name]))
            for name, network in self.model.members.items()
        }


def join(members: Mapping[str, LoadedModel], card: ModelCard) -> LoadedModel:
    """Make an ensemble of named models; its card is `card` with the members' architectures.

    A single model is returned as it is, under `card`. Raises `WeightsError` if the models differ in kind of output.
    """
    kinds = {member.card.output_kind for member in members.values()}
    if len(kinds) != 1:
        raise WeightsError(
            f"ensemble of {len(members)} models with outputs {sorted(kinds)}; expected one kind of output: "
            "join models of one task"
        )
    if len(members) == 1:
        (only,) = members.values()
        return LoadedModel(model=only.model, card=card)
    config = _config_of({name: member.card for name, member in members.items()})
    ensemble = Ensemble({name: member.model for name, member in members.items()}, config.output_kind)
    whole = replace(card, architecture="ensemble", config=config_values(config))
    return LoadedModel(model=ensemble.eval(), card=whole)


def in_target_units(outputs: Tensor, card: ModelCard) -> Tensor:
    """Convert a regression's outputs (b, out) to the target's unit: outputs * std + mean of the card's target.

    Outputs of another kind, or of a card without target, are returned unchanged.
    """
    target = card.training.get("target")
    if card.output_kind != "numbers" or target is None:
        return outputs
    return outputs * float(target["std"]) + float(target["mean"])


def _concerns_sizes(error: Exception) -> bool:
    """Return whether an error of torch is about the shape of its input, rather than memory, types or the device."""
    return _SIZES.search(str(error)) is not None and _MACHINE.search(str(error)) is None


def _config_of(cards: Mapping[str, ModelCard]) -> EnsembleConfig:
    return EnsembleConfig(
        members={
            name: MemberConfig(architecture=card.architecture, config=card.config) for name, card in cards.items()
        },
        output_kind=next(iter(cards.values())).output_kind,
    )
