"""The stem on visible tokens only equals the dense masked form, and any size goes through."""

from __future__ import annotations

import pytest
import torch
from small_models import STEM, dense_masked_stem, masks, scrambled, seeded
from torch import Tensor, nn

from cinema_cmr.core.errors import UsageError
from cinema_cmr.models.blocks.layers import to_slices
from cinema_cmr.models.blocks.masking import TokenMask, pick_tokens, visible_patches
from cinema_cmr.models.stem import Fusion, Stem, StemConfig, StemOutput, stems_of

SHAPES = {"sax": (32, 48, 3), "lax_2c": (48, 32)}


def made(view: str, config: StemConfig = STEM) -> tuple[Stem, Fusion]:
    torch.manual_seed(0)
    size = SHAPES[view]
    stem = Stem(config, in_chans=1, image_size=size, dim=16)
    fusion = Fusion(config, n_axes=len(size), dim=16)
    scrambled(stem)
    scrambled(fusion)
    return stem, fusion


@pytest.mark.parametrize("view", SHAPES)
@pytest.mark.parametrize("config", [STEM, StemConfig(chans=(4, 6), kernel=(5, 5, 1)), StemConfig(chans=(4,))])
def test_masked_computation_equals_the_dense_masked_form(view: str, config: StemConfig) -> None:
    """Tokens, fused tokens and every gradient, though positions that are masked are never computed.

    In double precision: in single, gradients that are sums of many terms differ by more than one can bound.
    """
    stem, fusion = (part.double() for part in made(view, config))
    size = SHAPES[view] if len(config.chans) == 2 else tuple(n // 2 for n in SHAPES[view][:2]) + SHAPES[view][2:]
    image = torch.rand(2, 1, *size, generator=seeded(0), dtype=torch.float64)
    mask = TokenMask.of(masks({view: SHAPES[view]})[view])
    back = torch.randn(*mask.visible.shape, 16, generator=seeded(1), dtype=torch.float64)

    def answer(*, dense: bool) -> tuple[Tensor, Tensor, list[Tensor]]:
        x = to_slices(image).requires_grad_()
        if dense:
            out = dense_masked_stem(stem, x, mask.visible)
            levels = [
                visible_patches(level, mask.visible, inside)
                for level, inside in zip(out.levels, stem.positions, strict=True)
            ]
            out = StemOutput(pick_tokens(out.tokens, mask.visible), levels, out.grid)
        else:
            out = stem(x, mask.visible)
        fused = fusion(out.tokens, out.levels)
        parameters = [*stem.parameters(), *fusion.parameters(), x]
        return out.tokens, fused, list(torch.autograd.grad((fused * back).sum(), parameters))

    sparse, dense = answer(dense=False), answer(dense=True)
    assert torch.allclose(sparse[0], dense[0], rtol=0, atol=1e-12)
    assert torch.allclose(sparse[1], dense[1], rtol=0, atol=1e-12)
    for found, expected in zip(sparse[2], dense[2], strict=True):
        assert (found - expected).abs().max() <= 1e-12 * max(1.0, expected.abs().max().item())


@pytest.mark.parametrize("view", SHAPES)
def test_all_tokens_visible_is_the_same_as_no_mask(view: str) -> None:
    stem, fusion = made(view)
    x = to_slices(torch.rand(2, 1, *SHAPES[view], generator=seeded(2)))
    plain = stem(x)
    n_tokens = plain.tokens.shape[1]
    seen = stem(x, torch.arange(n_tokens).expand(2, -1))
    assert plain.grid == seen.grid
    assert torch.allclose(plain.tokens, seen.tokens, atol=1e-5)
    fused = [fusion(out.tokens, out.levels) for out in (plain, seen)]
    assert torch.allclose(fused[0], fused[1], atol=1e-5)


def test_what_is_masked_does_not_matter() -> None:
    stem, _ = made("sax")
    x = to_slices(torch.rand(1, 1, *SHAPES["sax"], generator=seeded(3)))
    visible = torch.tensor([[0, 4, 9]])
    other = x + 5.0
    patches = visible_patches(x, visible, stem.stride)
    kept = other.clone()
    for index, patch in zip((0, 4, 9), patches, strict=True):
        tx, ty, tz = index // 9, index // 3 % 3, index % 3
        kept[0, tz, 16 * tx : 16 * tx + 16, 16 * ty : 16 * ty + 16] = patch[0]
    assert torch.equal(stem(x, visible).tokens, stem(kept, visible).tokens)


@pytest.mark.parametrize(("size", "grid"), [((64, 16, 5), (4, 1, 5)), ((33, 17, 1), (3, 2, 1))])
def test_the_token_grid_follows_the_input(size: tuple[int, ...], grid: tuple[int, ...]) -> None:
    stem, _ = made("sax")
    out = stem(to_slices(torch.rand(1, 1, *size, generator=seeded(4))))
    assert out.grid == grid
    assert [level.shape[1:4] for level in out.levels] == [
        (grid[2], 4 * grid[0], 4 * grid[1]),
        (grid[2], 2 * grid[0], 2 * grid[1]),
    ]


def test_published_strides() -> None:
    config = StemConfig()
    assert config.strides == ((4, 4, 1), (8, 8, 1), (16, 16, 1))
    assert config.grid((192, 192, 16)) == (12, 12, 16) and config.grid((256, 256)) == (16, 16)
    assert config.token_stride(2) == (16, 16, 1)


def test_impossible_stems_are_refused() -> None:
    with pytest.raises(UsageError, match="odd kernels"):
        StemConfig(kernel=(4, 5, 5))
    with pytest.raises(UsageError, match="at least one level"):
        StemConfig(chans=())


def test_every_view_has_its_own_stem() -> None:
    stems = stems_of(SHAPES, STEM, in_chans=2, dim=16)
    assert isinstance(stems, nn.ModuleDict) and list(stems) == list(SHAPES)
    weight = stems["sax"].state_dict()["conv_blocks.0.patch_embed.conv.weight"]
    assert weight.shape == (4, 2, 4, 4, 1)
