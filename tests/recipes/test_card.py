"""The card of a trained model: what it takes and gives, and how it was trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from small_runs import STUDIES, data, small

from cinema_cmr.core.card import SeenFrames
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.seen_frames import hashes_of
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.recipes.card import combined_licence, start_title
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


def licensed(model: LoadedModel, licence: str) -> LoadedModel:
    return replace(model, card=replace(model.card, licence=licence))


def test_weights_inherit_the_condition_of_those_they_start_from(tmp_path: Path) -> None:
    start = licensed(finetune(small(), data(), tmp_path / "first").load(), "non-commercial")
    owned = replace(data(), card=replace(data().card, derived_licence="set by the owner"))
    card = finetune(small(), owned, tmp_path / "second", start=start).card
    assert card.licence == "non-commercial (small); and set by the owner (the training data)"


def test_free_licences_add_nothing_and_equal_ones_stand_once() -> None:
    assert combined_licence({"a": "MIT (synthetic)", "the training data": "CC BY-NC-SA 4.0"}) == "CC BY-NC-SA 4.0"
    assert combined_licence({"a": "MIT (synthetic)", "the training data": "CC0 1.0"}) == "MIT (synthetic)"
    assert combined_licence({"a": "NC", "b": "NC", "the training data": "NC"}) == "NC"


def test_a_card_states_the_frames_that_were_learned_from_and_those_of_what_it_was_made_of(tmp_path: Path) -> None:
    hashes = [hashes_of([study], [View.SAX]) for study in STUDIES]
    first = finetune(small(), data(), tmp_path / "first").load()
    assert first.card.seen_frames == SeenFrames(learned=hashes[0] | hashes[1])
    patient = small().with_train(n_steps=9, validate_every=1, patience=1)
    second = finetune(patient, data(train=[1], val=[2]), tmp_path / "second", start=first)
    assert second.card.seen_frames == SeenFrames(learned=hashes[0] | hashes[1], chosen=hashes[2])
    third = finetune(small(), data(train=[2], val=[0]), tmp_path / "third", teacher=second.load())
    assert third.card.seen_frames == SeenFrames(learned=frozenset().union(*hashes))
