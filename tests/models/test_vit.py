"""The encoder keeps views apart in its output and mixes them inside; sizes have names."""

from __future__ import annotations

import pytest
import torch
from small_models import scrambled, seeded

from cinema_cmr.core.errors import UsageError
from cinema_cmr.models.vit import SIZES, Encoder, VitConfig, vit_size


def tokens() -> list[torch.Tensor]:
    return [torch.randn(2, n, 16, generator=seeded(n)) for n in (3, 5)]


def test_each_view_gets_its_tokens_back_in_its_order() -> None:
    encoder = scrambled(Encoder(vit_size("tiny")))
    cls, (first, second) = encoder(tokens())
    assert cls.shape == (2, 1, 16) and first.shape == (2, 3, 16) and second.shape == (2, 5, 16)
    turned_cls, (turned_second, turned_first) = encoder(tokens()[::-1])
    assert torch.allclose(cls, turned_cls, atol=1e-5)
    assert torch.allclose(first, turned_first, atol=1e-5)
    assert torch.allclose(second, turned_second, atol=1e-5)


def test_views_see_each_other() -> None:
    encoder = scrambled(Encoder(vit_size("tiny")))
    first, second = tokens()
    alone = encoder([first])[1][0]
    assert not torch.allclose(alone, encoder([first, second])[1][0], atol=1e-2)


def test_deeper_blocks_are_dropped_more_often() -> None:
    config = VitConfig(dim=8, depth=3, heads=2, dec_dim=8, dec_depth=1, dec_heads=2)
    rates = [block.drop_path.rate for block in Encoder(config, drop_path=0.2).blocks]  # type: ignore[union-attr]
    assert rates == pytest.approx([0.0, 0.1, 0.2])


def test_sizes_have_names() -> None:
    assert {"tiny", "coarse", "small", "base", "large", "huge"} == set(SIZES)
    assert vit_size("base") == VitConfig(dim=768, depth=12, heads=12, dec_dim=512, dec_depth=8, dec_heads=16)
    with pytest.raises(UsageError, match="unknown model size 'bas'; did you mean 'base'"):
        vit_size("bas")
    with pytest.raises(UsageError, match="multiple of the number of heads"):
        VitConfig(dim=10, depth=1, heads=3, dec_dim=8, dec_depth=1, dec_heads=2)
