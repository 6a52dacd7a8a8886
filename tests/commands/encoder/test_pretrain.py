"""`cinema pretrain` as a user meets it: one process, two, and one that is told to stop."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from stored_hearts import stored_heart

from cinema_cmr.cli import main
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.population import write_manifest
from cinema_cmr.models.cards import read_card
from cinema_cmr.recipes.pretrain import pretrain
from processes import running, until

SETTINGS = ["--recipe", "tiny", "--device", "cpu", "--precision", "fp32"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six hearts; one has no long-axis view, so that processes differ in the views that they see."""
    folder = tmp_path_factory.mktemp("store")
    for seed in range(6):
        views = [View.SAX] if seed == 3 else [View.SAX, View.LAX_4C]
        stored_heart(folder, f"heart{seed}", views=views, seed=seed)
    write_manifest(folder)
    return folder


def command(store: Path, folder: Path, *words: object) -> list[str]:
    return ["pretrain", "--data", str(store), "-o", str(folder), *SETTINGS, *(str(word) for word in words)]


@pytest.mark.medium
def test_a_store_becomes_a_model(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = command(store, tmp_path, "--steps", 4, "--log-every", 2, "--licence", "CC0", "--json")
    assert main(words) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {"model": str(tmp_path / "model"), "recipe": "tiny"}
    assert "step 2/4, loss 0." in said.err and "images/s" in said.err and "min left" in said.err
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert card["licence"] == "CC0" and card["training"]["n_studies"] == 5
    assert main(command(store, tmp_path / "more", "--steps", 1, "--from", tmp_path / "model")) == 0
    assert main(command(store, tmp_path, "--steps", 5)) == 2
    assert "another run" in capsys.readouterr().err


@pytest.mark.medium
def test_a_run_is_repeated_from_its_configuration_bit_for_bit(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    assert main(command(store, one, "--steps", 2, "--augment", "--title", "hearts")) == 0
    assert main(["pretrain", "--config", str(one / "config.yaml"), "-o", str(two)]) == 0
    assert "not the recorded one" not in capsys.readouterr().err
    options = {"device": "cpu", "precision": "fp32", "augment": True}
    result = pretrain("tiny", store, three, steps=2, **options)
    files = [(folder / "model" / "weights.safetensors").read_bytes() for folder in (one, two, three)]
    assert files[0] == files[1] == files[2] and result.model == three / "model"
    assert json.loads((two / "model" / "card.json").read_text())["training"]["data"] == "hearts"


@pytest.mark.medium
def test_options_that_change_what_is_learned(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--skip-blank",
        "--decoder-token-ratio",
        0.5,
        "--complementary-masks",
        2,
        "--normalise-targets",
        "--steps",
        2,
    ]
    assert main(command(store, tmp_path, *words)) == 0
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert card["training"]["skip_blank"] and card["config"]["normalise_targets"]
    assert (card["training"]["decoder_token_ratio"], card["training"]["complementary_masks"]) == (0.5, 2)
    assert main(command(store, tmp_path / "no", "--complementary-masks", 5)) == 2
    assert "from 1 to 4 masks" in capsys.readouterr().err


def test_what_cannot_be_learned_from_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(tmp_path, tmp_path / "run")) == 3
    assert "cinema prepare" in capsys.readouterr().err


def started(words: list[str]) -> AbstractContextManager[subprocess.Popen[str]]:
    line = [sys.executable, "-m", "cinema_cmr.cli", *words]
    return running(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def losses(folder: Path) -> list[tuple[str, str, float]]:
    with (folder / "journal.csv").open() as file:
        return [
            (row["step"], row["kind"], float(row["value"])) for row in csv.DictReader(file) if "loss" in row["name"]
        ]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_learn_what_one_does_with_the_same_batch(store: Path, tmp_path: Path, strategy: str) -> None:
    """With ddp they even differ in the views that they see."""
    if strategy == "fsdp":
        hearts = [stored_heart(tmp_path / "store", f"heart{seed}", seed=seed) for seed in range(4)]
        store = write_manifest(hearts[0].path.parent).parent
    steps = ["--steps", 9, "--log-every", 1, "--validate-every", 3]
    for folder, words in (("one", ["--batch", 2]), ("two", ["--batch", 1, "--devices", 2, "--strategy", strategy])):
        with started(command(store, tmp_path / folder, *steps, *words)) as process:
            out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        assert out.count("model:") == 1  # the first process alone speaks
    one, two = (losses(tmp_path / folder) for folder in ("one", "two"))
    assert [row[:2] for row in one] == [row[:2] for row in two] and len(one) == 9 + 3
    assert np.allclose([row[2] for row in one], [row[2] for row in two], rtol=1e-4)
    mine, its = (load_file(tmp_path / folder / "model" / "weights.safetensors") for folder in ("one", "two"))
    difference = np.concatenate([(mine[name] - its[name]).ravel() for name in mine])
    assert np.abs(difference).mean() < 1e-5 and np.abs(difference).max() < 2e-3


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_end_together_with_the_best_weights(tmp_path: Path, strategy: str) -> None:
    """At a rate of nearly nothing no validation stays better for long."""
    hearts = [stored_heart(tmp_path / "store", f"heart{seed}", seed=seed) for seed in range(4)]
    store = write_manifest(hearts[0].path.parent).parent
    words = ["--steps", 40, "--batch", 1, "--devices", 2, "--strategy", strategy, "--lr", 1e-12]
    early = ["--validate-every", 2, "--patience", 2, "--log-every", 1, "--set", "train.optim.last_lr=0"]
    with started(command(store, tmp_path / "run", *words, *early)) as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    card = read_card(tmp_path / "run" / "model").training
    best = card["early_stopping"]["step_of_weights"]
    assert card["n_steps"] == best + 4 < 40 and out.count("model:") == 1


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
def test_a_run_that_is_told_to_stop_goes_on_when_called_again(store: Path, tmp_path: Path, devices: int) -> None:
    words = command(store, tmp_path, "--steps", 100_000, "--batch", 1, "--devices", devices, "--log-every", 1)
    journal = tmp_path / "journal.csv"
    with started(words) as process:
        until(lambda: journal.exists() and "\n3,train" in journal.read_text(), seconds=120)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 75, err
    assert "stopped by" in err and "the checkpoint is saved: give the same command to resume" in err
    stopped = int(losses(tmp_path)[-1][0])
    with started(words) as again:
        until(lambda: int(losses(tmp_path)[-1][0]) > stopped, seconds=120)
        again.send_signal(signal.SIGTERM)
        again.communicate(timeout=120)
    steps = [int(row[0]) for row in losses(tmp_path)]
    assert steps == list(range(1, steps[-1] + 1)) and steps[-1] > stopped


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_with_the_bits_of_one_that_was_not(
    store: Path, tmp_path: Path
) -> None:
    """Before the first checkpoint, between two, while one is being written, and late."""
    steps = ["--steps", 120, "--batch", 1, "--log-every", 1, "--checkpoint-every", 4]
    assert main(command(store, tmp_path / "whole", *steps)) == 0
    cut = tmp_path / "cut"

    def journal_has(step: int) -> bool:
        path = cut / "journal.csv"
        return path.exists() and f"\n{step},train" in path.read_text()

    def is_writing() -> bool:
        return journal_has(31) and any(path not in left for path in cut.glob(".*.pt"))

    left: set[Path] = set()
    for moment in (lambda: journal_has(2), lambda: journal_has(20), is_writing, lambda: journal_has(100)):
        left |= set(cut.glob(".*.pt"))
        kill_at(moment, command(store, cut, *steps))
        assert not (cut / "model").exists()
    assert main(command(store, cut, *steps)) == 0
    one, two = ((folder / "model" / "weights.safetensors").read_bytes() for folder in (tmp_path / "whole", cut))
    assert one == two and losses(tmp_path / "whole") == losses(cut)
    assert not list(cut.glob(".*.pt"))


def kill_at(moment: Callable[[], bool], words: list[str]) -> None:
    """Start a run and end it with SIGKILL as soon as the moment has come."""
    with started(words) as process:
        deadline = time.monotonic() + 180
        while not moment():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.002)
