"""Our models in the published layout: one .safetensors file a member and one YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.architectures import config_from_values
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.published.config import card_of
from cinema_cmr.models.published.load import CONFIG_FILE
from cinema_cmr.models.states import replacing, write_state
from cinema_cmr.models.stem import StemConfig
from cinema_cmr.models.vit import SIZES, VitConfig

__all__ = ["export_published", "published_config"]


def export_published(loaded: LoadedModel, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write `<folder>/<folder's name>_<seed>.safetensors` for each member, and the YAML; returns the files.

    Raises `WeightsError` where the published layout cannot say what the model is, and `OutputExistsError`
    where a file is there and `overwrite` is False.
    """
    members = list(loaded.members.values())
    config = published_config(members[0].card)
    if any(dict(member.card.config) != dict(members[0].card.config) for member in members):
        raise WeightsError(
            f"the members of '{loaded.card.name}' differ in configuration; expected seeds of one network: "
            "share the folder of weights and card instead"
        )
    written = []
    for seed, member in enumerate(members):
        path = folder / f"{folder.name}_{seed}.safetensors"
        write_state(path, member.model.state_dict(), overwrite=overwrite)
        written.append(path)
    with replacing(folder / CONFIG_FILE, overwrite=overwrite) as sibling:
        sibling.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return [*written, folder / CONFIG_FILE]


def published_config(card: ModelCard) -> dict[str, Any]:
    """The settings that the published layout has for this model.

    They are read back and compared, so that what the layout cannot say is refused with `WeightsError`, not
    lost.
    """
    own = _own_config(card)
    config = _described(card, own)
    back = card_of(config, name=card.name)
    lost = [
        name
        for name, kept in (
            ("architecture", back.architecture == card.architecture),
            ("task", back.task == card.task),
            ("outputs", back.outputs == card.outputs),
            ("grids", dict(back.grids) == dict(card.grids)),
            ("config", _own_config(back) == own),
        )
        if not kept
    ]
    if lost:
        raise WeightsError(
            f"the published layout has no word for the {', '.join(lost)} of '{card.name}'; "
            "expected a model of the published family: share the folder of weights and card instead"
        )
    return config


def _own_config(card: ModelCard) -> Any:
    try:
        return config_from_values(card.architecture, card.config)
    except UsageError as error:
        raise WeightsError(f"the card of '{card.name}' cannot be used: {error}") from error


def _described(card: ModelCard, own: Any) -> dict[str, Any]:
    if card.architecture not in ("cinema_mae", "conv_vit", "conv_unetr"):
        raise WeightsError(
            f"'{card.name}' is a {card.architecture}; the published layout knows cinema_mae, conv_vit, conv_unetr"
        )
    views = [view.value for view in card.grids]
    data = {_group(view): _grid(grid, own, view) for view, grid in card.grids.items()}
    stem = _stem(own.stem, "" if card.task == "pretrain" else "enc_")
    if card.task == "pretrain":
        return {"data": data, "model": {"size": _size(own.vit), "views": views, **stem}}
    kind = {"conv_vit": "convvit", "conv_unetr": "convunetr"}[card.architecture]
    network = {"size": _size(own.vit), **stem, "dropout": own.dropout, "drop_path": own.drop_path}
    if kind == "convunetr":
        factor = list(own.dec_scale_factor)
        network |= {"dec_chans": list(own.dec_chans), "dec_patch_size": factor, "dec_scale_factor": factor}
    return {
        "task": _task(card),
        "data": {"name": "landmark" if card.task == "landmark" else "cine", **data, **_target(card)},
        "model": {
            "name": kind,
            "views": views[0] if len(views) == 1 else views,
            "n_frames": 1,
            "out_chans": own.out_chans,
            kind: network,
        },
    }


def _task(card: ModelCard) -> str:
    if card.task == "landmark":
        return "regression" if card.architecture == "conv_vit" else "segmentation"
    return {"segment": "segmentation", "classify": "classification", "regress": "regression"}[card.task]


def _target(card: ModelCard) -> dict[str, Any]:
    if card.task == "classify":
        return {"class_column": "classes", "classes": list(card.outputs)}
    if card.task == "regress":
        (column,) = card.outputs
        scale = dict(card.training.get("target", {"mean": 0.0, "std": 1.0}))
        return {"regression_column": column, column: scale}
    return {}


def _grid(grid: Grid, own: Any, view: View) -> dict[str, Any]:
    size = list(own.image_sizes[view.value])
    spacing = [grid.spacing_mm, grid.spacing_mm]
    if len(size) == 3:
        # A model of true slices has no such spacing; the number here is then found out when read back.
        spacing.append(grid.slice_spacing_mm or 0.5 * grid.spacing_mm)
    return {"spacing": spacing, "patch_size": size, "in_chans": own.in_chans}


def _group(view: View) -> str:
    return "lax" if view.is_long_axis else "sax"


def _stem(stem: StemConfig, prefix: str) -> dict[str, Any]:
    return {
        f"{prefix}patch_size": list(stem.patch_size),
        f"{prefix}scale_factor": list(stem.scale_factor),
        "enc_conv_chans": list(stem.chans),
        "enc_conv_n_blocks": stem.n_blocks,
    }


def _size(vit: VitConfig) -> str:
    for name, known in SIZES.items():
        if known == vit:
            return name
    raise WeightsError(f"an encoder of {vit}; the published layout knows the sizes {', '.join(SIZES)} only")
