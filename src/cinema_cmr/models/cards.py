"""Folders of models and their cards, readable without torch."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Literal

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.card_json import card_from_json
from cinema_cmr.core.errors import UnreadableFileError, WeightsError
from cinema_cmr.files.text import read_json

__all__ = ["CARD_FILE", "WEIGHTS_FILE", "Precision", "embedded_folder", "embedded_names", "embedded_root", "read_card"]

WEIGHTS_FILE = "weights.safetensors"
CARD_FILE = "card.json"

_MAX_CARD_BYTES = 4 << 20
"""Of a card; the largest of ours has 60 KB."""

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
