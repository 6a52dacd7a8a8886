"""Device and numerical precision of inference."""

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
    """Device and precision of a network."""

    device: str
    """"cpu", "cuda" or "mps"."""
    precision: str
    """"fp32", "bf16" or "fp16"."""

    def autocast(self) -> torch.autocast:
        """Return a context that runs the network in this precision."""
        dtype = _DTYPES.get(self.precision, torch.bfloat16)
        return torch.autocast(self.device, dtype, enabled=self.precision in _DTYPES)


def choose_runtime(device: str = "auto", precision: str = "auto") -> Runtime:
    """Choose the requested device, or the best available one, and its precision.

    A CPU without bfloat16 instructions emulates them, several times slower than float32, so that "auto" is float32
    there. The choice depends on the machine alone, never on timing, so that results repeat. float16 is for GPUs without
    bfloat16 and must be requested. Raises `UsageError` for an unknown or absent device, and for float16 on a CPU.
    """
    if device not in _DEVICES:
        raise unknown_name("device", device, _DEVICES)
    if precision not in _PRECISIONS:
        raise unknown_name("precision", precision, _PRECISIONS)
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = "cuda" if available["cuda"] else "cpu"
    if not available[device]:
        raise UsageError(
            f"device '{device}' is not available; expected one of {', '.join(n for n, ok in available.items() if ok)}"
        )
    if precision == "fp16" and device == "cpu":
        raise UsageError("precision 'fp16' was requested on a CPU; expected fp32, or bf16 with instructions for it")
    if precision == "auto":
        precision = "bf16" if _has_bf16_instructions(device) else "fp32"
    return Runtime(device=device, precision=precision)


def _has_bf16_instructions(device: str) -> bool:
    """Return whether the device has instructions for bfloat16, not just an emulation."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return False
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, check, bool)()) for check in checks)
