"""The masked autoencoder written plainly: every position computed, masked ones set to zero.

The other side of `pretrain_step.py`, none of the package's own layers in it. The definition is that of MODEL
(arXiv 2506.00679): convolutions in PyTorch's own layout, the mask multiplied in before each depthwise one, all
tokens made and then the masked ones dropped, the class token among the decoder's queries.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor
from torch.nn import functional as F

from cinema_cmr.models.mae import CineMAConfig

__all__ = ["plain_loss", "plain_stem"]

Parameters = Mapping[str, Tensor]


def plain_loss(
    p: Parameters, config: CineMAConfig, images: Mapping[str, Tensor], masks: Mapping[str, Tensor]
) -> Tensor:
    """The loss of `CineMA.reconstruct`; masks are True where masked."""
    heads = config.vit.heads
    stems = {view: plain_stem(p, config, view, images[view], masks[view]) for view in images}
    x = torch.cat(
        [
            p["encoder.cls_token"].expand(len(next(iter(images.values()))), -1, -1),
            *[t for t, _ in stems.values()],
        ],
        1,
    )
    for i in range(config.vit.depth):
        x = _block(p, f"encoder.blocks.{i}", x, None, heads)
    x = _norm(p, "encoder.norm", x, 1e-5)
    cls, *encoded = x.split([1, *[t.shape[1] for t, _ in stems.values()]], 1)
    keys, queries = [], [_linear(p, "dec_linear", cls)]
    for (view, (_, levels)), tokens in zip(stems.items(), encoded, strict=True):
        fused = _linear(p, "dec_linear", _fused(p, view, tokens, levels, masks[view]))
        place = p[f"dec_embed_dict.{view}.pos_embed"].expand(len(fused), -1, -1)
        keys.append(fused + _rows(place, ~masks[view]))
        queries.append(p[f"dec_embed_dict.{view}.mask_token"] + _rows(place, masks[view]))
    y, context = torch.cat(queries, 1), torch.cat(keys, 1)
    for i in range(config.vit.dec_depth):
        y = _block(p, f"decoder.blocks.{i}", y, context, config.vit.dec_heads)
    y = _norm(p, "decoder.norm", y, 1e-5)
    parts = y.split([q.shape[1] for q in queries], 1)[1:]
    losses = []
    for view, part in zip(images, parts, strict=True):
        target = _rows(_patches(images[view], config.stem.strides[-1]), masks[view])
        losses.append(F.mse_loss(_linear(p, f"pred_head_dict.{view}", part).float(), target))
    return torch.stack(losses).mean()


def plain_stem(
    p: Parameters, config: CineMAConfig, view: str, image: Tensor, mask: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Visible tokens (b, k, d) of one view, and its levels as images (b, c, x, y[, z])."""
    n_axes = image.ndim - 2
    token = config.stem.strides[-1][:n_axes]
    seen = (~mask).float().reshape(len(mask), 1, *[n // s for n, s in zip(image.shape[2:], token, strict=True)])
    x, levels = image, []
    for i, stride in enumerate(config.stem.strides[:-1]):
        name = f"enc_down_dict.{view}.conv_blocks.{i}"
        x = _convolved(p, f"{name}.patch_embed.conv", x, stride=config.stem.level_sizes[i][:n_axes])
        x = F.gelu(_channel_norm(p, f"{name}.patch_embed.norm", x))
        m = seen
        for axis, (a, b) in enumerate(zip(token, stride, strict=False)):
            m = m.repeat_interleave(a // b, axis + 2)
        for j in range(config.stem.n_blocks):
            x = _conv_block(p, f"{name}.conv.{j}", x, m)
        levels.append(x)
    name = f"enc_down_dict.{view}"
    tokens = _linear(p, f"{name}.patch_embed.proj", _patches(x, config.stem.level_sizes[-1]))
    tokens = _linear(p, f"{name}.linear", tokens) + p[f"{name}.pos_embed"]
    return _rows(tokens, ~mask), levels


def _conv_block(p: Parameters, name: str, x: Tensor, m: Tensor) -> Tensor:
    y = _convolved(p, f"{name}.conv1", _channel_norm(p, f"{name}.norm1", x)) * m
    weight = p[f"{name}.dw_conv.weight"]
    y = _conv(y)(y, weight, p[f"{name}.dw_conv.bias"], padding="same", groups=len(weight))
    x = x + _convolved(p, f"{name}.conv2", y)
    y = F.gelu(_convolved(p, f"{name}.mlp.fc1", _channel_norm(p, f"{name}.norm2", x)))
    return x + _convolved(p, f"{name}.mlp.fc2", y)


def _fused(p: Parameters, view: str, tokens: Tensor, levels: list[Tensor], mask: Tensor) -> Tensor:
    for i, level in enumerate(levels):
        name = f"enc_fusion_dict.{view}.down_convs.{i}"
        down = _convolved(p, name, level, stride=p[f"{name}.weight"].shape[2:])
        tokens = tokens + _rows(down.flatten(2).transpose(1, 2), ~mask)
    return _norm(p, f"enc_fusion_dict.{view}.norm", tokens, 1e-5)


def _block(p: Parameters, name: str, x: Tensor, context: Tensor | None, heads: int) -> Tensor:
    y = _norm(p, f"{name}.norm1", x, 1e-5)
    q = _linear(p, f"{name}.attn.q", y).unflatten(-1, (heads, -1)).transpose(1, 2)
    kv = _linear(p, f"{name}.attn.kv", y if context is None else context)
    k, v = kv.unflatten(-1, (2, heads, -1)).permute(2, 0, 3, 1, 4)
    y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    x = x + _linear(p, f"{name}.attn.proj", y)
    y = F.gelu(_linear(p, f"{name}.mlp.fc1", _norm(p, f"{name}.norm2", x, 1e-5)))
    return x + _linear(p, f"{name}.mlp.fc2", y)


def _patches(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """(b, c, x, y[, z]) -> (b, tokens, p * q[ * r] * c)"""
    size = size[: x.ndim - 2]
    grid = [n // s for n, s in zip(x.shape[2:], size, strict=True)]
    split = [number for pair in zip(grid, size, strict=True) for number in pair]
    n = len(size)
    order = [0, *[2 + 2 * i for i in range(n)], *[3 + 2 * i for i in range(n)], 1]
    y = x.reshape(*x.shape[:2], *split).permute(order)
    return y.reshape(len(x), prod(grid), prod(size) * x.shape[1])


def _rows(x: Tensor, chosen: Tensor) -> Tensor:
    """The tokens of x (b, l, d) where chosen (b, l), as many in each sample."""
    return x.expand(len(chosen), -1, -1)[chosen].reshape(len(chosen), -1, x.shape[-1])


def _conv(x: Tensor):  # type: ignore[no-untyped-def]
    return F.conv3d if x.ndim == 5 else F.conv2d


def _convolved(p: Parameters, name: str, x: Tensor, stride: tuple[int, ...] = (1,)) -> Tensor:
    steps = stride if len(stride) == x.ndim - 2 else (1,) * (x.ndim - 2)
    y: Tensor = _conv(x)(x, p[f"{name}.weight"], p[f"{name}.bias"], stride=steps)
    return y


def _channel_norm(p: Parameters, name: str, x: Tensor) -> Tensor:
    return _norm(p, name, x.movedim(1, -1), 1e-6).movedim(-1, 1)


def _norm(p: Parameters, name: str, x: Tensor, eps: float) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], p[f"{name}.weight"], p[f"{name}.bias"], eps)


def _linear(p: Parameters, name: str, x: Tensor) -> Tensor:
    return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])
