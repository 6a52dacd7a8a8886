"""The one loop: a run that was cut off goes on as if it had not been, and nothing silent happens to its numbers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins import MixedPrecision
from oracles import annotated, heart
from torch import Tensor, nn

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import CinemaError, RunStoppedError, UsageError
from cinema_cmr.data.sample import Batch, Sample
from cinema_cmr.engine import trainer
from cinema_cmr.engine.checkpoint import RunState, read_checkpoint, write_checkpoint
from cinema_cmr.engine.optim import OptimConfig
from cinema_cmr.engine.progress import Progress
from cinema_cmr.engine.trainer import TrainConfig, train
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.models.baselines import UNet2d, UNet2dConfig
from cinema_cmr.tasks.segment import SegmentConfig, SegmentExample, SegmentTask
from cinema_cmr.tasks.task import Loss

CONFIG = SegmentConfig(grid=Grid(spacing_mm=3.0, size=(32, 32)))
TASK = SegmentTask(CONFIG, nn.Identity())
EXAMPLES = [TASK.examples(annotated(heart((radius,)), f"heart {radius}"))[0] for radius in (10.0, 12.0, 14.0)]


class CutError(Exception):
    """Stands for a kill."""


def model() -> nn.Module:
    torch.manual_seed(0)
    return UNet2d(UNet2dConfig(view="sax", out_chans=4, chans=(4, 8)))


def config(**changes: object) -> TrainConfig:
    values: dict[str, object] = {
        "n_steps": 7,
        "log_every": 1,
        "validate_every": 4,
        "checkpoint_every": 3,
        "accelerator": "cpu",
        "precision": "fp32",
        "optim": OptimConfig(lr=1e-2, warmup_steps=2, ema_decay=0.9),
        **changes,
    }
    return TrainConfig(**values)  # type: ignore[arg-type]


def run(
    folder: Path,
    its: TrainConfig,
    report: Callable[[Progress], None] | None = None,
    net: nn.Module | None = None,
    end_now: bool = False,
) -> dict[str, Tensor]:
    task = SegmentTask(CONFIG, net or model())
    trained = train(task, train=EXAMPLES, val=EXAMPLES[:1], config=its, folder=folder, report=report, end_now=end_now)
    return trained.state_dict()


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("cut_after", [1, 3, 5])
def test_a_run_cut_off_and_resumed_gives_the_same_bits(tmp_path: Path, cut_after: int) -> None:
    whole = run(tmp_path / "whole", config())

    def cut(progress: Progress) -> None:
        if progress.step == cut_after:
            raise CutError

    with pytest.raises(CutError):
        run(tmp_path / "cut", config(), cut)
    assert same(run(tmp_path / "cut", config()), whole)
    journals = [
        [line for line in (tmp_path / name / "journal.csv").read_text().splitlines() if "samples_per_s" not in line]
        for name in ("whole", "cut")
    ]
    assert journals[0] == journals[1] and len(journals[0]) > 7


def test_a_kill_right_after_a_checkpoint_loses_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_and_die(folder: Path, state: RunState) -> None:
        write_checkpoint(folder, state)
        raise CutError

    settings = config(checkpoint_every=2, validate_every=2, log_every=1)
    run(tmp_path / "whole", settings)
    with monkeypatch.context() as patched, pytest.raises(CutError):
        patched.setattr(trainer, "write_checkpoint", write_and_die)
        run(tmp_path / "cut", settings)
    run(tmp_path / "cut", settings)
    rows = [
        [line.split(",")[:3] for line in (tmp_path / name / "journal.csv").read_text().splitlines()]
        for name in ("whole", "cut")
    ]
    assert rows[0] == rows[1] and ["2", "validation"] in [row[:2] for row in rows[1]]


def test_accumulating_two_batches_is_one_step_of_both(tmp_path: Path) -> None:
    """Two passes of one sample sum to the gradient of their mean, so the weights agree but for rounding."""
    apart = run(tmp_path / "a", config(n_steps=3, gradient_accumulation=2))
    rows = (tmp_path / "a" / "journal.csv").read_text()
    assert rows.count("train,loss") == 3
    again = run(tmp_path / "b", config(n_steps=3, gradient_accumulation=2))
    assert same(apart, again)
    assert not same(apart, run(tmp_path / "c", config(n_steps=3)))


@pytest.mark.medium
def test_it_learns(tmp_path: Path) -> None:
    told: list[Progress] = []
    run(tmp_path, config(n_steps=60, validate_every=60, optim=OptimConfig(lr=2e-2, ema_decay=0.8)), told.append)
    first, last = (sum(p.loss for p in part) / 10 for part in (told[:10], told[-10:]))
    assert last < 0.7 * first
    assert told[-1].validation is not None and told[-1].validation["dice_lv"] > 0.5


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    done = run(tmp_path, config())
    told: list[Progress] = []
    before = (tmp_path / "journal.csv").read_text()
    assert same(run(tmp_path, config(), told.append), done)
    assert [(one.step, bool(one.validation)) for one in told] == [(7, True)], "its scores, for the card"
    assert (tmp_path / "journal.csv").read_text() == before


def test_a_run_killed_after_its_last_checkpoint_has_its_scores(tmp_path: Path) -> None:
    first: list[Progress] = []
    run(tmp_path, config(), first.append)
    journal = (tmp_path / "journal.csv").read_text().splitlines(keepends=True)
    (tmp_path / "journal.csv").write_text("".join(line for line in journal if ",validation," not in line))
    again: list[Progress] = []
    run(tmp_path, config(), again.append)
    assert again[-1].validation == first[-1].validation
    assert ",validation," in (tmp_path / "journal.csv").read_text()


def test_a_run_that_was_cut_off_is_ended_at_its_checkpoint_and_can_go_on(tmp_path: Path) -> None:
    def cut(progress: Progress) -> None:
        if progress.step == 5:
            raise CutError

    with pytest.raises(UsageError, match=r"no run to end: .* every 3 updates"):
        run(tmp_path / "cut", config(), end_now=True)
    with pytest.raises(CutError):
        run(tmp_path / "cut", config(), cut)
    state, seen = read_checkpoint(tmp_path / "cut"), list[Progress]()
    ended = run(tmp_path / "cut", config(), seen.append, end_now=True)
    assert state is not None and state["step"] == 3 and same(ended, state["ema"])
    (only,) = seen
    assert (only.step, only.n_expected, only.is_updated, only.ended_by_hand) == (3, 3, False, True)
    assert only.stopped == "ended by hand at step 3 of 7" and only.validation
    whole = run(tmp_path / "whole", config())
    assert same(run(tmp_path / "cut", config(), end_now=False), whole)
    run(tmp_path / "cut", config(), seen.append, end_now=True)  # nothing is left to be ended
    assert (seen[-1].step, seen[-1].stopped, seen[-1].ended_by_hand) == (7, "", False)


@pytest.mark.parametrize("change", [{"seed": 1}, {"n_steps": 9}, {"optim": OptimConfig(lr=1e-3)}, {"batch_size": 2}])
def test_another_run_s_folder_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    run(tmp_path, config())
    with pytest.raises(UsageError, match="another run"):
        run(tmp_path, config(**change))


@pytest.mark.medium
def test_float16_scales_its_loss_and_goes_on_with_the_same_scale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU, where it is refused otherwise: gradients that overflow leave a step out, and the scale is kept."""

    def fabric(runtime: Runtime, **several: object) -> Fabric:
        assert runtime.precision == "fp16"
        return Fabric(accelerator="cpu", devices=1, plugins=[MixedPrecision("16-mixed", device="cpu")])

    monkeypatch.setattr(
        "cinema_cmr.engine.trainer.choose_runtime", lambda device, precision: Runtime(device="cpu", precision="fp16")
    )
    monkeypatch.setattr("cinema_cmr.engine.trainer.start_fabric", fabric)
    whole = run(tmp_path / "whole", config())
    assert all(torch.isfinite(value).all() for value in whole.values())
    assert not same(whole, model().state_dict())
    state = read_checkpoint(tmp_path / "whole")
    assert state is not None and state["precision"]["scale"] > 0

    def cut(progress: Progress) -> None:
        if progress.step == 5:
            raise CutError

    with pytest.raises(CutError):
        run(tmp_path / "cut", config(), cut)
    assert same(run(tmp_path / "cut", config()), whole)


