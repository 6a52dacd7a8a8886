"""CineMA: the masked autoencoder over short- and long-axis views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.blocks.layers import TransformerBlock, group_patches, pad_to_multiple, to_slices
from cinema_cmr.models.blocks.mask_decoders import DecoderConfig, MaskDecoders
from cinema_cmr.models.blocks.masking import TokenMask, pick_tokens
from cinema_cmr.models.blocks.position import interpolate_table, position_table
from cinema_cmr.models.stem import Fusion, StemConfig, StemOutput, stems_of
from cinema_cmr.models.vit import Encoder, VitConfig

__all__ = ["CineMA", "CineMAConfig", "Reconstruction"]

Masks = Mapping[str, Tensor | TokenMask]


@dataclass(frozen=True, kw_only=True)
class CineMAConfig:
    """Architecture and loss of a CineMA."""

    image_sizes: Mapping[str, tuple[int, ...]]
    """View -> (x, y, z) of a stack or (x, y) of a plane: the size of the position tables."""
    vit: VitConfig
    in_chans: int = 1
    stem: StemConfig = field(default_factory=StemConfig)
    normalise_targets: bool = False
    """Normalise each target patch to mean 0 and standard deviation 1. Off in the published model."""
    masks: DecoderConfig | None = None
    """Decoders of the short-axis stack's structures, learned beside the reconstruction; None for an autoencoder alone,
    as the published model is."""

    def __post_init__(self) -> None:
        if self.masks is not None:
            self.masks.check_levels(len(self.stem.chans))
        if not self.image_sizes:
            raise UsageError("an autoencoder without views; expected at least one view with its image size")


class Reconstruction(NamedTuple):
    """`loss`, a scalar; `predictions`: view -> (b, m, pixels of a patch), of the masked patches in order."""

    loss: Tensor
    predictions: dict[str, Tensor]


class DecoderEmbed(nn.Module):
    """Decoder inputs for one view: the position of each token, and the mask token."""

    pos_embed: Tensor

    def __init__(self, grid: tuple[int, ...], dim: int) -> None:
        super().__init__()
        self.built_grid = grid
        self.register_buffer("pos_embed", position_table(dim, grid))
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(self, visible: Tensor, mask: TokenMask, grid: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Return visible tokens (b, k, d) with their positions, and queries (b, m, d) for the masked ones."""
        table = interpolate_table(self.pos_embed, self.built_grid, grid[: len(self.built_grid)])[0]
        table = table.to(visible.dtype)
        return visible + table[mask.visible], self.mask_token + table[mask.masked]


