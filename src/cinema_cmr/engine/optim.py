"""Optimiser, learning-rate schedule and exponential moving average of the weights."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from cinema_cmr.core.errors import UsageError

__all__ = ["EMA", "OptimConfig", "layer_scales", "learning_rate", "make_optimiser"]

_LOWEST = re.compile(r"^enc_down_dict\.|(^|\.)(pos_embed|cls_token|patch_embed)(\.|$)")


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """AdamW with linear warm-up and cosine decay; the same for every model of a comparison."""

    lr: float = 6e-4
    """Highest learning rate."""
    last_lr: float = 1e-6
    """Learning rate at the end of the schedule."""
    warmup_steps: int = 300
    weight_decay: float = 0.05
    """Not applied to biases, norms and tokens (tensors of fewer than two axes)."""
    betas: tuple[float, float] = (0.9, 0.95)
    clip_norm: float = 1.0
    """Largest norm of the gradient, which is scaled down to it."""
    layer_decay: float = 1.0
    """Factor of the learning rate from each block of the encoder to the one below, so that pre-trained layers change
    less the nearer they are to the image; 1 for one rate. Training from random weights always has one rate."""
    ema_decay: float = 0.998
    """Decay per step of the exponential moving average of the weights, which is saved; 0 saves the last weights."""

    def __post_init__(self) -> None:
        if min(self.warmup_steps, self.weight_decay) < 0 or self.clip_norm <= 0:
            raise UsageError(
                f"warm-up of {self.warmup_steps} steps, weight decay {self.weight_decay}, gradients clipped to"
                f" {self.clip_norm}; expected 0 or more, and a norm above 0"
            )
        if not 0 < self.layer_decay <= 1:
            raise UsageError(f"layer decay {self.layer_decay}; expected above 0, up to 1 for one rate everywhere")
        if not 0 <= self.last_lr <= self.lr or not 0 <= self.ema_decay < 1:
            raise UsageError(
                f"learning rates {self.lr} to {self.last_lr}, EMA decay {self.ema_decay}; expected a last rate"
                " from 0 up to the first, and a decay from 0 to below 1"
            )


def learning_rate(config: OptimConfig, step: int, n_steps: int) -> float:
    """Return the rate of a step counted from 0: linear warm-up, then a cosine to `last_lr`.

    A warm-up that is not shorter than the run ends at its last step.
    """
    warmup = min(config.warmup_steps, max(0, n_steps - 1))
    if step < warmup:
        return config.lr * (step + 1) / warmup
    share = min(1.0, (step - warmup) / max(1, n_steps - warmup))
    return config.last_lr + (config.lr - config.last_lr) * (1 + math.cos(math.pi * share)) / 2


def layer_scales(names: Sequence[str], decay: float) -> dict[str, float]:
    """Return the factor of each parameter's learning rate: `decay` to the power of the number of layers above it.

    Stems, position tables and the class token are the lowest layer, followed by the blocks of the encoder; fusion,
    decoder and heads are the highest and have factor 1.

    >>> layer_scales(["enc_down_dict.sax.x", "encoder.blocks.0.x", "encoder.blocks.1.x", "pred_head_dict.sax.x"], 0.5)
    {'enc_down_dict.sax.x': 0.125, 'encoder.blocks.0.x': 0.25, 'encoder.blocks.1.x': 0.5, 'pred_head_dict.sax.x': 1.0}
    """
    blocks = {name: int(name.split(".")[2]) for name in names if name.startswith("encoder.blocks.")}
    top = 2 + max(blocks.values(), default=-1)
    layers = {name: blocks[name] + 1 if name in blocks else 0 if _LOWEST.search(name) else top for name in names}
    return {name: decay ** (top - layer) for name, layer in layers.items()}


def make_optimiser(model: nn.Module, config: OptimConfig, *, fused: bool = True) -> Optimizer:
    """Return AdamW over the trainable parameters, without weight decay for vectors and single tokens.

    Each group has a `scale`, the factor of its learning rate (`layer_scales`). `fused` updates in one call; it cannot
    be used if a scaled loss (float16) must be unscaled before gradients are clipped.
    """
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    scales = layer_scales([name for name, _ in named], config.layer_decay)
    groups = [
        {
            "params": [p for name, p in named if _has_no_decay(name, p) is no_decay and scales[name] == scale],
            "weight_decay": 0.0 if no_decay else config.weight_decay,
            "lr": config.lr * scale,
            "scale": scale,
        }
        for scale in sorted(set(scales.values()), reverse=True)
        for no_decay in (False, True)
    ]
    # One call for all tensors takes a third of the time on a CPU.
    return AdamW([group for group in groups if group["params"]], lr=config.lr, betas=config.betas, fused=fused)


def _has_no_decay(name: str, parameter: nn.Parameter) -> bool:
    return parameter.ndim < 2 or name.endswith("token")


class EMA:
    """Exponential moving average of a model's weights, with a shorter memory during the first steps.

    It stays on the device that the model is on when it is created.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.n_updates = 0
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move towards the model's weights; integer buffers are copied."""
        self.n_updates += 1
        decay = min(self.decay, (1 + self.n_updates) / (10 + self.n_updates))
        state = model.state_dict()
        moved = [name for name, average in self.weights.items() if average.dtype.is_floating_point]
        # One call for all tensors: hundreds of small ones take longer than a step of a small network on a GPU. Sharded
        # weights and buffers, which are not sharded, cannot be in one call.
        for kind in {type(state[name].detach()) for name in moved}:
            names = [name for name in moved if type(state[name].detach()) is kind]
            averages = [self.weights[name] for name in names]
            current = [state[name].detach() for name in names]
            torch._foreach_lerp_(averages, [b.to(a.dtype) for a, b in zip(averages, current, strict=True)], 1 - decay)
        for name in self.weights.keys() - set(moved):
            self.weights[name].copy_(state[name])

    def state(self) -> dict[str, Tensor]:
        """Return the averaged weights by name."""
        return self.weights

    def load(self, weights: Mapping[str, Tensor], n_updates: int) -> None:
        """Restore a saved average, from any device."""
        for name, average in self.weights.items():
            average.copy_(weights[name])
        self.n_updates = n_updates
