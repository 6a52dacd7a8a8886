"""Masks are random and even; tokens are picked and put back without loss, gradients included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_models import draw_mask, seeded, spread_tokens

from cinema_cmr.core.errors import UsageError
from cinema_cmr.models.blocks.layers import Conv
from cinema_cmr.models.blocks.masking import (
    TokenMask,
    VisibleMix,
    draw_masks,
    pick_tokens,
    visible_patches,
)


@pytest.mark.parametrize(("n_tokens", "ratio", "visible"), [(120, 0.75, 30), (10, 0.75, 2), (7, 0.0, 7)])
def test_as_many_stay_visible_as_the_ratio_says(n_tokens: int, ratio: float, visible: int) -> None:
    mask = draw_mask(n_tokens, ratio, np.random.default_rng((1, 2)))
    assert mask.shape == (n_tokens,) and int((~mask).sum()) == visible
    assert np.array_equal(mask, draw_mask(n_tokens, ratio, np.random.default_rng((1, 2))))


def test_every_token_is_masked_equally_often() -> None:
    share = np.mean([draw_mask(20, 0.75, np.random.default_rng((0, i))) for i in range(2000)], axis=0)
    assert np.abs(share - 0.75).max() < 0.05


def test_complementary_masks_show_each_token_once() -> None:
    masks = draw_masks(24, 0.75, np.random.default_rng(0), n_masks=4)
    assert np.array_equal((~masks).sum(0), np.ones(24)) and np.array_equal((~masks).sum(1), [6] * 4)
    assert np.array_equal(masks[0], draw_mask(24, 0.75, np.random.default_rng(0)))
    with pytest.raises(UsageError, match="5 masks with 6 visible tokens each, of 24"):
        draw_masks(24, 0.75, np.random.default_rng(0), n_masks=5)


@pytest.mark.parametrize("ratio", [1.0, -0.1])
def test_a_ratio_out_of_range_is_refused(ratio: float) -> None:
    with pytest.raises(UsageError, match="mask ratio"):
        draw_mask(4, ratio, np.random.default_rng(0))


def test_indices_are_in_order_and_complete() -> None:
    mask = torch.tensor([[True, False, True, False], [False, False, True, True]])
    tokens = TokenMask.of(mask)
    assert tokens.visible.tolist() == [[1, 3], [0, 1]]
    assert tokens.masked.tolist() == [[0, 2], [2, 3]]
    assert tokens.n_tokens == 4
    assert tokens.to("cpu").masked.tolist() == tokens.masked.tolist()


def test_uneven_masks_and_other_types_are_refused() -> None:
    with pytest.raises(UsageError, match=r"have \[1, 2\] masked tokens"):
        TokenMask.of(torch.tensor([[True, False, False], [True, True, False]]))
    with pytest.raises(UsageError, match="expected bool"):
        TokenMask.of(torch.zeros(2, 3))


def test_pick_and_spread_undo_each_other() -> None:
    mask = TokenMask.of(torch.rand(3, 8, generator=seeded(0)).argsort(1) < 5)
    x = torch.randn(3, 8, 2, generator=seeded(1), dtype=torch.float64, requires_grad=True)
    parts = [spread_tokens(pick_tokens(x, index), index, 8) for index in (mask.visible, mask.masked)]
    assert torch.equal(parts[0] + parts[1], x)
    expected = torch.take_along_dim(x, mask.visible.unsqueeze(-1), 1)
    assert torch.equal(pick_tokens(x, mask.visible), expected)
    assert torch.autograd.gradcheck(lambda x: pick_tokens(x, mask.visible), (x,))
    picked = expected.detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda y: spread_tokens(y, mask.visible, 8), (picked,))


@pytest.mark.parametrize(("grid", "inside"), [((2, 3, 4), (2, 2, 1)), ((3, 2, 2), (1, 2, 2)), ((2, 2, 1), (4, 4, 1))])
def test_a_mix_equals_the_convolution_of_the_masked_image(
    grid: tuple[int, int, int], inside: tuple[int, int, int]
) -> None:
    (gx, gy, gz), (px, py, pz) = grid, inside
    n_tokens = gx * gy * gz
    mask = TokenMask.of(torch.rand(2, n_tokens, generator=seeded(2)).argsort(1) < n_tokens // 2)
    image = torch.randn(2, gz * pz, gx * px, gy * py, 3, generator=seeded(3))
    seen = spread_tokens(torch.ones(*mask.visible.shape, 1), mask.visible, n_tokens)
    seen = seen.reshape(2, gx, gy, gz, 1).permute(0, 3, 1, 2, 4)
    for axis, n in ((1, pz), (2, px), (3, py)):
        seen = seen.repeat_interleave(n, axis)
    conv = Conv(3, 3, (5, 5, 5), groups=3)
    expected = visible_patches(conv(image * seen), mask.visible, inside)
    mixed = VisibleMix(mask.visible, grid, inside)(conv, visible_patches(image, mask.visible, inside))
    assert torch.allclose(mixed, expected, atol=1e-6)
