"""A run ends when its validation no longer improves: where it ends, which weights it gives, and after a kill too."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from oracles import annotated, heart
from torch import Tensor, nn

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import RunStoppedError, UsageError
from cinema_cmr.data.sample import Batch
from cinema_cmr.engine import trainer
from cinema_cmr.engine.checkpoint import RunState, read_checkpoint, write_checkpoint
from cinema_cmr.engine.early_stopping import EarlyStopping
from cinema_cmr.engine.optim import OptimConfig
from cinema_cmr.engine.progress import Progress
from cinema_cmr.engine.trainer import TrainConfig, train
from cinema_cmr.models.baselines import UNet2d, UNet2dConfig
from cinema_cmr.tasks.segment import SegmentConfig, SegmentTask
from cinema_cmr.tasks.task import Loss, Task

NAN = float("nan")
SCRIPT = {2: 0.5, 4: 0.6, 6: 0.55, 8: 0.7, 10: 0.7, 12: NAN, 14: 0.9}
"""Score by step. With a patience of 2 it ends at 12: step 8 resets the count, a tie and NaN are no improvement."""
CONFIG = SegmentConfig(grid=Grid(spacing_mm=3.0, size=(32, 32)))
EXAMPLES = [
    SegmentTask(CONFIG, nn.Identity()).examples(annotated(heart((radius,)), f"heart {radius}"))[0]
    for radius in (10.0, 12.0, 14.0)
]


class Counted(nn.Module):
    """A network that counts its updates; the average and the checkpoint copy the number."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.unet = UNet2d(UNet2dConfig(view="sax", out_chans=4, chans=(4, 8)))
        self.register_buffer("n", torch.zeros((), dtype=torch.long))

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = self.unet(images)
        return found


class Scripted(SegmentTask):
    """A segmentation whose scores are written down."""

    script: Mapping[int, float] = SCRIPT

    def loss(self, batch: Batch) -> Loss:
        self.network.n += 1
        return super().loss(batch)

    def validate(self, batch: Batch) -> dict[str, list[float]]:
        return {"dice_lv": [self.script.get(int(self.network.n), 0.0)], "dice_rv": [NAN]}


def config(**changes: object) -> TrainConfig:
    values: dict[str, object] = {
        "n_steps": 40,
        "log_every": 1,
        "validate_every": 2,
        "checkpoint_every": 3,
        "patience": 2,
        "accelerator": "cpu",
        "precision": "fp32",
        "optim": OptimConfig(lr=1e-2, warmup_steps=2, ema_decay=0.9),
        **changes,
    }
    return TrainConfig(**values)  # type: ignore[arg-type]


def run(
    folder: Path, report: Callable[[Progress], None] | None = None, n_val: int = 1, **changes: object
) -> dict[str, Tensor]:
    task = Scripted(CONFIG, Counted())
    val = EXAMPLES[:n_val]
    return train(task, train=EXAMPLES, val=val, config=config(**changes), folder=folder, report=report).state_dict()


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def ended(steps: list[Progress]) -> tuple[object, ...]:
    return steps[-1].step, steps[-1].stopped, repr(steps[-1].best)  # as text: NaN differs from itself


def journal(folder: Path) -> list[str]:
    return [line for line in (folder / "journal.csv").read_text().splitlines() if "samples_per_s" not in line]


