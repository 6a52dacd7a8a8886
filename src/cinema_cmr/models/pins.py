"""A model named with the hash of its weights, NAME@HASH, so that no other one is taken for it."""

from __future__ import annotations

import re
from pathlib import Path

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import UsageError, WeightsError

__all__ = ["check_pin", "split_pin"]

_PIN = re.compile(r"[0-9a-f]{8,64}")


def split_pin(name: Path | str) -> tuple[str, str]:
    """Return name or path and the beginning of the hash it is pinned to; "" for a model without.

    A path that exists is taken as it is. Raises `UsageError` for a pin of fewer than 8 hexadecimal digits.

    >>> split_pin("cinema-sax@0123abcd"), split_pin("cinema-sax")
    (('cinema-sax', '0123abcd'), ('cinema-sax', ''))
    """
    text = str(name)
    base, at, pin = text.rpartition("@")
    if not at or Path(text).exists():
        return text, ""
    if not base or not _PIN.fullmatch(pin.lower()):
        raise UsageError(
            f"model '{Path(base).name}@{pin}'; expected NAME@HASH with the first 8 to 64 hexadecimal digits of the"
            " weights' SHA-256: `cinema weights list` and card.json state it"
        )
    return base, pin.lower()


def check_pin(card: ModelCard, pin: str) -> None:
    """Raise `WeightsError` if the hash of a model's weights does not begin with `pin`."""
    if not card.weights_sha256.startswith(pin):
        raise WeightsError(
            f"model '{card.name}' has weights with SHA-256 {card.weights_sha256[:12] or 'unknown'}...; expected"
            f" {pin[:12]}, the hash that was asked for: give the model that was meant, or leave '@HASH' out"
        )
