"""Starting a fine-tuning model from a pre-trained autoencoder (docs/weights.md)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from cinema_cmr.core.errors import WeightsError
from cinema_cmr.models.convvit import ConvViT
from cinema_cmr.models.states import check_shapes
from cinema_cmr.models.unetr import ConvUNetR

__all__ = ["SHARED_PARTS", "transplant"]

SHARED_PARTS = ("enc_down_dict.", "enc_fusion_dict.", "encoder.")
"""How the names of stems, fusion and encoder begin, in an autoencoder and in what starts from it."""

_FIRST_CONVOLUTION = "conv_blocks.0.patch_embed.conv.weight"


def transplant(pretrained: Mapping[str, Tensor], model: nn.Module) -> list[str]:
    """Put the stems and the encoder (and, for a ConvViT, the fusion) of an autoencoder into `model`.

    Only the views that the model has are taken; its own position tables and heads stay. Where the model sees k
    channels and the autoencoder saw one, the first convolution is repeated k times, not divided, as the published
    models were started. Returns the keys that were taken. Raises `WeightsError` that names whatever is missing or
    of another shape; the model is then untouched.
    """
    if not isinstance(model, ConvViT | ConvUNetR):
        raise WeightsError(
            f"a {type(model).__name__} has no encoder that can start from a pre-trained one; expected a ConvViT or"
            " ConvUNetR: give a recipe that has one, e.g. --recipe sax-unetr"
        )
    wanted = {name: tuple(x.shape) for name, x in model.state_dict().items() if _is_shared(name)}
    taken = {name: _widened(name, pretrained[name], wanted[name]) for name in wanted if name in pretrained}
    shapes = {name: tuple(x.shape) for name, x in taken.items()}
    check_shapes(wanted, shapes, what="the pre-trained weights")
    model.load_state_dict(taken, strict=False)
    return list(taken)


def _is_shared(name: str) -> bool:
    return name.startswith(SHARED_PARTS) and not name.endswith("pos_embed")


def _widened(name: str, weight: Tensor, wanted: tuple[int, ...]) -> Tensor:
    if name.endswith(_FIRST_CONVOLUTION) and weight.shape[1] == 1:
        return weight.repeat(1, wanted[1], *(1,) * (weight.ndim - 2))
    return weight
