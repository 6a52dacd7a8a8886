"""Save and load models: folders of `weights.safetensors` and `card.json`.

`load_model` is the single entry point for every kind of weights; nothing that it reads can run code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor, nn

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.card_json import card_to_json
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.models.architectures import build
from cinema_cmr.models.blocks.position import position_table
from cinema_cmr.models.cards import CARD_FILE, WEIGHTS_FILE, Precision, check_pin, embedded_folder, read_card, split_pin
from cinema_cmr.models.compact.quantised import dequantise, quantise_int8
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.packed import is_packed, unpacked
from cinema_cmr.models.published.load import load_hub, load_published
from cinema_cmr.models.states import (
    check_format,
    check_hash,
    check_none_exists,
    check_shapes,
    fill,
    floats_as,
    read_state,
    replacing_folder,
    write_state,
)

__all__ = ["check_no_model", "load_model", "model_card", "save_model", "weights_hash"]

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def check_no_model(folder: Path | str, *, overwrite: bool = False) -> None:
    """Raise `OutputExistsError` if a model is in the folder and `overwrite` is False: before the work, not after it."""
    check_none_exists(Path(folder), (CARD_FILE, WEIGHTS_FILE), overwrite=overwrite)


def save_model(
    folder: Path | str,
    model: nn.Module,
    card: ModelCard,
    *,
    precision: Precision = "float32",
    overwrite: bool = False,
) -> Path:
    """Write `weights.safetensors` and `card.json` into `folder`, and return the folder.

    The card's hash is that of the written file. Position tables that the architecture computes are left out. Both
    files appear in one step: a kill at any moment leaves the old model or the new, whole. Raises `WeightsError` where
    the card's architecture and config do not describe the network or a number does not fit `precision`, and
    `OutputExistsError` where a model is there and `overwrite` is False.
    """
    folder = Path(folder)
    if precision not in get_args(Precision):
        raise UsageError(f"precision '{precision}'; expected one of {', '.join(get_args(Precision))}")
    _check_described(model.state_dict(), card)
    full = _without_tables(model)
    state = quantise_int8(full) if precision == "int8" else floats_as(full, _DTYPES[precision])
    with replacing_folder(folder, (CARD_FILE, WEIGHTS_FILE), overwrite=overwrite) as draft:
        sha256 = write_state(draft / WEIGHTS_FILE, state)
        described = card_to_json(replace(card, weights_sha256=sha256))
        text = json.dumps(described, indent=2, ensure_ascii=False) + "\n"
        (draft / CARD_FILE).write_text(text, encoding="utf-8")
    return folder


def load_model(name_or_path: Path | str) -> LoadedModel:
    """Load a network, in evaluation mode and float32 on the CPU, with its card.

    `name_or_path`: a folder that `save_model` wrote, or one file that `cinema weights pack` made of it; a published
    .safetensors file, or a folder of seeds, with its YAML; a published name (`hf:mathpluscode/CineMA/...`); or the name
    of a model inside this package; each with `@HASH` if its weights must have that hash. Nothing is unpickled. Raises
    `WeightsError` where files are missing, their hash is not the card's or the pinned one, or keys or shapes are
    another architecture's.
    """
    name, pin = split_pin(name_or_path)
    loaded = _load(name)
    check_pin(loaded.card, pin)
    return loaded


def _load(name_or_path: str) -> LoadedModel:
    if _is_of_hub(name_or_path):
        return load_hub(name_or_path)
    if is_packed(Path(name_or_path)):
        with unpacked(Path(name_or_path)) as place:
            return _load_folder(place)
    if Path(name_or_path).suffix and not Path(name_or_path).is_dir() and Path(name_or_path).name != CARD_FILE:
        check_format(Path(name_or_path))
    folder = _own_folder(_place(name_or_path))
    return load_published(_place(name_or_path)) if folder is None else _load_folder(folder)


def weights_hash(name_or_path: Path | str) -> str:
    """Return the SHA-256 of a model's weights, from its card alone if it has one; errors as of `load_model`."""
    return model_card(name_or_path).weights_sha256


