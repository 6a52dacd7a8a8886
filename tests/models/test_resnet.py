"""MONAI's ResNet behind our names; where MONAI is absent that is said."""

from __future__ import annotations

import sys

import pytest
import torch

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.models.resnet import ResNet, ResNetConfig

CONFIG = ResNetConfig(out_chans=3, depth=10, widths=(4, 4, 8, 8))


def test_two_phases_of_a_stack_give_one_row_a_study() -> None:
    pytest.importorskip("monai")
    network = ResNet(CONFIG).eval()
    assert network({"sax": torch.rand(2, 2, 32, 32, 4)}).shape == (2, 3) and network.views == (View.SAX,)
    again = build("resnet", config_values(CONFIG))
    assert {k: v.shape for k, v in again.state_dict().items()} == {k: v.shape for k, v in network.state_dict().items()}


def test_another_view_is_refused() -> None:
    pytest.importorskip("monai")
    with pytest.raises(UsageError, match="built for"):
        ResNet(CONFIG)({"lax_4c": torch.rand(1, 2, 32, 32)})


def test_without_monai_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "monai.networks.nets.resnet", None)
    with pytest.raises(UsageError, match=r"cinema-cmr\[bench\]"):
        ResNet(CONFIG)


def test_a_depth_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="depth 7"):
        ResNetConfig(out_chans=1, depth=7)  # type: ignore[arg-type]
