"""Models of our own in the published layout: one .safetensors file per network, and one YAML."""

from __future__ import annotations

from pathlib import Path

import yaml

from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.architectures import config_from_values
from cinema_cmr.models.convvit import ConvViTConfig
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.mae import CineMAConfig
from cinema_cmr.models.published.config import card_of, group_of
from cinema_cmr.models.published.layout import LANDMARK_DATA, task_of_card
from cinema_cmr.models.published.load import CONFIG_FILE
from cinema_cmr.models.states import replacing_folder, write_state
from cinema_cmr.models.stem import StemConfig
from cinema_cmr.models.unetr import ConvUNetRConfig
from cinema_cmr.models.vit import SIZES, VitConfig

__all__ = ["export_published", "published_config"]

Network = CineMAConfig | ConvViTConfig | ConvUNetRConfig
Facts = dict[str, object]


def export_published(loaded: LoadedModel, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write `<folder>/<folder's name>_<seed>.safetensors` for each network, and the YAML; return the files.

    Raises `WeightsError` if the published layout cannot describe the model, and `OutputExistsError` if a file exists
    and `overwrite` is False.
    """
    members = list(loaded.members.values())
    config = published_config(members[0].card)
    if any(dict(member.card.config) != dict(members[0].card.config) for member in members):
        raise WeightsError(
            f"the members of '{loaded.card.name}' differ in configuration; expected seeds of one network: "
            "share the folder of weights and card instead"
        )
    files = {f"{folder.name}_{seed}.safetensors": member.model for seed, member in enumerate(members)}
    with replacing_folder(folder, (CONFIG_FILE, *files), overwrite=overwrite) as draft:
        for name, model in files.items():
            write_state(draft / name, model.state_dict())
        (draft / CONFIG_FILE).write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return [folder / name for name in (*files, CONFIG_FILE)]


def published_config(card: ModelCard) -> Facts:
    """Return the settings of a model in the published layout.

    They are read back and compared; raises `WeightsError` for what the layout cannot express, so that nothing is lost.
    """
    network = _network(card)
    config = _settings(card, network)
    back = card_of(config, name=card.name)
    kept = {
        "architecture": back.architecture == card.architecture,
        "task": task_of_card(back) == task_of_card(card),
        "outputs": back.outputs == card.outputs,
        "grids": dict(back.grids) == dict(card.grids),
        "config": _network(back) == network,
    }
    lost = [name for name, is_kept in kept.items() if not is_kept]
    if lost:
        raise WeightsError(
            f"the published layout cannot express the {', '.join(lost)} of '{card.name}'; "
            "expected a model of the published family: share the folder of weights and card instead"
        )
    return config


def _network(card: ModelCard) -> Network:
    try:
        config = config_from_values(card.architecture, card.config)
    except UsageError as error:
        raise WeightsError(f"the card of '{card.name}' cannot be used: {error}") from error
    if not isinstance(config, Network):
        raise WeightsError(
            f"'{card.name}' is a {card.architecture}; expected cinema_mae, conv_vit or conv_unetr: "
            "the published layout has no others"
        )
    return config


def _settings(card: ModelCard, network: Network) -> Facts:
    views = [view.value for view in card.grids]
    data = {group_of(view): _grid(grid, network, view) for view, grid in card.grids.items()}
    if isinstance(network, CineMAConfig):
        return {"data": data, "model": {"size": _size(network.vit), "views": views, **_stem(network.stem, "")}}
    task = task_of_card(card)
    kind, settings = ("convunetr", _decoder(network)) if isinstance(network, ConvUNetRConfig) else ("convvit", {})
    encoder = {"size": _size(network.vit), **_stem(network.stem, "enc_")}
    return {
        "task": task.word,
        "data": {"name": LANDMARK_DATA if task.is_landmark else "cine", **data, **task.data(card)},
        "model": {
            "name": kind,
            "views": views[0] if len(views) == 1 else views,
            "n_frames": 1,
            "out_chans": network.out_chans,
            kind: {**encoder, "dropout": network.dropout, "drop_path": network.drop_path, **settings},
        },
    }


def _decoder(network: ConvUNetRConfig) -> Facts:
    factor = list(network.dec_scale_factor)
    return {"dec_chans": list(network.dec_chans), "dec_patch_size": factor, "dec_scale_factor": list(factor)}


def _grid(grid: Grid, network: Network, view: View) -> Facts:
    size = list(network.image_sizes[view.value])
    spacing = [grid.spacing_mm, grid.spacing_mm]
    if len(size) == 3:
        # A model of the acquired slices has no such spacing; this number then differs when read back.
        spacing.append(grid.slice_spacing_mm or 0.5 * grid.spacing_mm)
    return {"spacing": spacing, "patch_size": size, "in_chans": network.in_chans}


def _stem(stem: StemConfig, prefix: str) -> Facts:
    return {
        f"{prefix}patch_size": list(stem.patch_size),
        f"{prefix}scale_factor": list(stem.scale_factor),
        "enc_conv_chans": list(stem.chans),
        "enc_conv_n_blocks": stem.n_blocks,
    }


def _size(vit: VitConfig) -> str:
    for name, size in SIZES.items():
        if size == vit:
            return name
    raise WeightsError(f"an encoder of {vit}; expected one of the published sizes {', '.join(SIZES)}")