class CutError(Exception):
    """Stands for a kill."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Tensor], list[Progress]]:
    folder, steps = tmp_path_factory.mktemp("whole"), list[Progress]()
    return folder, run(folder, steps.append), steps


@pytest.mark.medium
def test_it_ends_at_the_right_step_with_the_best_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: tuple[Path, dict[str, Tensor], list[Progress]]
) -> None:
    averages: dict[int, dict[str, Tensor]] = {}

    def keep(folder: Path, state: RunState) -> None:
        averages[state["step"]] = {name: value.clone() for name, value in state["ema"].items()}

    monkeypatch.setattr(trainer, "write_checkpoint", keep)
    run(tmp_path, patience=0, checkpoint_every=1)
    folder, weights, steps = whole
    assert len(averages) == 40 and same(weights, averages[8]) and not same(weights, averages[12])
    last = steps[-1]
    assert (last.step, last.n_steps, last.n_expected, last.seconds_left) == (12, 40, 12, 0.0)
    assert last.stopped == "stopped at step 12: no better than step 8 for 2 validations"
    assert last.best is not None and (last.best.step, last.best.score) == (8, 0.7)
    assert last.scores_of_weights is not None and last.scores_of_weights["dice_lv"] == 0.7
    assert steps[0].may_stop_early and steps[0].stopped == "" and steps[0].n_expected == 40
    rows = [line for line in journal(folder) if ",selection," in line]
    assert rows[-2:] == ["12,selection,score,nan", "12,selection,best_step,8"] and len(rows) == 12


@pytest.mark.medium
@pytest.mark.parametrize("cut_after", [1, 5, 8, 10, 11])
def test_a_run_killed_and_resumed_ends_alike(
    tmp_path: Path, cut_after: int, whole: tuple[Path, dict[str, Tensor], list[Progress]]
) -> None:
    def cut(progress: Progress) -> None:
        if progress.step == cut_after:
            raise CutError

    with pytest.raises(CutError):
        run(tmp_path, cut)
    again: list[Progress] = []
    assert same(run(tmp_path, again.append), whole[1])
    assert journal(tmp_path) == journal(whole[0])
    assert ended(again) == ended(whole[2])


@pytest.mark.medium
@pytest.mark.parametrize("step", [8, 9, 12])
def test_a_kill_right_after_a_checkpoint_ends_alike(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
    whole: tuple[Path, dict[str, Tensor], list[Progress]],
) -> None:
    """Step 12 is the last: nothing is trained again, and the card still has its scores."""

    def write_and_die(folder: Path, state: RunState) -> None:
        write_checkpoint(folder, state)
        if state["step"] == step:
            raise CutError

    every = {8: 4, 9: 3, 12: 100}[step]
    with monkeypatch.context() as patched, pytest.raises(CutError):
        patched.setattr(trainer, "write_checkpoint", write_and_die)
        run(tmp_path, checkpoint_every=every)
    again: list[Progress] = []
    assert same(run(tmp_path, again.append, checkpoint_every=every), whole[1])
    assert ended(again) == ended(whole[2])
    assert journal(tmp_path) == journal(whole[0])


def test_a_run_that_is_ended_by_hand_has_the_best_weights_so_far(tmp_path: Path) -> None:
    def cut(progress: Progress) -> None:
        if progress.step == 11:
            raise CutError

    with pytest.raises(CutError):
        run(tmp_path, cut)
    steps = list[Progress]()
    task = Scripted(CONFIG, Counted())
    given = {"train": EXAMPLES, "val": EXAMPLES[:1], "config": config(), "folder": tmp_path}
    weights = train(task, **given, report=steps.append, end_now=True).state_dict()
    (only,) = steps
    assert (only.step, only.ended_by_hand) == (9, True) and only.best is not None and only.best.step == 8
    state = read_checkpoint(tmp_path)
    assert state is not None and same(weights, state["stopping"]["weights"])


def test_without_an_end_the_best_weights_are_kept_all_the_same(tmp_path: Path) -> None:
    steps: list[Progress] = []
    weights = run(tmp_path, steps.append, n_steps=10, patience=5)
    assert steps[-1].step == 10 and steps[-1].stopped == "" and weights["n"] == 8
    assert steps[-1].best is not None and steps[-1].best.step == 8


def test_without_patience_all_updates_are_made_and_nothing_is_chosen(tmp_path: Path) -> None:
    steps: list[Progress] = []
    weights = run(tmp_path, steps.append, patience=0, n_steps=14)
    assert weights["n"] == 14 and steps[-1].best is None and not steps[-1].may_stop_early
    state = read_checkpoint(tmp_path)
    assert state is not None and "stopping" not in state
    assert not {"patience", "validate_every"} & set(state["run"]), "as in a checkpoint of an older version"
    assert ",selection," not in (tmp_path / "journal.csv").read_text()


def test_another_patience_or_interval_is_another_run(tmp_path: Path) -> None:
    run(tmp_path, n_steps=4, patience=1)
    for changes in ({"patience": 3}, {"validate_every": 1}, {"patience": 0}):
        with pytest.raises(UsageError, match=r"another run, which differs in .*(patience|validate_every)"):
            run(tmp_path, **{"n_steps": 4, "patience": 1, **changes})


def test_patience_without_studies_or_score_to_choose_by_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"patience without held-out studies; expected some.*train without patience"):
        run(tmp_path, n_val=0)

    class Unscored(Scripted):
        validation_score = Task.validation_score

    with pytest.raises(UsageError, match="Unscored; expected a task that states its validation_score"):
        train(Unscored(CONFIG, Counted()), train=EXAMPLES, val=EXAMPLES, config=config(), folder=tmp_path)
    assert not (tmp_path / "journal.csv").exists()
    with pytest.raises(UsageError, match="has no validation_score"):
        Unscored(CONFIG, Counted()).validation_score({})


def test_held_out_studies_without_any_score_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scripted, "script", {2: NAN})
    with pytest.raises(UsageError, match=r"no score at step 2 \(dice_lv, dice_rv undefined\); patience needs one"):
        run(tmp_path)


@pytest.mark.medium
def test_a_signal_keeps_the_count(tmp_path: Path, whole: tuple[Path, dict[str, Tensor], list[Progress]]) -> None:
    def send(progress: Progress) -> None:
        if progress.step == 11:  # one validation without improvement, between two checkpoints
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(RunStoppedError):
        run(tmp_path, send)
    assert same(run(tmp_path), whole[1])


def test_the_kept_weights_are_a_copy() -> None:
    stopping, weights = EarlyStopping(1), {"w": torch.ones(2)}
    assert stopping.state() is None and stopping.reason(3) == ""
    stopping.observe(3, 0.5, {"dice": 0.5}, lambda: weights)
    weights["w"] += 1
    stopping.observe(6, 0.4, {"dice": 0.4}, lambda: weights)
    assert stopping.is_over and torch.equal(stopping.weights["w"], torch.ones(2))
    assert stopping.reason(6) == "stopped at step 6: no better than step 3 for 1 validation"
    other = EarlyStopping(1)
    state = stopping.state()
    assert state is not None
    other.load(state)
    assert other.best == stopping.best and other.is_over
