"""A network with its card, ready to predict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor, nn

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import WeightsError
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.ensemble import Ensemble, EnsembleConfig, MemberConfig

__all__ = ["LoadedModel", "in_target_units", "join"]


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A network in evaluation mode and its card: the result of `load_model`."""

    model: nn.Module
    """One network, or an `Ensemble`; both are called in the same way."""
    card: ModelCard

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


def _config_of(cards: Mapping[str, ModelCard]) -> EnsembleConfig:
    return EnsembleConfig(
        members={
            name: MemberConfig(architecture=card.architecture, config=card.config) for name, card in cards.items()
        },
        output_kind=next(iter(cards.values())).output_kind,
    )
