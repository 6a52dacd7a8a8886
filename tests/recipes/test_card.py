"""The card of a trained model: what it takes and gives, and how it was trained."""

from __future__ import annotations

from pathlib import Path

from small_runs import data, small

from cinema_cmr.core.vocabulary import View
from cinema_cmr.recipes.card import start_title
from cinema_cmr.recipes.finetune import finetune


def test_a_card_records_how_the_model_was_trained(tmp_path: Path) -> None:
    loaded = finetune(small(), data(), tmp_path).load()
    card = loaded.card
    assert (card.name, card.architecture, card.licence) == ("small", "unet2d", "CC0 for all")
    assert card.outputs == ("background", "rv", "myo", "lv") and set(card.grids) == {View.SAX}
    assert card.training["data"] == "Synthetic hearts" and card.training["n_studies"] == 2
    assert card.training["split_sha256"] == data().split.sha256
    assert set(card.training["validation"]) == {"dice_rv", "dice_myo", "dice_lv"}
    assert start_title(None) == "random weights" and start_title(loaded).startswith("small ")
