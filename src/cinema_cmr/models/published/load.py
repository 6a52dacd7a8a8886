"""Load published models: a weights file or a folder of seeds with its YAML, or a name on the hub."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.models.architectures import build
from cinema_cmr.models.loaded import LoadedModel, join
from cinema_cmr.models.published.config import card_of
from cinema_cmr.models.published.hub import fetch
from cinema_cmr.models.published.registry import published_files
from cinema_cmr.models.published.settings import read_config
from cinema_cmr.models.states import check_shapes, fill, hash_of, is_pickle, read_state

__all__ = ["CONFIG_FILE", "load_hub", "load_published"]

CONFIG_FILE = "config.yaml"


def load_published(path: Path) -> LoadedModel:
    """Load a published .safetensors file, or a folder of them as an ensemble of seeds.

    Every key and shape must match; raises `WeightsError` otherwise.
    """
    if path.is_dir():
        files = sorted(path.glob("*.safetensors"))
        if not files:
            found = next((f", only the pickle '{file.name}'" for file in sorted(path.iterdir()) if is_pickle(file)), "")
            raise WeightsError(
                f"'{path.name}' holds no model{found}; expected card.json and weights.safetensors, "
                f"or published .safetensors files with {CONFIG_FILE}"
            )
        return _load(files, path / CONFIG_FILE, name=path.name)
    return _load([path], path.parent / CONFIG_FILE, name=path.stem)


def load_hub(name: str) -> LoadedModel:
    """Load a published model by a name such as "hf:mathpluscode/CineMA/finetuned/segmentation/acdc_sax".

    The name of a folder gives the ensemble of its seeds, the name of a file one seed. Files that are not on this
    machine are fetched; raises `WeightsError` for an unknown name or if they cannot be fetched.
    """
    try:
        model, files = published_files(name)
    except UsageError as error:
        raise WeightsError(str(error)) from error
    config_file = fetch(model.config_file)
    short = model.name if files == model.files else files[0].removesuffix(".safetensors")
    loaded = _load([fetch(file) for file in files], config_file, name=short)
    source = {"data": model.data, "source": model.hub_name, "revision": model.revision}
    card = replace(loaded.card, licence=model.licence, training={**loaded.card.training, **source})
    return LoadedModel(model=loaded.model, card=card)


def _load(files: Sequence[Path], config_file: Path, *, name: str) -> LoadedModel:
    card = card_of(read_config(config_file), name=name)
    hashes = [hash_of(file) for file in files]
    members = [{"file": file.name, "sha256": found} for file, found in zip(files, hashes, strict=True)]
    # The hash of several files is that of their hashes in order.
    whole = hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
    card = replace(card, weights_sha256=whole, training={**card.training, "members": members})
    return join({str(seed): _load_file(file, card) for seed, file in enumerate(files)}, card)


def _load_file(file: Path, card: ModelCard) -> LoadedModel:
    state, what = read_state(file), f"the weights in '{file.name}'"
    try:
        with torch.device("meta"):  # without memory for it: the configuration may claim any size
            described = build(card.architecture, card.config)
        own, given = ({name: tuple(x.shape) for name, x in each.items()} for each in (described.state_dict(), state))
        check_shapes(own, given, what=what)
        model = build(card.architecture, card.config)
    except UsageError as error:
        raise WeightsError(f"'{file.name}': {error}") from error
    fill(model, state, what=what)
    return LoadedModel(model=model.eval(), card=card)
