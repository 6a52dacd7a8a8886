"""A model with its card, ready to predict; and several seeds of one model that predict together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import WeightsError

__all__ = ["Ensemble", "LoadedModel", "in_target_units", "join"]


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """What `load_model` returns: the network in evaluation mode, and what it is and wants."""

    model: nn.Module
    """One network, or an `Ensemble` of seeds; called in the same way."""
    card: ModelCard

    @property
    def members(self) -> tuple[nn.Module, ...]:
        """The networks of an ensemble, or the one network."""
        return tuple(self.model.members) if isinstance(self.model, Ensemble) else (self.model,)


class Ensemble(nn.Module):
    """Seeds of one architecture; answers in the same form as one of them.

    A segmentation or a classification averages the softmax probabilities and returns their logarithm, which
    is a set of logits again: the softmax of the answer is the mean of the members' softmax. Landmark
    heatmaps, which do not compete, average each pixel's sigmoid likewise. Numbers are averaged as they are.
    """

    def __init__(self, members: Iterable[nn.Module], mean: Callable[[list[Tensor]], Tensor]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.mean = mean

    def forward(self, images: Mapping[str, Tensor]) -> Any:
        """{view: logits} or a tensor (b, out), as the members give."""
        answers = [member(images) for member in self.members]
        if isinstance(answers[0], Mapping):
            return {view: self.mean([answer[view] for answer in answers]) for view in answers[0]}
        return self.mean(answers)


def join(loaded: Iterable[LoadedModel], card: ModelCard) -> LoadedModel:
    """An ensemble under one card; raises `WeightsError` where the networks are not of one architecture."""
    members = list(loaded)
    if not members or len({(m.card.task, m.card.architecture) for m in members}) != 1:
        found = sorted({f"{m.card.task}/{m.card.architecture}" for m in members})
        raise WeightsError(f"an ensemble of {found}; expected seeds of one task and architecture")
    if len(members) == 1:
        return LoadedModel(model=members[0].model, card=card)
    ensemble = Ensemble([m.model for m in members], _mean_of(card))
    return LoadedModel(model=ensemble.eval(), card=card)


def in_target_units(outputs: Tensor, card: ModelCard) -> Tensor:
    """The numbers that a regression's outputs (b, out) stand for: outputs * std + mean of the card's target."""
    target = card.training.get("target")
    if card.task != "regress" or target is None:
        return outputs
    return outputs * float(target["std"]) + float(target["mean"])


def _mean_of(card: ModelCard) -> Callable[[list[Tensor]], Tensor]:
    if card.task in ("segment", "classify"):
        return _mean_softmax
    if card.task == "landmark" and card.architecture != "conv_vit":
        return _mean_sigmoid
    return _mean_value


def _mean_softmax(logits: list[Tensor]) -> Tensor:
    stacked = torch.stack([x.log_softmax(1) for x in logits])
    return stacked.logsumexp(0) - torch.log(torch.tensor(float(len(logits))))


def _mean_sigmoid(logits: list[Tensor]) -> Tensor:
    # The logit of a mean probability, from logs, so that far tails neither vanish nor overflow.
    inside = torch.stack([nn.functional.logsigmoid(x) for x in logits]).logsumexp(0)
    outside = torch.stack([nn.functional.logsigmoid(-x) for x in logits]).logsumexp(0)
    return inside - outside


def _mean_value(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean(0)
