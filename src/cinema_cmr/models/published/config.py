"""The configuration file of a published model, read as our own configuration and card (docs/weights.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml

from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.core.vocabulary import CINE_LABELS, LANDMARKS, View
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.convvit import ConvViTConfig
from cinema_cmr.models.mae import CineMAConfig
from cinema_cmr.models.stem import StemConfig
from cinema_cmr.models.unetr import ConvUNetRConfig
from cinema_cmr.models.vit import vit_size

__all__ = ["card_of", "read_config"]

Task = Literal["segment", "landmark", "classify", "regress", "pretrain"]
_MISSING = object()


def read_config(path: Path) -> dict[str, Any]:
    """The YAML as plain values; raises `WeightsError` where it is missing or no mapping."""
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WeightsError(
            f"no '{path.name}' beside the weights in '{path.parent.name}'; expected the YAML published with them"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise WeightsError(f"'{path.name}' is not YAML ({error}); fetch it again") from error
    if not isinstance(config, dict):
        raise WeightsError(f"'{path.name}' holds a {type(config).__name__}; expected a mapping of settings")
    return config


def card_of(config: Mapping[str, Any], *, name: str) -> ModelCard:
    """The card, with architecture and configuration, of a published model.

    Of a regression, the scale of its answer stands in `training["target"]`. Raises `WeightsError` where the
    settings are missing or describe what this package does not build.
    """
    try:
        return _card_of(config, name)
    except UsageError as error:
        raise WeightsError(f"the configuration of '{name}' cannot be used: {error}") from error


def _card_of(config: Mapping[str, Any], name: str) -> ModelCard:
    task = _task(config)
    views = _views(config)
    outputs = _outputs(config, task, views)
    architecture, values = _architecture(config, task, views, len(outputs))
    training = {"data": str(_value(config, "data.name", "unlabelled cine images")), "source": "published"}
    if task == "regress":
        column = _value(config, "data.regression_column")
        scale = {key: float(_value(config, f"data.{column}.{key}")) for key in ("mean", "std")}
        training = {**training, "target": scale}  # type: ignore[dict-item]
    return ModelCard(
        name=name,
        task=task,
        architecture=architecture,
        config=config_values(values),
        grids={view: _grid(config, view) for view in views},
        outputs=outputs,
        training=training,
    )


def _task(config: Mapping[str, Any]) -> Task:
    word = _value(config, "task", "pretrain")
    if word in ("segmentation", "regression") and _value(config, "data.name", "") == "landmark":
        return "landmark"
    known: dict[str, Task] = {
        "pretrain": "pretrain",
        "segmentation": "segment",
        "classification": "classify",
        "regression": "regress",
    }
    if word not in known:
        raise UsageError(f"task is '{word}'; expected one of {sorted(known)}")
    return known[word]


def _views(config: Mapping[str, Any]) -> list[View]:
    views = _value(config, "model.views")
    names = [views] if isinstance(views, str) else list(views)
    unknown = [name for name in names if name not in {view.value for view in View}]
    if unknown or not names:
        raise UsageError(f"model.views is {views!r}; expected names among sax, lax_2c, lax_3c, lax_4c")
    return [View(name) for name in names]


def _outputs(config: Mapping[str, Any], task: Task, views: Sequence[View]) -> tuple[str, ...]:
    n_outputs = _value(config, "model.out_chans", None)
    if task == "pretrain":
        return ()
    if task == "classify":
        names: tuple[str, ...] = tuple(str(c) for c in _value(config, f"data.{_value(config, 'data.class_column')}"))
    elif task == "regress":
        names = (str(_value(config, "data.regression_column")),)
    elif task == "segment":
        names = ("background", *(label.name for label in CINE_LABELS))
    else:
        names = LANDMARKS.get(views[0], ())
        if _value(config, "task") == "regression":
            names = tuple(f"{name}_{axis}" for name in names for axis in "xy")
    if n_outputs is not None and n_outputs != len(names):
        raise UsageError(f"model.out_chans is {n_outputs}; expected {len(names)} for {', '.join(names)}")
    return names


def _architecture(
    config: Mapping[str, Any], task: Task, views: Sequence[View], n_outputs: int
) -> tuple[str, CineMAConfig | ConvViTConfig | ConvUNetRConfig]:
    sizes = {view.value: tuple(_list(config, f"data.{_group(view)}.patch_size", int)) for view in views}
    if task == "pretrain":
        size, chans = vit_size(_value(config, "model.size")), _in_chans(config, views)
        stem = _stem(config, "model", "")
        return "cinema_mae", CineMAConfig(image_sizes=sizes, vit=size, stem=stem, in_chans=chans)
    kind = _value(config, "model.name")
    if kind not in ("convunetr", "convvit"):
        raise UsageError(f"model.name is '{kind}'; expected convunetr or convvit")
    place = f"model.{kind}"
    shared: dict[str, Any] = {
        "image_sizes": sizes,
        "out_chans": n_outputs,
        "in_chans": _in_chans(config, views),
        "stem": _stem(config, place, "enc_"),
        "dropout": float(_value(config, f"{place}.dropout", 0.1)),
        "drop_path": float(_value(config, f"{place}.drop_path", 0.1)),
    }
    vit = vit_size(_value(config, f"{place}.size"))
    if kind == "convvit":
        return "conv_vit", ConvViTConfig(vit=vit, **shared)
    factor = _list(config, f"{place}.dec_scale_factor", int)
    if _list(config, f"{place}.dec_patch_size", int) != factor:
        raise UsageError(f"{place}: dec_patch_size differs from dec_scale_factor {factor}; expected the same")
    x, y, z = factor
    dec_chans = tuple(_list(config, f"{place}.dec_chans", int))
    return "conv_unetr", ConvUNetRConfig(vit=vit, dec_chans=dec_chans, dec_scale_factor=(x, y, z), **shared)


def _stem(config: Mapping[str, Any], place: str, prefix: str) -> StemConfig:
    px, py, pz = _list(config, f"{place}.{prefix}patch_size", int)
    sx, sy, sz = _list(config, f"{place}.{prefix}scale_factor", int)
    return StemConfig(
        patch_size=(px, py, pz),
        scale_factor=(sx, sy, sz),
        chans=tuple(_list(config, f"{place}.enc_conv_chans", int)),
        n_blocks=int(_value(config, f"{place}.enc_conv_n_blocks")),
    )


def _in_chans(config: Mapping[str, Any], views: Sequence[View]) -> int:
    frames = int(_value(config, "model.n_frames", 1))
    found = {frames * int(_value(config, f"data.{_group(view)}.in_chans")) for view in views}
    if len(found) != 1:
        raise UsageError(f"views of {sorted(found)} channels in one model; expected as many in each")
    return found.pop()


def _grid(config: Mapping[str, Any], view: View) -> Grid:
    group = _group(view)
    spacing = _list(config, f"data.{group}.spacing", float)
    size = _list(config, f"data.{group}.patch_size", int)
    if spacing[0] != spacing[1]:
        raise UsageError(f"data.{group}.spacing is {spacing}; expected the same along x and y")
    if view.is_long_axis:
        return Grid(spacing_mm=spacing[0], size=(size[0], size[1]))
    return Grid(spacing_mm=spacing[0], size=(size[0], size[1]), slice_spacing_mm=spacing[2], n_slices=size[2])


def _group(view: View) -> str:
    return "lax" if view.is_long_axis else "sax"


def _list(config: Mapping[str, Any], place: str, kind: type[Any]) -> list[Any]:
    value = _value(config, place)
    if not isinstance(value, list) or not all(isinstance(item, int | float) for item in value):
        raise UsageError(f"{place} is {value!r}; expected a list of numbers")
    return [kind(item) for item in value]


def _value(config: Mapping[str, Any], place: str, default: Any = _MISSING) -> Any:
    """The setting at "a.b.c"; the default, if there is one, also stands in for null."""
    value: Any = config
    for key in place.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    if value is None:
        if default is _MISSING:
            raise UsageError(f"it lacks {place}")
        return default
    return value
