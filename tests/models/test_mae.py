"""The masked autoencoder: parity with the published layout, and what must hold by construction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import SIZES, dense_masked_stem, images, mae, masks
from torch import Tensor, nn

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.blocks.layers import checkpoint_activations, group_patches, to_slices
from cinema_cmr.models.blocks.masking import TokenMask, visible_patches
from cinema_cmr.models.mae import CineMA, CineMAConfig
from cinema_cmr.models.states import read_state
from cinema_cmr.models.stem import StemConfig, StemOutput
from cinema_cmr.models.vit import vit_size

PUBLISHED = {"sax": (64, 96, 5), "lax_2c": (96, 64), "lax_3c": (96, 64), "lax_4c": (96, 64)}


@pytest.fixture(scope="module")
def published(parity: Path) -> CineMA:
    config = CineMAConfig(image_sizes=PUBLISHED, vit=vit_size("tiny"), stem=StemConfig(chans=(8, 12)))
    model = CineMA(config).eval()
    model.load_state_dict(read_state(parity / "pretrained" / "cinema.safetensors"), strict=True)
    return model


@pytest.fixture(scope="module")
def expected(parity: Path) -> dict[str, Tensor]:
    with np.load(parity / "pretrained" / "cinema_io.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays}


def assert_features(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], prefix: str) -> None:
    wanted = {name.removeprefix(prefix): x for name, x in expected.items() if name.startswith(prefix)}
    for name in found:
        assert (found[name] - wanted[name]).abs().max() < 1e-4, name


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("given", "answer", "views"),
    [
        ("in_", "features_", tuple(PUBLISHED)),
        ("in_", "features_saxonly_", ("sax",)),
        ("in_othersize_", "features_othersize_", ("sax", "lax_2c")),
    ],
)
def test_published_features(
    published: CineMA, expected: dict[str, Tensor], given: str, answer: str, views: tuple[str, ...]
) -> None:
    with torch.no_grad():
        found = published.features({view: expected[given + view] for view in views})
    assert set(found) == {"cls", *views}
    assert_features(found, expected, answer)


@pytest.mark.realdata
def test_published_loss_predictions_and_gradients(parity: Path, published: CineMA, expected: dict[str, Tensor]) -> None:
    published.zero_grad()
    given = {view: expected[f"in_{view}"] for view in PUBLISHED}
    loss, predictions = published.reconstruct(given, {view: expected[f"mask_{view}"] for view in PUBLISHED})
    for view, predicted in predictions.items():
        assert (predicted - expected[f"pred_{view}"]).abs().max() < 1e-4
    assert loss.item() == pytest.approx(expected["loss"].item(), abs=1e-5)
    loss.backward()
    norms = json.loads((parity / "pretrained" / "grad_norms.json").read_text())
    found = {name: p.grad.norm().item() for name, p in published.named_parameters() if p.grad is not None}
    assert found == pytest.approx(norms, rel=1e-3, abs=1e-9)


@pytest.mark.realdata
def test_the_base_size_has_the_published_keys(parity: Path) -> None:
    listed = json.loads((parity / "base_keys.json").read_text())["mae"]
    sizes = {"sax": (192, 192, 16), **{f"lax_{c}c": (256, 256) for c in (2, 3, 4)}}
    with torch.device("meta"):
        model = CineMA(CineMAConfig(image_sizes=sizes, vit=vit_size("base")))
    assert {k: list(x.shape) for k, x in model.state_dict().items()} == listed


def test_a_batch_equals_its_samples_one_by_one() -> None:
    model, batch, hidden = mae(), images(), masks()
    with torch.no_grad():
        together, rebuilt = model.features(batch), model.reconstruct(batch, hidden)
        losses = []
        for i in range(2):
            one = {view: x[i : i + 1] for view, x in batch.items()}
            for name, x in model.features(one).items():
                assert torch.allclose(x[0], together[name][i], atol=1e-5)
            loss, predictions = model.reconstruct(one, {view: m[i : i + 1] for view, m in hidden.items()})
            losses.append(loss.item())
            for view, x in predictions.items():
                assert torch.allclose(x[0], rebuilt.predictions[view][i], atol=1e-5)
    assert rebuilt.loss.item() == pytest.approx(sum(losses) / 2, rel=1e-5)


class DenseMasked(nn.Module):
    """Stands in for a stem: computes everything, then drops what is masked."""

    def __init__(self, stem: nn.Module) -> None:
        super().__init__()
        self.stem = stem

    def forward(self, x: Tensor, visible: Tensor) -> StemOutput:
        out = dense_masked_stem(self.stem, x, visible)  # type: ignore[arg-type]
        levels = [
            visible_patches(level, visible, inside)
            for level, inside in zip(out.levels, self.stem.positions, strict=True)  # type: ignore[arg-type]
        ]
        return StemOutput(torch.take_along_dim(out.tokens, visible.unsqueeze(-1), 1), levels, out.grid)


def test_masked_computation_equals_the_dense_masked_form() -> None:
    batch, hidden = images(), masks()
    answers = []
    for dense in (False, True):
        model = mae()
        parameters = dict(model.named_parameters())
        if dense:
            for view in SIZES:
                model.enc_down_dict[view] = DenseMasked(model.enc_down_dict[view])
        loss, predictions = model.reconstruct(batch, hidden)
        loss.backward()
        answers.append((loss, predictions, {name: p.grad for name, p in parameters.items()}))
    assert answers[0][0].item() == pytest.approx(answers[1][0].item(), abs=1e-6)
    for view in SIZES:
        assert torch.allclose(answers[0][1][view], answers[1][1][view], atol=1e-5)
    for name, gradient in answers[0][2].items():
        other = answers[1][2][name]
        if gradient is None or other is None:
            assert gradient is other is None, name
        else:
            assert (gradient - other).abs().max() < 1e-5, name


def test_only_visible_pixels_and_their_places_enter_the_predictions() -> None:
    model, batch, hidden = mae(), images(), masks()
    changed = {}
    for view, image in batch.items():
        stride = model.config.stem.token_stride(image.ndim - 2)
        tokens = TokenMask.of(hidden[view])
        held = torch.zeros_like(to_slices(image))
        held[:] = to_slices(image) + 3.0
        seen = to_slices(image)
        gy, gz = image.shape[3] // 16, (image.shape[4] if image.ndim == 5 else 1)
        for sample, indices in enumerate(tokens.visible.tolist()):
            for index in indices:
                z, x, y = index % gz, 16 * (index // (gy * gz)), 16 * (index // gz % gy)
                held[sample, z, x : x + 16, y : y + 16] = seen[sample, z, x : x + 16, y : y + 16]
        assert group_patches(held, stride).shape == group_patches(seen, stride).shape
        back = held.permute(0, 4, 2, 3, 1)
        changed[view] = back if image.ndim == 5 else back.squeeze(-1)
    with torch.no_grad():
        first, second = model.reconstruct(batch, hidden), model.reconstruct(changed, hidden)
    assert all(torch.equal(first.predictions[v], second.predictions[v]) for v in batch)
    assert abs(first.loss.item() - second.loss.item()) > 1.0


def test_the_loss_is_the_mean_over_views_of_the_error_on_masked_patches() -> None:
    model, batch, hidden = mae(), images(), masks()
    with torch.no_grad():
        loss, predictions = model.reconstruct(batch, hidden)
    by_view = []
    for view, image in batch.items():
        held = to_slices(image)
        patches = group_patches(held, (16, 16, 1)).permute(0, 2, 3, 1, 4).flatten(1, 3)
        wanted = patches[hidden[view]].reshape(predictions[view].shape)
        by_view.append((predictions[view] - wanted).square().mean().item())
    assert loss.item() == pytest.approx(sum(by_view) / 2, rel=1e-5)


def test_normalised_targets_ignore_brightness_and_contrast() -> None:
    """Predictions for the images given are as far from the normalised patches of their brighter copies."""
    model, batch, hidden = mae(normalise_targets=True), images(), masks()
    with torch.no_grad():
        loss, predictions = model.reconstruct(batch, hidden)
        brighter = {view: 0.5 * x + 0.3 for view, x in batch.items()}
        errors = []
        for view in batch:
            patches = masked_pixels(brighter[view], hidden[view])
            deviation, mean = torch.std_mean(patches, dim=-1, keepdim=True)
            errors.append((predictions[view] - (patches - mean) / deviation).square().mean().item())
    assert loss.item() == pytest.approx(sum(errors) / 2, rel=1e-3)


def test_a_view_with_nothing_masked_does_not_count() -> None:
    model, batch, hidden = mae(), images(), masks()
    none = torch.zeros_like(hidden["lax_4c"])
    with torch.no_grad():
        loss, predictions = model.reconstruct(batch, {**hidden, "lax_4c": none})
        assert predictions["lax_4c"].shape == (2, 0, 256)
        alone = (predictions["sax"] - masked_pixels(batch["sax"], hidden["sax"])).square().mean()
    assert loss.item() == pytest.approx(alone.item(), rel=1e-5)
    with pytest.raises(UsageError, match="no token is masked"):
        model.reconstruct({"lax_4c": batch["lax_4c"]}, {"lax_4c": none})


def masked_pixels(image: Tensor, mask: Tensor) -> Tensor:
    patches = group_patches(to_slices(image), (16, 16, 1)).permute(0, 2, 3, 1, 4).flatten(1, 3)
    return patches[mask].reshape(image.shape[0], -1, 256)


def test_several_masks_of_an_image_are_as_many_passes() -> None:
    model, batch = mae(), images()
    first, second = masks(), {view: mask.flip(1) for view, mask in masks().items()}
    both = {view: torch.stack([first[view], second[view]], dim=1).flatten(0, 1) for view in first}
    with torch.no_grad():
        loss, predictions = model.reconstruct(batch, both)
        alone = [model.reconstruct(batch, one) for one in (first, second)]
    assert loss.item() == pytest.approx((alone[0].loss.item() + alone[1].loss.item()) / 2, rel=1e-5)
    for view, found in predictions.items():
        expected = torch.stack([one.predictions[view] for one in alone], dim=1).flatten(0, 1)
        assert torch.allclose(found, expected, atol=1e-5)
    with pytest.raises(UsageError, match="3 masks of view 'sax' for 2 images"):
        model.reconstruct(batch, {view: mask[:3] for view, mask in both.items()})


def test_asking_for_a_part_of_the_hidden_tokens_changes_no_answer() -> None:
    model, batch = mae(), images()
    whole = {view: TokenMask.of(mask) for view, mask in masks().items()}
    part = {view: TokenMask(visible=m.visible, masked=m.masked[:, 1::2]) for view, m in whole.items()}
    with torch.no_grad():
        all_of_them, some = model.reconstruct(batch, whole), model.reconstruct(batch, part)
    for view, found in some.predictions.items():
        assert torch.allclose(found, all_of_them.predictions[view][:, 1::2], atol=1e-5)


def test_recomputing_changes_no_gradient() -> None:
    batch, hidden = images(), masks()
    gradients = []
    for on in (False, True):
        model = mae()
        checkpoint_activations(model, on)
        model(batch, hidden).loss.backward()
        gradients.append([p.grad for p in model.parameters() if p.grad is not None])
    assert len(gradients[0]) > 150
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_any_size_and_any_subset_of_views() -> None:
    model = mae()
    with torch.no_grad():
        features = model.features({"lax_4c": torch.rand(1, 1, 40, 70)})
    assert features["lax_4c"].shape == (1, 3 * 5, 16) and features["cls"].shape == (1, 1, 16)
    sizes = {"lax_4c": (40, 70)}
    batch = images(sizes)
    with torch.no_grad():
        predictions = model(batch, masks(sizes)).predictions
    assert predictions["lax_4c"].shape == (2, 12, 256)


def test_wrong_calls_are_named() -> None:
    model = mae()
    assert model.views == (View.SAX, View.LAX_4C)
    with pytest.raises(UsageError, match=r"views \['lax_3c'\] given"):
        model.features({"lax_3c": torch.zeros(1, 1, 16, 16)})
    with pytest.raises(UsageError, match=r"'sax' has no mask; masks were given for \['lax_4c'\]"):
        model.reconstruct(images(), {"lax_4c": masks()["lax_4c"]})
    with pytest.raises(UsageError, match="without views"):
        CineMAConfig(image_sizes={}, vit=vit_size("tiny"))


@pytest.mark.medium
def test_training_lowers_the_loss() -> None:
    torch.manual_seed(0)
    model, batch, hidden = mae().train(), images(), masks()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        loss = model(batch, hidden).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
