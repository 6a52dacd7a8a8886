"""A model card as the JSON that stands beside the weights, and back; no file is touched here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.core.serialise import from_dict, to_dict

__all__ = ["CARD_VERSION", "card_from_json", "card_to_json"]

CARD_VERSION = 2
"""Layout of card.json; raised when an older reader could no longer understand it."""


def card_to_json(card: ModelCard) -> dict[str, Any]:
    """Plain values for card.json: every field of the card, and the layout's version.

    Raises `UsageError` that names what JSON cannot hold.
    """
    return {"card_version": CARD_VERSION, **to_dict(card, "card")}


def card_from_json(values: Mapping[str, Any]) -> ModelCard:
    """The card that card.json describes; `WeightsError` for another layout, unknown or missing fields."""
    if isinstance(values, Mapping) and values.get("card_version") == 1:
        values = _from_version_1(values)
    if not isinstance(values, Mapping) or values.get("card_version") != CARD_VERSION:
        found = values.get("card_version") if isinstance(values, Mapping) else type(values).__name__
        raise WeightsError(
            f"model card of version {found!r}; expected {CARD_VERSION}: "
            "read it with the cinema-cmr that wrote it, or a newer one"
        )
    try:
        return from_dict(ModelCard, {k: v for k, v in values.items() if k != "card_version"}, "card")
    except UsageError as error:
        raise WeightsError(f"model card cannot be used: {error}") from error


def _from_version_1(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a card of version 1, in which test-time augmentation was called `turns`."""
    renamed = {"turns": "tta"}
    return {renamed.get(name, name): value for name, value in values.items()} | {"card_version": CARD_VERSION}
