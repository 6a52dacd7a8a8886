"""Weights in eight bits: small, close by a known bound, and only what is large is changed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_models import images, unetr, unetr_card

from cinema_cmr.core.errors import WeightsError
from cinema_cmr.models.cards import WEIGHTS_FILE
from cinema_cmr.models.catalogue import import_weights
from cinema_cmr.models.compact.quantised import dequantise, quantise_int8
from cinema_cmr.models.weights import load_model, save_model


def test_each_number_is_within_half_a_step_of_its_rows_largest() -> None:
    torch.manual_seed(0)
    rows = torch.randn(16, 4, 5, 5) * torch.logspace(-6, 3, 16).view(-1, 1, 1, 1)
    again = dequantise(quantise_int8({"w": rows}))["w"]
    largest = rows.flatten(1).abs().amax(1).view(-1, 1, 1, 1)
    assert bool(((again - rows).abs() <= largest / 254 * 1.001).all())
    assert torch.equal(again.flatten(1).abs().amax(1), largest.flatten())


def test_a_row_of_zeros_stays_zero() -> None:
    rows = torch.zeros(2, 1024)
    rows[1] = 1.0
    assert torch.equal(dequantise(quantise_int8({"w": rows}))["w"], rows)


def test_small_tensors_and_counts_stay_as_they_are() -> None:
    state = {"bias": torch.randn(5000), "token": torch.randn(1, 1, 64), "count": torch.arange(2000).view(2, 1000)}
    stored = quantise_int8(state)
    assert list(stored) == list(state)
    assert all(stored[name] is x for name, x in state.items())


def test_a_number_that_is_not_finite_is_told() -> None:
    rows = torch.ones(8, 200)
    rows[3, 4] = float("inf")
    with pytest.raises(WeightsError, match="has numbers that are not finite"):
        quantise_int8({"blocks.w": rows})


@pytest.mark.medium
def test_a_model_in_eight_bits_loads_and_answers_alike(tmp_path: Path) -> None:
    full = save_model(tmp_path / "full", unetr(), unetr_card())
    card = import_weights(full, tmp_path / "small", precision="int8")
    sizes = [(folder / WEIGHTS_FILE).stat().st_size for folder in (tmp_path / "small", full)]
    large = sum(x.numel() for x in unetr().state_dict().values() if x.ndim > 1 and x.numel() >= 1024)
    assert sizes[1] - sizes[0] > 2 * large  # three bytes of four, less the steps and their names
    loaded = load_model(tmp_path / "small")
    assert loaded.card == card
    with torch.no_grad():
        own, again = unetr()(images()), loaded.model(images())
    for view, x in own.items():
        assert again[view].dtype == torch.float32
        assert not torch.equal(again[view], x)
        assert float((again[view] - x).std() / x.std()) < 0.1
