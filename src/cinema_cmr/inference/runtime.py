"""What the machine can do: the device, and the number format that is fast and exact enough on it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cinema_cmr.core.errors import UsageError, unknown_name

__all__ = ["Runtime", "choose_runtime"]

_DEVICES = ("auto", "cpu", "cuda", "mps")
_PRECISIONS = ("auto", "fp32", "bf16", "fp16")
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Where a network runs and in which number format."""

    device: str
    """"cpu", "cuda" or "mps"."""
    precision: str
    """"fp32", "bf16" or "fp16"."""

    def autocast(self) -> torch.autocast:
        """A context in which the network runs in this precision."""
        dtype = _DTYPES.get(self.precision, torch.bfloat16)
        return torch.autocast(self.device, dtype, enabled=self.precision in _DTYPES)


def choose_runtime(device: str = "auto", precision: str = "auto") -> Runtime:
    """The device asked for, or the best there is; bfloat16 only where the machine computes in it.

    A CPU without bfloat16 instructions emulates them, several times slower than float32, so there "auto" is
    float32. The choice depends on the machine alone, never on a timing, so that results repeat. float16 is for GPUs
    without bfloat16, and only where it is asked for. Raises `UsageError` for an unknown or absent device, and for
    float16 on a CPU.
    """
    if device not in _DEVICES:
        raise unknown_name("device", device, _DEVICES)
    if precision not in _PRECISIONS:
        raise unknown_name("precision", precision, _PRECISIONS)
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = "cuda" if there["cuda"] else "cpu"
    if not there[device]:
        raise UsageError(
            f"device '{device}' is not there; devices here: {', '.join(n for n, is_ in there.items() if is_)}"
        )
    if precision == "fp16" and device == "cpu":
        raise UsageError("precision 'fp16' needs a GPU; a CPU computes in fp32, or in bf16 where it has instructions")
    if precision == "auto":
        precision = "bf16" if _computes_in_bf16(device) else "fp32"
    return Runtime(device=device, precision=precision)


def _computes_in_bf16(device: str) -> bool:
    """Whether the device has instructions for bfloat16, not only an emulation."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return False
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, check, bool)()) for check in checks)
