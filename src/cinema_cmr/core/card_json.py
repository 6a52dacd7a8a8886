"""Model cards to and from the JSON that is stored beside the weights; reads and writes no files."""

from __future__ import annotations

from collections.abc import Mapping

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.core.serialise import Json, from_dict, to_dict

__all__ = ["CARD_VERSION", "card_from_json", "card_to_json"]

CARD_VERSION = 2
"""Version of card.json; increased when older readers could no longer read it."""


def card_to_json(card: ModelCard) -> dict[str, Json]:
    """Return every field of the card as plain values, with the version of the format.

    Raises `UsageError`, naming the field, for values that JSON cannot represent.
    """
    return {"card_version": CARD_VERSION, **to_dict(card, "card")}


def card_from_json(values: Mapping[str, Json]) -> ModelCard:
    """Return the card of a card.json of version 1 or 2.

    Raises `WeightsError` for another version and for unknown, missing or ill-typed fields.
    """
    if not isinstance(values, Mapping):
        raise WeightsError(f"model card is a {type(values).__name__}; expected a JSON object: fetch the model again")
    fields = dict(values)
    version = fields.pop("card_version", None)
    if version == 1:
        fields = _from_version_1(fields)
    elif version != CARD_VERSION:
        raise WeightsError(
            f"model card of version {version!r}; expected {CARD_VERSION}: "
            "read it with the cinema-cmr that wrote it, or a newer one"
        )
    try:
        return from_dict(ModelCard, fields, "card")
    except UsageError as error:
        raise WeightsError(f"model card cannot be used: {error}") from error


def _from_version_1(fields: Mapping[str, Json]) -> dict[str, Json]:
    """Convert version 1: `turns` is `tta`, the architecture "committee" an ensemble that segments, and the target of a
    classification is `target_name` in `training`, where it was `answers`."""
    renamed = {"tta" if name == "turns" else name: value for name, value in fields.items()}
    config = renamed.get("config")
    if renamed.get("architecture") == "committee" and isinstance(config, dict):
        renamed["architecture"] = "ensemble"
        renamed["config"] = {**config, "output_kind": "classes"}
    training = renamed.get("training")
    if isinstance(training, dict) and "answers" in training:
        renamed["training"] = {"target_name" if name == "answers" else name: item for name, item in training.items()}
    return renamed
