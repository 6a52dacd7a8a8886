"""Weights stored in eight bits: 255 levels and a step for each row of a tensor."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cinema_cmr.core.errors import WeightsError

__all__ = ["dequantise", "quantise_int8"]

_SCALE = ".int8_scale"
_LEVELS = 127
_FEWEST = 1024
"""Least number of elements of a tensor stored in eight bits; norms, biases and tokens stay floats."""


def quantise_int8(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert the large tensors of a state to int8, with one float32 step per index of the first axis.

    The error is at most half a step, 1/254 of the row's largest magnitude. Raises `WeightsError` if a number is not
    finite.
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
    """Convert a stored state to floats; the inverse of `quantise_int8`, and no change for other states."""
    steps = {name.removesuffix(_SCALE): x for name, x in state.items() if name.endswith(_SCALE)}
    whole = {name: x for name, x in state.items() if not name.endswith(_SCALE)}
    return {name: x.float() * _column(steps[name], x) if name in steps else x for name, x in whole.items()}


def _column(steps: Tensor, x: Tensor) -> Tensor:
    return steps.view(-1, *[1] * (x.ndim - 1))
