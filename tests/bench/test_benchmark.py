"""What every table states about its runs, and the models that cannot run."""

from __future__ import annotations

from pathlib import Path

from oracles import annotated, heart

from cinema_cmr.bench.benchmark import describe_settings, unavailable_models
from cinema_cmr.bench.data import BenchDataset
from cinema_cmr.bench.run import BenchOptions
from cinema_cmr.data.cases import DatasetCard, Split
from cinema_cmr.data.training_set import TrainingData

CARD = DatasetCard(name="hearts", title="Hearts", licence="CC0", citation="", how_to_get="")
SPLIT = Split(dataset="hearts", parts={"train": ("a",), "validation": ("b",)}, rule="by hand")


def test_settings_are_sentences() -> None:
    data = TrainingData(card=CARD, split=SPLIT, train=[annotated(heart(), "a")], val=[annotated(heart(), "b")])
    options = BenchOptions(root=Path(), preset="coarse", steps=7)
    first, second, third = describe_settings(options, [BenchDataset(name="h", data=data)], part="test")
    assert first == "Data: h (Hearts: 1 training patients, 1 held out, part test)."
    assert second.startswith("Preset coarse:") and third == "Every run: 7 updates."


def test_a_model_that_needs_a_pre_training_is_unavailable_without_one() -> None:
    options = BenchOptions(root=Path())
    assert list(unavailable_models(options, ["cinema", "unet"])) == ["cinema"]
    assert unavailable_models(options, ["unet"]) == {}
