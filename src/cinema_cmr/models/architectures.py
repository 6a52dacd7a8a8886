"""Registry of architectures: the networks that a model card's `architecture` and `config` describe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from cinema_cmr.core.errors import UsageError, unknown_name
from cinema_cmr.core.plugins import load_plugin, plugin_names
from cinema_cmr.core.serialise import Json, from_dict, to_dict
from cinema_cmr.models.baselines import UNet2d, UNet2dConfig
from cinema_cmr.models.convvit import ConvViT, ConvViTConfig
from cinema_cmr.models.ensemble import Ensemble, EnsembleConfig
from cinema_cmr.models.mae import CineMA, CineMAConfig
from cinema_cmr.models.resnet import ResNet, ResNetConfig
from cinema_cmr.models.unetr import ConvUNetR, ConvUNetRConfig

__all__ = ["ARCHITECTURES", "Architecture", "build", "config_from_values", "config_values"]


_MAX_SIZE = 8192
"""Largest whole number in a configuration: widths and image sizes are at most 1280 today."""
_MAX_PARTS = 64
"""Members of an ensemble, views, levels."""
_DEPTHS = ("depth", "dec_depth", "n_blocks")
_MAX_DEPTH = 256


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A configuration class and the network built from it."""

    config: type[Any]
    """Frozen dataclass of plain values and other such dataclasses."""
    network: Callable[[Any], nn.Module]


def _ensemble(config: EnsembleConfig) -> Ensemble:
    members = {name: build(member.architecture, member.config) for name, member in config.members.items()}
    return Ensemble(members, config.output_kind)


ARCHITECTURES: dict[str, Architecture] = {
    "conv_unetr": Architecture(config=ConvUNetRConfig, network=ConvUNetR),
    "conv_vit": Architecture(config=ConvViTConfig, network=ConvViT),
    "cinema_mae": Architecture(config=CineMAConfig, network=CineMA),
    "unet2d": Architecture(config=UNet2dConfig, network=UNet2d),
    "resnet": Architecture(config=ResNetConfig, network=ResNet),
    "ensemble": Architecture(config=EnsembleConfig, network=_ensemble),
}
"""Architectures by the name used in cards. To add one: a module with a config and a network, and a line here; in a
package of one's own, an entry point of the group `cinema_cmr.architectures` that names an `Architecture`."""


def build(architecture: str, config: Mapping[str, Json]) -> nn.Module:
    """Build a network, freshly initialised, from an architecture's name and plain configuration values.

    Raises `UsageError` for an unknown architecture and for unknown, missing or ill-typed keys.
    """
    return _architecture(architecture).network(config_from_values(architecture, config))


def config_from_values(architecture: str, values: object) -> Any:
    """Return an architecture's config, of its own class, from plain values; errors as in `build`."""
    _check_sizes(values, f"config of '{architecture}'")
    return from_dict(_architecture(architecture).config, values, f"config of '{architecture}'")


def config_values(config: Any) -> dict[str, Json]:
    """Return an architecture's config as plain values, as stored in a card's `config`."""
    return to_dict(config, "config")


def _check_sizes(values: object, place: str) -> None:
    """Raise `UsageError` for sizes, depths and lists that no network of ours has, before anything is built of them."""
    if isinstance(values, int) and values > _MAX_SIZE:
        raise UsageError(f"{place} is {values:.4g}; expected at most {_MAX_SIZE}")
    if isinstance(values, list | tuple | Mapping) and len(values) > _MAX_PARTS:
        raise UsageError(f"{place} has {len(values)} parts; expected at most {_MAX_PARTS}")
    if isinstance(values, Mapping):
        for name, value in values.items():
            _check_sizes(value, f"{place}.{name}")
            if name in _DEPTHS and isinstance(value, int) and value > _MAX_DEPTH:
                raise UsageError(f"{place}.{name} is {value}; expected at most {_MAX_DEPTH}")
    elif isinstance(values, list | tuple):
        for value in values:
            _check_sizes(value, place)


def _architecture(name: str) -> Architecture:
    if name not in ARCHITECTURES:
        found = load_plugin("architectures", name, Architecture)
        if found is None:
            raise unknown_name("architecture", name, (*ARCHITECTURES, *plugin_names("architectures")))
        return found
    return ARCHITECTURES[name]
