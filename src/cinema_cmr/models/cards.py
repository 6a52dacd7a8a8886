"""Folders of models, their cards, and names with a hash, NAME@HASH; readable without torch."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Literal

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.card_json import card_from_json
from cinema_cmr.core.errors import UnreadableFileError, UsageError, WeightsError
from cinema_cmr.files.text import read_json

__all__ = [
    "CARD_FILE",
    "WEIGHTS_FILE",
    "Precision",
    "check_pin",
    "embedded_folder",
    "embedded_names",
    "embedded_root",
    "read_card",
    "split_pin",
]

WEIGHTS_FILE = "weights.safetensors"
CARD_FILE = "card.json"

_MAX_CARD_BYTES = 4 << 20
"""Of a card; the largest of ours has 60 KB."""

_PIN = re.compile(r"[0-9a-f]{8,64}")

Precision = Literal["float32", "float16", "bfloat16", "int8"]
"""Stored precision of a weights file; numbers are float32 once loaded."""


def read_card(folder: Path | str) -> ModelCard:
    """Read the card of a model's folder, without its weights; `WeightsError` if it is missing or unreadable."""
    path = Path(folder) / CARD_FILE
    try:
        return card_from_json(read_json(path, max_bytes=_MAX_CARD_BYTES))  # type: ignore[arg-type]  # checked there
    except OSError as error:
        raise WeightsError(
            f"'{path.parent.name}' has no {CARD_FILE}; expected a folder of {CARD_FILE} and {WEIGHTS_FILE}"
        ) from error
    except UnreadableFileError as error:
        raise WeightsError(f"the card of '{path.parent.name}' cannot be read: {error}; export it again") from error


def embedded_names() -> tuple[str, ...]:
    """Return the names of the models inside this package."""
    return tuple(sorted(path.parent.name for path in embedded_root().glob(f"*/{CARD_FILE}")))


def embedded_folder(name: str) -> Path:
    """Return the folder of a model inside this package; raises `WeightsError` for an unknown name."""
    names = embedded_names()
    if name not in names:
        known = ", ".join(names) or "none"
        raise WeightsError(
            f"no model '{name}'; expected a path that exists, a model inside this package ({known}), "
            "or a published one (hf:..., see `cinema weights list`)"
        )
    return embedded_root() / name


def embedded_root() -> Path:
    """Return the package's folder of models."""
    return Path(str(files("cinema_cmr"))) / "weights"


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
            f" {pin[:12]}, the pinned hash: give the model that was meant, or leave '@HASH' out"
        )
