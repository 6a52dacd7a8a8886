"""Cards are read without weights and without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from small_models import unetr, unetr_card

from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.models.cards import CARD_FILE, check_pin, embedded_folder, read_card, split_pin
from cinema_cmr.models.weights import load_model, save_model, weights_hash


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


SHA = read_card(embedded_folder("cinema-small")).weights_sha256


def test_a_pin_is_the_beginning_of_the_hash() -> None:
    assert weights_hash(f"cinema-small@{SHA[:8]}") == weights_hash(f"cinema-small@{SHA.upper()}") == SHA
    with pytest.raises(WeightsError, match=f"SHA-256 {SHA[:12]}.*expected 000000000000"):
        load_model("cinema-small@" + 64 * "0")
    check_pin(read_card(embedded_folder("cinema-small")), "")


@pytest.mark.parametrize("name", ["cinema-small@", "cinema-small@12", "cinema-small@latest", "@01234567"])
def test_what_is_no_hash_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="expected NAME@HASH"):
        split_pin(name)


def test_a_path_that_exists_is_no_pin(tmp_path: Path) -> None:
    (tmp_path / "run@lab").mkdir()
    assert split_pin(tmp_path / "run@lab") == (str(tmp_path / "run@lab"), "")
