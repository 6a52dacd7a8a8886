"""Cards are read without weights and without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from small_models import unetr, unetr_card

from cinema_cmr.core.errors import WeightsError
from cinema_cmr.models.cards import CARD_FILE, embedded_folder, read_card
from cinema_cmr.models.weights import save_model


def test_a_card_is_read_without_its_weights(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "m", unetr(), unetr_card())
    (folder / "weights.safetensors").unlink()
    card = read_card(folder)
    assert card.name == "tiny-segment" and len(card.weights_sha256) == 64


def test_what_is_no_card_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"has no card\.json"):
        read_card(tmp_path)
    (tmp_path / CARD_FILE).write_text("{")
    with pytest.raises(WeightsError, match="is not JSON"):
        read_card(tmp_path)


def test_an_unknown_name_says_what_could_be_meant() -> None:
    with pytest.raises(WeightsError, match="no model 'nothing'; expected a path that exists, a model inside"):
        embedded_folder("nothing")


def test_no_torch_is_needed() -> None:
    code = "import sys, cinema_cmr.models.cards; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