def model_card(name_or_path: Path | str) -> ModelCard:
    """Return the card of a model without building its network, but for published weights, which have none.

    Raises `WeightsError` as `load_model` does.
    """
    name, pin = split_pin(name_or_path)
    card = _card(name)
    check_pin(card, pin)
    return card


def _card(name: str) -> ModelCard:
    if not _is_of_hub(name) and is_packed(Path(name)):
        with unpacked(Path(name)) as place:
            return read_card(place)
    folder = None if _is_of_hub(name) else _own_folder(_place(name))
    return _load(name).card if folder is None else read_card(folder)


def _is_of_hub(name_or_path: Path | str) -> bool:
    return str(name_or_path).startswith("hf:")


def _place(name_or_path: Path | str) -> Path:
    """Return a path that exists, or the folder of the bundled model of that name."""
    path = Path(name_or_path)
    return path if path.exists() else embedded_folder(str(name_or_path))


def _own_folder(path: Path) -> Path | None:
    """Return the folder if `save_model` wrote it."""
    folder = path.parent if path.name in (WEIGHTS_FILE, CARD_FILE) else path
    ours = (folder / CARD_FILE).is_file() or (folder / WEIGHTS_FILE).is_file()
    return folder if ours else None


def _load_folder(folder: Path) -> LoadedModel:
    card = read_card(folder)
    check_hash(folder / WEIGHTS_FILE, card.weights_sha256)
    card, state = _as_ensemble(card, dequantise(read_state(folder / WEIGHTS_FILE)))
    _check_described(state, card)
    model = _built(card)
    fill(model, {**_tables(model), **state}, what=f"the weights of '{card.name}'")
    return LoadedModel(model=model.eval(), card=card)


def _as_ensemble(card: ModelCard, state: Mapping[str, Tensor]) -> tuple[ModelCard, dict[str, Tensor]]:
    """Convert the two layouts of ensembles before version 2 of the card.

    Seeds of one architecture stood under the card of one network, with keys "members.0.", "members.1." and so on; the
    keys of networks of different architectures began with "networks.".
    """
    if card.architecture == "ensemble":
        return card, {re.sub(r"^networks\.", "members.", key): x for key, x in state.items()}
    seeds = sorted({key.split(".")[1] for key in state if key.startswith("members.")}, key=int)
    if not seeds:
        return card, dict(state)
    member = {"architecture": card.architecture, "config": card.config}
    config = {"members": dict.fromkeys(seeds, member), "output_kind": card.output_kind}
    return replace(card, architecture="ensemble", config=config), dict(state)


def _built(card: ModelCard) -> nn.Module:
    try:
        return build(card.architecture, card.config)
    except UsageError as error:
        raise WeightsError(
            f"the card of '{card.name}' describes no network that can be built: {error}{card.install_hint}"
        ) from error


def _check_described(state: Mapping[str, Tensor], card: ModelCard) -> None:
    """Compare weights with the network of their card, without memory for it: the card may claim any size."""
    with torch.device("meta"):
        described = _built(card)
    own = {name: tuple(x.shape) for name, x in described.state_dict().items()}
    computed = {name: own[name] for name in _table_names(described) if name not in state}
    given = {name: tuple(x.shape) for name, x in state.items()}
    check_shapes(own, {**computed, **given}, what=f"the weights of '{card.name}'")


def _without_tables(model: nn.Module) -> dict[str, Tensor]:
    tables = _tables(model)
    return {
        name: x
        for name, x in model.state_dict().items()
        if name not in tables or not torch.equal(x.cpu(), tables[name])
    }


def _tables(model: nn.Module) -> Mapping[str, Tensor]:
    """Compute the fixed position tables of a network, by key."""
    modules = dict(model.named_modules())
    tables: dict[str, Tensor] = {}
    for key in _table_names(model):
        part = modules[key.removesuffix(".pos_embed")]
        tables[key] = position_table(part.get_buffer("pos_embed").shape[-1], part.built_grid)
    return tables


def _table_names(model: nn.Module) -> list[str]:
    parts = model.named_modules()
    return [f"{name}.pos_embed" for name, x in parts if "pos_embed" in x._buffers and hasattr(x, "built_grid")]
