"""What every table states about its runs, and the models that cannot run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from oracles import Oracle, annotated, heart, segmenter

from cinema_cmr.bench.benchmark import describe_settings, unavailable_models
from cinema_cmr.bench.data import BenchDataset
from cinema_cmr.bench.run import BenchOptions
from cinema_cmr.core.card import SeenFrames, seen_facts
from cinema_cmr.data.cases import DatasetCard, Split
from cinema_cmr.data.seen_frames import hashes_of
from cinema_cmr.data.training_set import TrainingData
from cinema_cmr.models.loaded import LoadedModel

CARD = DatasetCard(name="hearts", title="Hearts", licence="CC0", citation="", how_to_get="")
SPLIT = Split(dataset="hearts", parts={"train": ("a",), "validation": ("b",)}, rule="by hand")


def test_settings_are_sentences() -> None:
    data = TrainingData(card=CARD, split=SPLIT, train=[annotated(heart(), "a")], val=[annotated(heart(), "b")])
    options = BenchOptions(root=Path(), preset="coarse", steps=7)
    first, second, third = describe_settings(options, [BenchDataset(name="h", data=data)], part="test")
    assert first == "Data: h (Hearts: 1 training patients, 1 held out, part test)."
    assert second.startswith("Preset coarse:") and third == "Every run: 7 updates."


def test_settings_state_how_many_patients_choose_and_their_draw() -> None:
    hearts = [annotated(heart(), name) for name in "abcd"]
    dataset = BenchDataset(name="h", data=TrainingData(card=CARD, split=SPLIT, train=hearts[:3], val=hearts[3:]))
    options = BenchOptions(root=Path(), patience=2, validate_every=5, choose_by=1)
    apart = replace(dataset, choose_by=1)
    for given in (apart, apart.set_apart()):  # of a benchmark and of a curve
        data, chosen = describe_settings(options, [given], part="validation")
        assert "2 training patients, 1 held out, part validation" in data
        assert chosen.endswith(
            "the best; 1 patients of the part train, drawn stratified by group with seed 0, neither trained on nor"
            " scored, choose them."
        )
    _, chosen = describe_settings(options, [apart, apart], part="validation")
    assert "of the part train of each dataset, drawn" in chosen
    options = replace(options, choose_by=0)
    _, chosen = describe_settings(options, [replace(dataset, choosing=hearts[:1])], part="test")
    assert "; 1 patients of the validation part, neither" in chosen


def test_a_start_that_has_seen_held_out_patients_is_warned_of() -> None:
    learned, held_out = annotated(heart((9.0,)), "a"), annotated(heart((12.0,)), "b")
    dataset = BenchDataset(name="h", data=TrainingData(card=CARD, split=SPLIT, train=[learned], val=[held_out]))
    for study, warned in ((held_out, True), (learned, False)):
        facts = seen_facts([SeenFrames(learned=hashes_of([study], ["sax"]))])
        start = LoadedModel(model=Oracle(), card=replace(segmenter().card, training=facts))
        options = BenchOptions(root=Path(), starts={"start": start})
        settings = describe_settings(options, [dataset], part="test")
        assert [text for text in settings if text.startswith("Warning")] == warned * [
            f"Warning (h, held out): of the 1 patient here {start.card.name} has learned from 1: expect it to do worse"
            " on new ones."
        ]


def test_a_model_that_needs_a_pre_training_is_unavailable_without_one() -> None:
    options = BenchOptions(root=Path())
    assert list(unavailable_models(options, ["cinema", "unet"])) == ["cinema"]
    assert unavailable_models(options, ["unet"]) == {}
