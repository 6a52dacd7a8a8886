"""Models on disk: a folder of `weights.safetensors` and `card.json`, saved from and loaded into a network.

`load_model` is the one door for every kind of weights; nothing it reads can run code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.card_json import card_from_json, card_to_json
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.models.architectures import build
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.position import position_table
from cinema_cmr.models.states import (
    check_hash,
    check_shapes,
    fill,
    floats_as,
    read_state,
    replacing,
    write_state,
)

__all__ = [
    "CARD_FILE",
    "WEIGHTS_FILE",
    "embedded_folder",
    "embedded_names",
    "load_model",
    "read_card",
    "save_model",
]

WEIGHTS_FILE = "weights.safetensors"
CARD_FILE = "card.json"

Precision = Literal["float32", "float16", "bfloat16"]
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def save_model(
    folder: Path | str,
    model: nn.Module,
    card: ModelCard,
    *,
    precision: Precision = "float32",
    overwrite: bool = False,
) -> Path:
    """Write `weights.safetensors` and `card.json` into `folder`, and return the folder.

    The card's hash is that of the file just written. Position tables that the architecture makes by itself
    are left out. Each file is written whole or not at all, the card last: where a run is cut off between the
    two, the folder is refused by `load_model`, never misread. Raises `WeightsError` where the card's
    architecture and config do not describe the network or a number does not fit `precision`, and
    `OutputExistsError` where a model is there and `overwrite` is False.
    """
    folder = Path(folder)
    if precision not in _DTYPES:
        raise UsageError(f"precision '{precision}'; expected one of {', '.join(_DTYPES)}")
    _check_described(model, card)
    state = floats_as(_without_tables(model), _DTYPES[precision])
    with replacing(folder / CARD_FILE, overwrite=overwrite) as sibling:
        sha256 = write_state(folder / WEIGHTS_FILE, state, overwrite=overwrite)
        described = card_to_json(replace(card, weights_sha256=sha256))
        sibling.write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return folder


def load_model(name_or_path: Path | str) -> LoadedModel:
    """The network, in evaluation mode and float32 on the CPU, with its card.

    `name_or_path`: a folder that `save_model` wrote, or the name of a model inside this package. Raises
    `WeightsError` where files are missing, their hash is not the card's, or keys or shapes are another
    architecture's.
    """
    folder = Path(name_or_path)
    if not folder.exists():
        folder = embedded_folder(str(name_or_path))
    if folder.is_file():
        folder = folder.parent
    return _load_folder(folder)


def read_card(folder: Path | str) -> ModelCard:
    """The card of a model's folder, without its weights; `WeightsError` where missing or unreadable."""
    path = Path(folder) / CARD_FILE
    try:
        return card_from_json(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise WeightsError(
            f"'{path.parent.name}' has no {CARD_FILE}; expected a folder of {CARD_FILE} and {WEIGHTS_FILE}"
        ) from error
    except ValueError as error:
        raise WeightsError(
            f"'{path.parent.name}/{CARD_FILE}' is not JSON ({error}); export it again"
        ) from error


def embedded_names() -> tuple[str, ...]:
    """Names of the models inside this package."""
    root = _embedded_root()
    return tuple(sorted(path.parent.name for path in root.glob(f"*/{CARD_FILE}")))


def embedded_folder(name: str) -> Path:
    """Where a model inside this package lies; raises `WeightsError` for an unknown name."""
    names = embedded_names()
    if name not in names:
        known = ", ".join(names) or "none"
        raise WeightsError(
            f"no model '{name}'; expected a path that exists or a model inside this package ({known})"
        )
    return _embedded_root() / name


def _embedded_root() -> Path:
    return Path(str(files("cinema_cmr"))) / "weights"


def _load_folder(folder: Path) -> LoadedModel:
    card = read_card(folder)
    check_hash(folder / WEIGHTS_FILE, card.weights_sha256)
    model = _built(card)
    state = {**_tables(model), **read_state(folder / WEIGHTS_FILE)}
    fill(model, state, what=f"the weights of '{card.name}'")
    return LoadedModel(model=model.eval(), card=card)


def _built(card: ModelCard) -> nn.Module:
    try:
        return build(card.architecture, card.config)
    except UsageError as error:
        raise WeightsError(
            f"the card of '{card.name}' describes no network that can be built: {error}"
        ) from error


def _check_described(model: nn.Module, card: ModelCard) -> None:
    with torch.device("meta"):
        described = _built(card)
    own, given = (
        {name: tuple(x.shape) for name, x in net.state_dict().items()} for net in (described, model)
    )
    check_shapes(own, given, what=f"the weights of '{card.name}'")


def _without_tables(model: nn.Module) -> dict[str, Tensor]:
    tables = _tables(model)
    return {
        name: x
        for name, x in model.state_dict().items()
        if name not in tables or not torch.equal(x.cpu(), tables[name])
    }


def _tables(model: nn.Module) -> Mapping[str, Tensor]:
    """The fixed position tables of a network, by key, made anew."""
    tables: dict[str, Any] = {}
    for name, part in model.named_modules():
        if "pos_embed" in part._buffers and hasattr(part, "built_grid"):
            tables[f"{name}.pos_embed"] = position_table(
                part.get_buffer("pos_embed").shape[-1], part.built_grid
            )
    return tables
