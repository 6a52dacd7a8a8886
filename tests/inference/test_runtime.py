"""The device and number format: what the machine computes in, never what it emulates."""

from __future__ import annotations

import pytest
import torch

from cinema_cmr.core.errors import UsageError
from cinema_cmr.inference.runtime import choose_runtime


@pytest.mark.parametrize("has_it", [True, False])
def test_a_cpu_takes_bfloat16_only_where_it_has_its_instructions(monkeypatch: pytest.MonkeyPatch, has_it: bool) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_it, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    assert choose_runtime("cpu").precision == ("bf16" if has_it else "fp32")
    assert choose_runtime("cpu", "fp32").precision == "fp32"


def test_bf16_is_what_a_network_then_computes_in() -> None:
    layer = torch.nn.Linear(2, 2)
    for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        with choose_runtime("cpu", precision).autocast():
            assert layer(torch.zeros(1, 2)).dtype == dtype


def test_unknown_and_absent_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="not available; expected one of cpu"):
        choose_runtime("cuda")
    with pytest.raises(UsageError, match="unknown device"):
        choose_runtime("tpu")
    with pytest.raises(UsageError, match="unknown precision"):
        choose_runtime("cpu", "fp8")


def test_float16_is_for_gpus_and_only_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="requested on a CPU"):
        choose_runtime("cpu", "fp16")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    assert choose_runtime("cuda").precision == "fp32"
    assert choose_runtime("cuda", "fp16").precision == "fp16"