@pytest.mark.medium
def test_a_compiled_network_learns_the_same_and_is_saved_as_a_plain_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    plain = run(tmp_path / "plain", config(n_steps=3))
    compiled = run(tmp_path / "compiled", config(n_steps=3, compiled=True))
    assert compiled.keys() == plain.keys()
    assert all(torch.allclose(compiled[name], plain[name], atol=1e-5) for name in plain)
    state = read_checkpoint(tmp_path / "compiled")
    assert state is not None and state["model"].keys() == plain.keys()


class Bad(nn.Module):
    """Answers with no number."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {view: (self.weight * torch.nan).expand(x.shape[0], 4, *x.shape[2:]) for view, x in images.items()}


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_case(tmp_path: Path) -> None:
    with pytest.raises(CinemaError, match=r"loss is nan at step 1, on heart 1\d\.0, frame 0"):
        run(tmp_path, config(), net=Bad())
    assert read_checkpoint(tmp_path) is None


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_a_signal_saves_the_run_and_the_next_call_goes_on(tmp_path: Path, name: str) -> None:
    whole = run(tmp_path / "whole", config())

    def send(progress: Progress) -> None:
        if progress.step == 4:  # between two checkpoints
            os.kill(os.getpid(), getattr(signal, name))

    with pytest.raises(RunStoppedError, match=rf"stopped by {name} after step 4 of 7.*same command"):
        run(tmp_path / "cut", config(), send)
    saved = read_checkpoint(tmp_path / "cut")
    assert saved is not None and saved["step"] == 4
    assert same(run(tmp_path / "cut", config()), whole)


def test_progress_tells_speed_and_the_time_that_is_left(tmp_path: Path) -> None:
    told: list[Progress] = []
    run(tmp_path, config(n_steps=6, log_every=2, batch_size=2), told.append)
    first, last = told[0], told[-1]
    assert first.images_per_s == first.samples_per_s  # one view
    assert first.seconds_left == pytest.approx((6 - first.step) * 2 / first.samples_per_s)
    assert (last.step, last.seconds_left) == (6, 0)


class TwoViews(SegmentTask):
    """Every second heart lies in another view."""

    def sample(self, example: SegmentExample, rng: np.random.Generator | None) -> Sample:
        sample = super().sample(example, None)
        view = "sax" if example.name.startswith("heart 1") else "lax_2c"
        return Sample(name=sample.name, images={view: sample.images["sax"]}, labels={view: sample.labels["sax"]})

    def loss(self, batch: Batch) -> Loss:
        (view,) = batch.images
        weight = {"sax": 1.0, "lax_2c": 3.0}[view]
        return Loss(total=weight * len(batch.names) * next(self.network.parameters()).sum() * 0 + weight)

    def validate(self, batch: Batch) -> dict[str, list[float]]:
        return {"zero": [0.0]}


def test_samples_of_different_views_count_alike_in_one_batch(tmp_path: Path) -> None:
    task = TwoViews(CONFIG, model())
    names = (("heart 1", 10.0), ("heart 12", 12.0), ("other", 14.0))
    examples = [task.examples(annotated(heart((radius,)), name))[0] for name, radius in names]
    told: list[Progress] = []
    its = config(n_steps=1, batch_size=3)
    train(task, train=examples, val=examples, config=its, folder=tmp_path, report=told.append)
    assert told[0].loss == pytest.approx((1 + 1 + 3) / 3)
