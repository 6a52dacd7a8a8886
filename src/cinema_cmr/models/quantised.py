"""Weights stored in eight bits: for each row of a tensor, 255 levels and the step between them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cinema_cmr.core.errors import WeightsError

__all__ = ["dequantise", "quantise_int8"]

_SCALE = ".int8_scale"
_LEVELS = 127
_FEWEST = 1024
"""Numbers from which on a tensor is stored in eight bits; norms, biases and tokens stay as they are."""


def quantise_int8(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state with its large tensors as int8, each with one float32 step for each index of its first axis.

    What comes back is off by at most half a step, 1/254 of its row's largest magnitude. Raises `WeightsError` where a
    number is not finite.
    """
    stored: dict[str, Tensor] = {}
    for name, x in state.items():
        if not x.is_floating_point() or x.ndim < 2 or x.numel() < _FEWEST:
            stored[name] = x
            continue
        steps = x.detach().float().flatten(1).abs().amax(1) / _LEVELS
        if not bool(torch.isfinite(steps).all()):
            raise WeightsError(f"{name} has numbers that are not finite; eight bits cannot hold it")
        stored[name] = (x.detach().float() / _column(steps.clamp_min(1e-30), x)).round().to(torch.int8)
        stored[name + _SCALE] = steps
    return stored


def dequantise(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state as floats again, whatever it was stored as; the opposite of `quantise_int8`."""
    steps = {name.removesuffix(_SCALE): x for name, x in state.items() if name.endswith(_SCALE)}
    whole = {name: x for name, x in state.items() if not name.endswith(_SCALE)}
    return {name: x.float() * _column(steps[name], x) if name in steps else x for name, x in whole.items()}


def _column(steps: Tensor, x: Tensor) -> Tensor:
    return steps.view(-1, *[1] * (x.ndim - 1))
