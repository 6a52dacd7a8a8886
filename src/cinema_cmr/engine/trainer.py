"""The one training loop: any task, any model, resumable at any step with the same result."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import nn

from cinema_cmr.core.errors import CinemaError, UsageError
from cinema_cmr.core.plain_values import to_plain
from cinema_cmr.data.loader import EpochSampler, SampleSet, make_loader
from cinema_cmr.data.sample import Batch, collate
from cinema_cmr.engine.checkpoint import read_checkpoint, write_checkpoint
from cinema_cmr.engine.journal import Journal
from cinema_cmr.engine.known import mean_of_known
from cinema_cmr.engine.optim import Average, OptimConfig, learning_rate, make_optimiser
from cinema_cmr.engine.runtime import choose_runtime
from cinema_cmr.tasks.task import Task

__all__ = ["Progress", "TrainConfig", "train"]

_FABRIC_PRECISION: dict[str, Literal["32-true", "bf16-mixed"]] = {"fp32": "32-true", "bf16": "bf16-mixed"}


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long and how a run goes; what is learned stands in the task, what learns in the model."""

    n_steps: int
    """Updates of the weights."""
    batch_size: int = 1
    """Samples of one pass."""
    accumulate: int = 1
    """Passes whose gradients are summed to one update."""
    seed: int = 0
    accelerator: str = "auto"
    """The device, as in `engine.runtime.choose_runtime`."""
    precision: str = "auto"
    """"fp32", "bf16", or what the device computes in."""
    workers: int = 0
    """Processes that prepare samples; the result is the same for any number."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    log_every: int = 50
    validate_every: int = 1000
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        if min(self.n_steps, self.batch_size, self.accumulate) < 1:
            raise UsageError(
                f"{self.n_steps} steps of {self.accumulate} batches of {self.batch_size}; expected at least 1 of each"
            )
        if min(self.log_every, self.validate_every, self.checkpoint_every) < 1 or min(self.workers, self.seed) < 0:
            raise UsageError(
                f"logs, validation and checkpoints every {self.log_every}, {self.validate_every} and"
                f" {self.checkpoint_every} steps, {self.workers} workers, seed {self.seed}; expected at"
                " least 1 step,"
                " and workers and seed from 0 on"
            )

    def shapes_weights(self) -> dict[str, Any]:
        """The settings that the result depends on, plain; a run can only go on with the same."""
        names = ("n_steps", "batch_size", "accumulate", "seed", "optim")
        plain: dict[str, Any] = to_plain(self, "train")
        return {name: plain[name] for name in names}


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run is, for a bar or a log."""

    step: int
    n_steps: int
    loss: float
    samples_per_s: float
    validation: dict[str, float] | None = None


def train(
    model: nn.Module,
    task: Task[Any],
    *,
    learn: Sequence[Any],
    validate: Sequence[Any],
    config: TrainConfig,
    folder: Path,
    report: Callable[[Progress], None] | None = None,
) -> nn.Module:
    """Train `model` on the examples of a task, or go on from the folder's checkpoint; the averaged model.

    A run that was cut off at any moment and started again gives the weights of an uninterrupted one (bit for
    bit on a CPU): samples, draws and dropout depend on (seed, step) only. Raises `CinemaError` that
    names step and cases where loss or gradient are no number, `UsageError` where the folder holds
    another run.
    """
    run = _Run(model, task, learn=learn, validate=validate, config=config, folder=folder)
    run.resume()
    for progress in run.steps():
        if report is not None:
            report(progress)
    model.load_state_dict(run.average.state())
    return model.eval()


