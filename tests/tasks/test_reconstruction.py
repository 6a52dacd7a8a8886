"""A picture shows what was visible where it was, and what was made of the rest in its place."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from small_models import SIZES, images, mae, masks
from torch import Tensor, nn

from cinema_cmr.data.sample import Batch
from cinema_cmr.models.blocks.layers import group_patches, pad_to_multiple, to_slices
from cinema_cmr.models.blocks.masking import TokenMask, pick_tokens
from cinema_cmr.models.mae import Reconstruction
from cinema_cmr.tasks.reconstruction import picture, reconstructed


class Seer(nn.Module):
    """Knows the whole image: its answer is the masked patches themselves."""

    def forward(self, images: Mapping[str, Tensor], masks: Mapping[str, TokenMask]) -> Reconstruction:
        predictions = {}
        for view, image in images.items():
            size = (16, 16, 1)
            patches = group_patches(pad_to_multiple(to_slices(image), size), size).permute(0, 2, 3, 1, 4).flatten(1, 3)
            predictions[view] = pick_tokens(patches, masks[view].masked)
        return Reconstruction(torch.zeros(()), predictions)


def batch(sizes: Mapping[str, tuple[int, ...]] = SIZES) -> tuple[Batch, dict[str, TokenMask]]:
    given = Batch(names=("a", "b"), images=images(sizes), labels={})
    return given, {view: TokenMask.of(mask) for view, mask in masks(sizes).items()}


def test_one_who_knows_the_image_fills_it_exactly() -> None:
    """Odd sizes too, which a token does not divide."""
    for sizes in (SIZES, {"sax": (40, 33, 5), "lax_2c": (35, 48)}):
        given, hidden = batch(sizes)
        for view, one in reconstructed(Seer(), given, hidden, (16, 16, 1)).items():
            truth = given.images[view][0, 0].numpy()
            assert np.array_equal(one.image.reshape(truth.shape), truth)
            assert np.array_equal(one.filled, one.image)


def test_what_is_shown_is_what_is_visible() -> None:
    given, hidden = batch()
    shown = reconstructed(Seer(), given, hidden, (16, 16, 1))["sax"].shown
    grid = (2, 3, 3)  # 32 x 48 x 3 voxels in tokens of 16 x 16 x 1
    for token in range(18):
        x, y, z = np.unravel_index(token, grid)
        patch = shown[16 * x : 16 * x + 16, 16 * y : 16 * y + 16, z]
        assert np.isnan(patch).all() == (token in hidden["sax"].masked[0])
        assert np.isnan(patch).any() == np.isnan(patch).all()


def test_a_network_s_answer_stands_where_it_was_hidden() -> None:
    given, hidden = batch()
    model = mae()
    one = reconstructed(model, given, hidden, (16, 16, 1))["lax_4c"]
    lost = np.isnan(one.shown)
    assert np.array_equal(one.filled[~lost], one.image[~lost])
    error = np.mean((one.filled - one.image)[lost] ** 2)
    with torch.no_grad():
        predicted = model(given.images, hidden).predictions["lax_4c"][0]
    assert sorted(one.filled[lost].tolist()) == sorted(predicted.flatten().tolist())
    assert error > 0


class NormalisedSeer(Seer):
    """Answers with the patches less their mean, over their deviation."""

    def forward(self, images: Mapping[str, Tensor], masks: Mapping[str, TokenMask]) -> Reconstruction:
        loss, predictions = super().forward(images, masks)
        found = {}
        for view, patches in predictions.items():
            deviation, mean = torch.std_mean(patches, dim=-1, keepdim=True)
            found[view] = (patches - mean) / (deviation + 1e-6)
        return Reconstruction(loss, found)


def test_normalised_predictions_come_back_as_intensities() -> None:
    given, hidden = batch()
    for one in reconstructed(NormalisedSeer(), given, hidden, (16, 16, 1), normalised=True).values():
        assert np.allclose(one.filled, one.image, atol=1e-5)


def test_the_picture_has_three_columns_and_a_row_for_each_slice_shown() -> None:
    given, hidden = batch()
    views = reconstructed(Seer(), given, hidden, (16, 16, 1))
    size = picture(views).size
    assert size == (4 + 3 * (48 + 4), 4 + 3 * (48 + 4) + (32 + 4) + 5 * 16)  # and five lines of text
