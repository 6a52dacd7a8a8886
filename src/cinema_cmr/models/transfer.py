"""What a pre-trained autoencoder hands on to a network with a task: its stems and its encoder."""

from __future__ import annotations

from torch import nn

from cinema_cmr.core.errors import WeightsError
from cinema_cmr.models.states import check_shapes

__all__ = ["take_encoder"]

_PARTS = ("enc_down_dict", "encoder")


def take_encoder(model: nn.Module, autoencoder: nn.Module) -> list[str]:
    """Put the autoencoder's stems and encoder into `model`, whose other parts stay; returns the names it took.

    Views of which the autoencoder knows nothing keep their stem. Position tables are built for a size and stay
    `model`'s own. Raises `WeightsError` where the model has no such encoder, shares no view, or is of other sizes.
    """
    own, given = model.state_dict(), autoencoder.state_dict()
    wanted = [name for name in own if name.split(".")[0] in _PARTS and not name.endswith("pos_embed")]
    taken = [name for name in wanted if name in given or name.startswith("encoder.")]
    if not any(name.startswith("enc_down_dict.") for name in taken):
        raise WeightsError(
            f"the pre-trained weights have the views {_views(list(given))}, the network"
            f" {_views(list(own)) or 'no such stem'}; expected one in common: choose a recipe of its views"
        )
    shapes = [{name: tuple(state[name].shape) for name in taken if name in state} for state in (own, given)]
    check_shapes(*shapes, what="the pre-trained encoder's weights")
    model.load_state_dict({name: given[name] for name in taken}, strict=False)
    return taken


def _views(names: list[str]) -> list[str]:
    return sorted({name.split(".")[1] for name in names if name.startswith("enc_down_dict.")})
