"""Initialise a fine-tuning model from a pre-trained autoencoder (docs/weights.md)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from cinema_cmr.core.errors import WeightsError
from cinema_cmr.models.convvit import ConvViT
from cinema_cmr.models.states import check_shapes
from cinema_cmr.models.unetr import ConvUNetR

__all__ = ["SHARED_PARTS", "transplant"]

SHARED_PARTS = ("enc_down_dict.", "enc_fusion_dict.", "encoder.")
"""Prefixes of the keys of stems, fusion and encoder, in an autoencoder and in a fine-tuning model."""

_DECODERS = "mask_decoders."
"""Prefix of an autoencoder's decoders of structures; a ConvUNetR has the same keys without it."""

_HEADS = "pred_head_dict."

_FIRST_CONVOLUTION = "conv_blocks.0.patch_embed.conv.weight"


def transplant(pretrained: Mapping[str, Tensor], model: nn.Module) -> list[str]:
    """Copy the stems and the encoder (and, for a ConvViT, the fusion) of an autoencoder into `model`.

    Only the views of the model are copied; its position tables and heads stay. Where the autoencoder was pre-trained
    with lessons and the model is a ConvUNetR with decoders of the same shapes, these are copied too, heads included
    where they have as many outputs. For a model of k channels and an
    autoencoder of one, the first convolution is repeated k times, not divided, as for the published models. Returns
    the copied keys. Raises `WeightsError`, naming keys that are missing or of another shape; the model is then
    unchanged.
    """
    if not isinstance(model, ConvViT | ConvUNetR):
        raise WeightsError(
            f"a {type(model).__name__} has no encoder to initialise; expected a ConvViT or ConvUNetR:"
            " choose a recipe with one, e.g. --recipe sax-unetr"
        )
    wanted = {name: tuple(x.shape) for name, x in model.state_dict().items() if _is_shared(name)}
    taken = {name: _widened(name, pretrained[name], wanted[name]) for name in wanted if name in pretrained}
    shapes = {name: tuple(x.shape) for name, x in taken.items()}
    check_shapes(wanted, shapes, what="the pre-trained weights")
    taken |= _decoders(pretrained, model)
    model.load_state_dict(taken, strict=False)
    return list(taken)


def _decoders(pretrained: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Return the decoders' weights under the model's keys; none unless all but the heads have the model's shapes."""
    found = {name.removeprefix(_DECODERS): x for name, x in pretrained.items() if name.startswith(_DECODERS)}
    if not found:
        return {}
    own = {name: tuple(x.shape) for name, x in model.state_dict().items()}
    views = {_view_of(name) for name in found}
    wanted = {n: s for n, s in own.items() if not n.startswith((*SHARED_PARTS, _HEADS)) and _view_of(n) in views}
    if any(name not in found or tuple(found[name].shape) != shape for name, shape in wanted.items()):
        return {}
    return {name: x for name, x in found.items() if own.get(name) == tuple(x.shape)}


def _is_shared(name: str) -> bool:
    return name.startswith(SHARED_PARTS) and not name.endswith("pos_embed")


def _widened(name: str, weight: Tensor, wanted: tuple[int, ...]) -> Tensor:
    if name.endswith(_FIRST_CONVOLUTION) and weight.shape[1] == 1:
        return weight.repeat(1, wanted[1], *(1,) * (weight.ndim - 2))
    return weight


def _view_of(name: str) -> str:
    """Return the second part of a key, which of a decoder's is the view; empty for a parameter at the root."""
    return name.partition(".")[2].partition(".")[0]
