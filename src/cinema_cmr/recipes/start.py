"""The weights that a run starts from."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.core.serialise import Json
from cinema_cmr.models.adapters import adapt
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.models.baselines import UNet2d, UNet2dConfig
from cinema_cmr.models.blocks.layers import checkpoint_activations
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.mae import CineMA
from cinema_cmr.models.transplant import transplant
from cinema_cmr.models.unetr import ConvUNetRConfig
from cinema_cmr.recipes.encoder_sizes import wrong_size_message
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.published_size import has_published_size
from cinema_cmr.recipes.registry import RECIPES, recipe
from cinema_cmr.tasks.segment import SegmentConfig

__all__ = ["first_network", "other_pixels", "with_sizes_of"]

_NOT_IN_THE_WEIGHTS = ("normalise_targets", "also")
"""Parts of a configuration that change no weights: the loss of an autoencoder, further views of the same network."""

_SAME_PIXELS = 0.05
_MEDIUM_MM = 2.0
"""Pixels of the preset `medium`, `recipes/presets.py`."""


def first_network(experiment: Experiment, start: LoadedModel | None) -> nn.Module:
    """Return the network as it is before the first step, drawn from the experiment's seed.

    `start` is a model of the experiment's architecture and configuration, an ensemble with such a member, or a
    pre-trained autoencoder, of which stems and encoder are taken, and the decoders of a network of the same shapes; an
    autoencoder may start from one of another grid. Raises `WeightsError` if it is none of these,
    `UsageError` if the experiment freezes an encoder of random weights.
    """
    if experiment.adaptation is not None and start is None:
        raise UsageError("a frozen encoder of random weights cannot learn; give weights to start from")
    torch.manual_seed(experiment.train.seed)
    network = build(experiment.architecture, config_values(experiment.network))
    if start is not None:
        _load_start(network, experiment, start)
    if experiment.adaptation is not None:
        adapt(network, experiment.adaptation)
    checkpoint_activations(network, experiment.train.activation_checkpointing)
    return network


def with_sizes_of(experiment: Experiment, start: LoadedModel | None) -> Experiment:
    """Return the experiment with sizes of the start where the recipe's own would leave its weights behind.

    That is the decoder of an autoencoder that was pre-trained with lessons, for a ConvUNetR of the same views, the
    channels of a U-Net, for one of the recipe's own channels, and the atria of a U-Net that has them beside the
    structures of the recipe.
    """
    network = experiment.network
    if start is None:
        return experiment
    if isinstance(network, ConvUNetRConfig) and isinstance(start.model, CineMA):
        return replace(experiment, network=_with_decoder_of(network, start.model))
    if isinstance(network, UNet2dConfig) and isinstance(start.model, UNet2d) and _is_own_size(experiment):
        sizes = start.model.config
        experiment = replace(experiment, network=replace(network, chans=sizes.chans, across=sizes.across))
    return _with_atria_of(experiment, start)


def _with_atria_of(experiment: Experiment, start: LoadedModel) -> Experiment:
    network, task = experiment.network, experiment.task
    if not (isinstance(network, UNet2dConfig) and isinstance(task, SegmentConfig)):
        return experiment
    if (task.label_scheme, start.card.label_scheme) != ("cine", "chambers"):
        return experiment
    task = replace(task, label_scheme=start.card.label_scheme)
    return replace(experiment, task=task, network=replace(network, out_chans=task.n_classes))


def _with_decoder_of(network: ConvUNetRConfig, source: CineMA) -> ConvUNetRConfig:
    if source.mask_decoders is None or set(network.image_sizes) != set(source.mask_decoders.decoder_dict):
        return network
    sizes = source.mask_decoders.sizes
    return replace(
        network, dec_chans=sizes.dec_chans, dec_scale_factor=sizes.dec_scale_factor, dec_kernel=sizes.dec_kernel
    )


def _is_own_size(experiment: Experiment) -> bool:
    """Whether the U-Net has the channels of its recipe, neither set otherwise nor by a preset."""
    own = recipe(experiment.name).network if experiment.name in RECIPES else None
    network = experiment.network
    return (
        isinstance(own, UNet2dConfig)
        and isinstance(network, UNet2dConfig)
        and (own.chans, own.across) == (network.chans, network.across)
    )


def other_pixels(experiment: Experiment, start: LoadedModel | None) -> str:
    """Return what to say where a start has seen pixels of another size than the run shows; empty where it has not."""
    if start is None:
        return ""
    task = experiment.task
    grids = getattr(task, "grids", None) or {getattr(task, "view", None): getattr(task, "grid", None)}
    for view, grid in grids.items():
        seen = start.card.grids.get(view)
        if seen is not None and grid is not None and abs(seen.spacing_mm / grid.spacing_mm - 1) > _SAME_PIXELS:
            way = ": --preset medium shows 2 mm" if seen.spacing_mm == _MEDIUM_MM else ""
            return (
                f"the start '{start.card.name}' has seen pixels of {seen.spacing_mm:g} mm, this run shows"
                f" {grid.spacing_mm:g} mm, where its filters see hearts of another size{way}"
            )
    return ""


def _load_start(network: nn.Module, experiment: Experiment, start: LoadedModel) -> None:
    wanted = (experiment.architecture, _shape_values(config_values(experiment.network)))
    for member in start.members.values():
        if (member.card.architecture, _shape_values(_values_of(member))) == wanted:
            network.load_state_dict(member.model.state_dict())
            return
    if _load_ventricles(network, experiment, start):
        return
    if isinstance(start.model, CineMA) and isinstance(network, CineMA) and _same_parts(network, start.model):
        network.load_state_dict(_without_tables(start.model), strict=False)
        return
    if isinstance(start.model, CineMA) and not isinstance(network, CineMA):
        try:
            transplant(start.model.state_dict(), network)
        except WeightsError as error:
            if not has_published_size(experiment):  # no encoder at all: the message says so
                raise
            raise WeightsError(wrong_size_message(start.model, start.card.name, experiment)) from error
        return
    raise WeightsError(
        f"weights '{start.card.name}' are of {start.card.architecture} in another size than recipe"
        f" '{experiment.name}' ({experiment.architecture}); choose the recipe and the preset they were"
        " made with"
    )


def _load_ventricles(network: nn.Module, experiment: Experiment, start: LoadedModel) -> bool:
    """Load a U-Net of a cine's structures into one of all chambers, whose last layer keeps its own atria."""
    if not (isinstance(network, UNet2d) and isinstance(start.model, UNet2d)):
        return False
    alike = replace(start.model.config, out_chans=network.config.out_chans)
    if _shape_values(config_values(alike)) != _shape_values(config_values(network.config)):
        return False
    task = experiment.task
    if not isinstance(task, SegmentConfig) or (start.card.label_scheme, task.label_scheme) != ("cine", "chambers"):
        return False
    state = network.state_dict()
    for name, weights in start.model.state_dict().items():
        state[name][: len(weights)] = weights
    return True


def _same_parts(network: CineMA, start: CineMA) -> bool:
    """Whether two autoencoders differ at most in their grids, and in whether they decode masks."""
    own, given = network.config.masks, start.config.masks
    if own is not None and given is not None and own != given:
        return False
    theirs = replace(start.config, image_sizes=network.config.image_sizes, masks=own)
    same = _shape_values(config_values(theirs)) == _shape_values(config_values(network.config))
    return same and set(start.views) == set(network.views)


def _without_tables(start: CineMA) -> dict[str, torch.Tensor]:
    """Return weights without the position tables, which are computed for each grid.

    Decoders that the network has not are among them; `strict=False` leaves them out.
    """
    return {name: weight for name, weight in start.state_dict().items() if not name.endswith("pos_embed")}


def _values_of(model: LoadedModel) -> dict[str, Json]:
    """Return a model's configuration with its defaults, or that of the card if the network keeps none."""
    config = getattr(model.model, "config", None)
    return dict(model.card.config) if config is None else config_values(config)


def _shape_values(values: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in values.items() if name not in _NOT_IN_THE_WEIGHTS}