class Decoder(nn.Module):
    """Blocks in which each query attends to the visible tokens only."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        dim, heads = config.dec_dim, config.dec_heads
        self.blocks = nn.ModuleList(TransformerBlock(dim, heads) for _ in range(config.dec_depth))
        self.norm = nn.LayerNorm(dim, eps=1e-5)

    def forward(self, queries: Tensor, context: Tensor) -> Tensor:
        """Queries (b, m, d) and context (b, k, d) -> (b, m, d)."""
        for block in self.blocks:
            queries = block(queries, context)
        decoded: Tensor = self.norm(queries)
        return decoded


class CineMA(nn.Module):
    """The masked autoencoder; images {view: (b, c, x, y[, z])} of any size and any subset of views.

    Sizes that a token does not divide are padded with zeros at the end of each axis.
    """

    def __init__(self, config: CineMAConfig) -> None:
        super().__init__()
        self.config = config
        vit, sizes = config.vit, config.image_sizes
        self.n_axes = {view: len(size) for view, size in sizes.items()}
        self.enc_down_dict = stems_of(sizes, config.stem, in_chans=config.in_chans, dim=vit.dim)
        self.enc_fusion_dict = nn.ModuleDict(
            {view: Fusion(config.stem, n_axes=n, dim=vit.dim) for view, n in self.n_axes.items()}
        )
        self.encoder = Encoder(vit)
        self.dec_linear = nn.Linear(vit.dim, vit.dec_dim)
        self.dec_embed_dict = nn.ModuleDict(
            {view: DecoderEmbed(config.stem.grid(size), vit.dec_dim) for view, size in sizes.items()}
        )
        self.decoder = Decoder(vit)
        self.pred_head_dict = nn.ModuleDict(
            {view: nn.Linear(vit.dec_dim, config.in_chans * prod(self._patch(view))) for view in sizes}
        )
        self.apply(_start_linear)
        self.mask_decoders = None if config.masks is None else self._mask_decoders(config.masks)

    def _mask_decoders(self, sizes: DecoderConfig) -> MaskDecoders:
        stem = self.config.stem
        decoders = MaskDecoders()
        decoders.add_decoders(
            {view: n for view, n in self.n_axes.items() if view == View.SAX},
            sizes,
            in_chans=self.config.in_chans,
            dim=self.config.vit.dim,
            level_chans=stem.chans,
            strides=stem.strides,
        )
        return decoders

    def forward(self, images: Mapping[str, Tensor], masks: Masks | None = None) -> dict[str, Tensor] | Reconstruction:
        """Return `features` without masks, `reconstruct` with them; for wrappers that call the module."""
        return self.features(images) if masks is None else self.reconstruct(images, masks)

    def features(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return "cls" (b, 1, d) and the fused tokens (b, l, d) of each given view, without masks."""
        self._check_views(images)
        stems = {view: self.enc_down_dict[view](to_slices(image)) for view, image in images.items()}
        cls, fused = self._encoded(stems)
        return {"cls": cls, **fused}

    def reconstruct(self, images: Mapping[str, Tensor], masks: Masks) -> Reconstruction:
        """Predict the masked patches of all views from the visible ones, and the loss.

        `masks`: view -> (b, l) bool, True where masked, or a `TokenMask`. The loss is the mean squared error
        over the masked patches of a view, then the mean over views with masked patches. With n times as many
        masks as images, n masks one after another are of one image, and predictions are as many as masks.
        """
        self._check_views(images)
        hidden = {view: _token_mask(view, masks) for view in images}
        padded = {
            view: pad_to_multiple(to_slices(_as_many(x, hidden[view], view)), self._patch(view))
            for view, x in images.items()
        }
        stems = {view: self.enc_down_dict[view](x, hidden[view].visible) for view, x in padded.items()}
        predictions = self._decoded(self._encoded(stems)[1], stems, hidden)
        losses = []
        for view, predicted in predictions.items():
            patches = group_patches(padded[view], self._patch(view)).permute(0, 2, 3, 1, 4).flatten(1, 3)
            if predicted.shape[1]:
                losses.append(self._loss(predicted, pick_tokens(patches, hidden[view].masked)))
        if not losses:
            raise UsageError("no token is masked in any view; expected masked tokens to reconstruct")
        return Reconstruction(torch.stack(losses).mean(), predictions)

    def segment(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return logits of the structures {view: (b, class, x, y, z)}, without masked tokens.

        Raises `UsageError` for a model without such decoders, and for a view that has none.
        """
        if self.mask_decoders is None or not set(images) <= set(self.mask_decoders.pred_head_dict):
            raise UsageError(
                f"masks of the views {sorted(images)} from an autoencoder without a decoder of them; expected one that"
                " was pre-trained with lessons, and the short axis"
            )
        return self.mask_decoders.logits(images, stems=self.enc_down_dict, encoder=self.encoder)

    def _encoded(self, stems: Mapping[str, StemOutput]) -> tuple[Tensor, dict[str, Tensor]]:
        cls, encoded = self.encoder([stem.tokens for stem in stems.values()])
        fused = {
            view: self.enc_fusion_dict[view](tokens, stem.levels)
            for (view, stem), tokens in zip(stems.items(), encoded, strict=True)
        }
        return cls, fused

    def _decoded(
        self, fused: Mapping[str, Tensor], stems: Mapping[str, StemOutput], masks: Mapping[str, TokenMask]
    ) -> dict[str, Tensor]:
        """Decode the masked tokens.

        Queries attend to the visible tokens only, so that omitting the unused query of the class token changes nothing.
        """
        visible, queries = [], []
        for view, tokens in fused.items():
            embed = self.dec_embed_dict[view]
            placed, asked = embed(self.dec_linear(tokens), masks[view], stems[view].grid)
            visible.append(placed)
            queries.append(asked)
        decoded = self.decoder(torch.cat(queries, dim=1), torch.cat(visible, dim=1))
        parts = decoded.split([q.shape[1] for q in queries], dim=1)
        return {view: self.pred_head_dict[view](part) for view, part in zip(fused, parts, strict=True)}

    def _loss(self, predicted: Tensor, target: Tensor) -> Tensor:
        target = target.float()
        if self.config.normalise_targets:
            deviation, mean = torch.std_mean(target, dim=-1, keepdim=True)
            target = (target - mean) / (deviation + 1e-6)
        return F.mse_loss(predicted.float(), target)

    def _patch(self, view: str) -> tuple[int, int, int]:
        return self.config.stem.token_stride(self.n_axes[view])

    def _check_views(self, images: Mapping[str, Tensor]) -> None:
        if not images or not set(images) <= set(self.n_axes):
            raise UsageError(f"views {sorted(images)} given; this model was built for {sorted(self.n_axes)}")

    @property
    def views(self) -> tuple[View, ...]:
        """Views of the model."""
        return tuple(View(view) for view in self.n_axes)


def _token_mask(view: str, masks: Masks) -> TokenMask:
    if view not in masks:
        raise UsageError(f"view '{view}' has no mask; masks were given for {sorted(masks)}")
    mask = masks[view]
    return mask if isinstance(mask, TokenMask) else TokenMask.of(mask)


def _as_many(image: Tensor, mask: TokenMask, view: str) -> Tensor:
    """Repeat each image for each of its masks; a single mask needs no copy."""
    n_images, n_masks = image.shape[0], mask.visible.shape[0]
    if n_masks % n_images:
        raise UsageError(f"{n_masks} masks of view '{view}' for {n_images} images; expected as many for each image")
    return image if n_masks == n_images else image.repeat_interleave(n_masks // n_images, dim=0)


def _start_linear(part: nn.Module) -> None:
    """Initialise linear layers as in He et al., Masked autoencoders are scalable vision learners, CVPR 2022."""
    if isinstance(part, nn.Linear):
        nn.init.xavier_uniform_(part.weight)
        nn.init.zeros_(part.bias)