class _Run:
    """The loop's state; `steps` yields whenever there is something to tell."""

    def __init__(
        self,
        model: nn.Module,
        task: Task[Any],
        *,
        learn: Sequence[Any],
        validate: Sequence[Any],
        config: TrainConfig,
        folder: Path,
    ) -> None:
        self.task, self.config, self.folder = task, config, folder
        self.plain = model
        runtime = choose_runtime(config.accelerator, config.precision)
        self.fabric = Fabric(accelerator=runtime.device, devices=1, precision=_FABRIC_PRECISION[runtime.precision])
        self.model, self.optimiser = self.fabric.setup(model, make_optimiser(model, config.optim))
        self.average = Average(model, config.optim.average)
        self.learn = SampleSet(learn, task.sample, seed=config.seed)
        self.validate = SampleSet(validate, task.sample, seed=None)
        self.step = 0
        self.journal = Journal(folder)

    def resume(self) -> None:
        """Take up the folder's checkpoint, if there is one; raises `UsageError` for another run's."""
        state = read_checkpoint(self.folder)
        if state is not None:
            self._check_same_run(state)
            self.plain.load_state_dict(state["model"])
            self.average.load(state["average"], state["n_updates"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step = state["step"]
        self.journal.forget_after(self.step)

    def _identity(self) -> dict[str, Any]:
        """What a checkpoint must share with a run that goes on from it, plain."""
        shapes = {name: list(value.shape) for name, value in self.plain.state_dict().items()}
        return {**self.config.shapes_weights(), "examples": len(self.learn), "model": shapes}

    def _check_same_run(self, state: Mapping[str, Any]) -> None:
        mine, its = self._identity(), state.get("run", {})
        other = [name for name in mine if its.get(name) != mine[name]]
        if other:
            raise UsageError(
                f"the folder '{self.folder.name}' holds a checkpoint of another run, which differs in"
                f" {', '.join(other)}; choose another folder, or the same settings to go on"
            )

    def steps(self) -> Iterator[Progress]:
        """Train to the end; a `Progress` every `log_every` steps and after each validation."""
        config = self.config
        batches = iter(self._loader())
        started, losses = time.monotonic(), list[float]()
        while self.step < config.n_steps:
            losses.append(self._update(list(itertools.islice(batches, config.accumulate))))
            self.step += 1
            last = self.step == config.n_steps
            scores = self._validated() if last or self.step % config.validate_every == 0 else None
            if last or self.step % config.checkpoint_every == 0:
                self._save()
            if last or scores or self.step % config.log_every == 0:
                seen = len(losses) * config.batch_size * config.accumulate
                yield self._told(float(np.mean(losses)), seen / (time.monotonic() - started), scores)
                started, losses = time.monotonic(), []

    def _loader(self) -> Any:
        config = self.config
        per_step = config.batch_size * config.accumulate
        sampler = EpochSampler(len(self.learn), seed=config.seed, start=self.step * per_step)
        loader = make_loader(self.learn, sampler, batch_size=config.batch_size, workers=config.workers)
        return self.fabric.setup_dataloaders(loader, use_distributed_sampler=False, move_to_device=False)

    def _update(self, batches: Sequence[Batch]) -> float:
        """One update of the weights from the summed gradients of its batches; the mean loss."""
        config = self.config
        torch.manual_seed(int(np.random.SeedSequence((config.seed, self.step)).generate_state(1)[0]))
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(config.optim, self.step, config.n_steps)
        total = 0.0
        for batch in (batch.to(self.fabric.device) for batch in batches):
            loss = self.task.loss(self.model, batch).total / len(batches)
            value = float(loss.detach())
            self._check("loss", value, batch.names)
            self.fabric.backward(loss)
            total += value
        norm = self.fabric.clip_gradients(
            self.model, self.optimiser, max_norm=config.optim.clip_norm, error_if_nonfinite=False
        )
        names = [name for batch in batches for name in batch.names]
        self._check("norm of the gradient", 0.0 if norm is None else float(norm), names)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.average.update(self.plain)
        return total

    def _check(self, what: str, value: float, names: Sequence[str]) -> None:
        if not np.isfinite(value):
            raise CinemaError(
                f"the {what} is {value} at step {self.step + 1}, on {', '.join(names)}; look at these"
                " cases, or lower"
                " the learning rate"
            )

    @torch.no_grad()
    def _validated(self) -> dict[str, float]:
        """Mean of the task's quick scores over the validation examples, with the averaged weights."""
        trained = {name: value.clone() for name, value in self.plain.state_dict().items()}
        self.plain.load_state_dict(self.average.state())
        self.model.eval()
        rows: dict[str, list[float]] = {}
        for index in range(len(self.validate)):
            batch = collate([self.validate[(0, index)]]).to(self.fabric.device)
            for name, values in self.task.validation(self.model, batch).items():
                rows.setdefault(name, []).extend(values)
        self.plain.load_state_dict(trained)
        return {name: mean_of_known(values) for name, values in rows.items()}

    def _save(self) -> None:
        state = {
            "model": self.plain.state_dict(),
            "average": self.average.state(),
            "n_updates": self.average.n_updates,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "run": self._identity(),
        }
        write_checkpoint(self.folder, state)

    def _told(self, loss: float, rate: float, scores: dict[str, float] | None) -> Progress:
        self.journal.write(self.step, "train", {"loss": loss, "samples_per_s": rate})
        if scores:
            self.journal.write(self.step, "validation", scores)
        return Progress(step=self.step, n_steps=self.config.n_steps, loss=loss, samples_per_s=rate, validation=scores)
