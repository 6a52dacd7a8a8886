"""The training loop: any task, any network, resumable at any step with the same result."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from cinema_cmr.core.errors import CinemaError, RunStoppedError, UsageError
from cinema_cmr.core.serialise import Json
from cinema_cmr.data.loader import EpochSampler, SampleSet, make_loader
from cinema_cmr.data.sample import Batch, collate, collate_by_views
from cinema_cmr.engine.checkpoint import RunState, clear_unfinished, read_checkpoint, write_checkpoint
from cinema_cmr.engine.early_stopping import EarlyStopping, check_early_stopping
from cinema_cmr.engine.journal import Journal
from cinema_cmr.engine.optim import EMA, learning_rate, make_optimiser
from cinema_cmr.engine.progress import Progress, Selection
from cinema_cmr.engine.ranks import any_rank, gather_rows, is_first_rank, mean_over_ranks, start_fabric
from cinema_cmr.engine.shards import gather, gather_tensor, shard_optimiser_state, shard_state
from cinema_cmr.engine.stop_signal import StopSignal
from cinema_cmr.engine.train_config import TrainConfig
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.score.statistics import finite_mean
from cinema_cmr.tasks.task import Loss, Task

__all__ = ["TrainConfig", "train"]

Example = TypeVar("Example")

_FIRST_REPORT = 10
"""Updates after which the run reports for the first time, with what it will take."""


def train(
    task: Task[Example],
    *,
    train: Sequence[Example],
    val: Sequence[Example],
    config: TrainConfig,
    folder: Path,
    report: Callable[[Progress], None] | None = None,
    end_now: bool = False,
) -> nn.Module:
    """Train the network of a task, or resume from the folder's checkpoint; return it with averaged weights.

    They are the last ones, or with `config.patience` those of the best validation, and the run may end before
    `config.n_steps`. With `end_now` it ends where its checkpoint is; a later call goes on from there.

    A run that is interrupted at any moment and started again gives the weights of an uninterrupted one (bit for bit on
    a CPU): samples, draws and dropout depend on (seed, step) only. With several processes all of them call this; only
    the first calls `report` and writes files. Raises `CinemaError` that names step and cases if loss or gradient are
    not finite, `UsageError` if the folder holds another run, or no checkpoint to end at, or there is patience and
    nothing to validate with, and `RunStoppedError` on Ctrl-C or a signal, after the checkpoint has been saved.
    """
    run = _Run(task, train=train, val=val, config=config, folder=folder)
    run.resume(end_now=end_now)
    with StopSignal() as signal:
        for progress in run.steps(signal):
            if report is not None and is_first_rank():
                report(progress)
    network = run.blank if config.is_sharded else task.network
    network.load_state_dict(run.weights())
    return network.eval()


class _Run(Generic[Example]):
    """The loop's state; `steps` yields whenever there is progress to report."""

    def __init__(
        self,
        task: Task[Example],
        *,
        train: Sequence[Example],
        val: Sequence[Example],
        config: TrainConfig,
        folder: Path,
    ) -> None:
        self.config, self.folder = config, folder
        self.stopping = EarlyStopping(config.patience) if config.patience else None
        self.validation_score = task.validation_score
        if config.patience:
            check_early_stopping(task, val)
        sample = task.without_network().sample  # before Fabric changes the class of the task
        self.network = task.network
        """Holds the parameters and the state, named without the task's prefix."""
        self.blank = copy.deepcopy(task.network) if config.is_sharded else task.network
        """Receives the gathered weights in the end, as the network itself stays sharded."""
        runtime = choose_runtime(config.accelerator, config.precision)
        self.fabric = start_fabric(runtime, devices=config.devices, nodes=config.nodes, strategy=config.strategy)
        self._scales_loss = runtime.precision == "fp16"
        """Then a gradient out of range is no error: the step is skipped and the loss scaled by less."""
        if config.compiled:
            task.network.compile(dynamic=False)
        self.task = self.fabric.setup_module(task)
        self.task.mark_forward_method("validate")
        self.optimiser = self.fabric.setup_optimizers(
            make_optimiser(self.network, config.optim, fused=not self._scales_loss)
        )
        self.ema = EMA(self.network, config.optim.ema_decay)
        self.train = SampleSet(train, sample, seed=config.seed)
        self.val = SampleSet(val, sample, seed=None)
        self.step = 0
        self.ends_now = False
        self.n_images = 0
        """Images since the last `Progress`, in this process."""
        self.journal = Journal(folder, events=config.tensorboard) if is_first_rank() else None

    def resume(self, *, end_now: bool) -> None:
        """Load the folder's checkpoint; raises `UsageError` for another run's, and for none where the run is to end."""
        if is_first_rank():
            clear_unfinished(self.folder)
        state = read_checkpoint(self.folder)
        if state is not None:
            self._check_same_run(state)
            self.network.load_state_dict(shard_state(state["model"], self.network))
            self.ema.load(shard_state(state["ema"], self.network), state["n_updates"])
            self.optimiser.load_state_dict(shard_optimiser_state(state["optimiser"], self.optimiser))
            self.fabric.strategy.precision.load_state_dict(state.get("precision", {}))
            self.step = state["step"]
            if self.stopping is not None and "stopping" in state:
                self.stopping.load(state["stopping"])
        elif end_now:
            raise UsageError(
                f"no run to end: the folder '{self.folder.name}' holds no checkpoint; expected one, which is written"
                f" every {self.config.checkpoint_every} updates and when a signal stops the run: train first"
            )
        self.ends_now = end_now
        if self.journal is not None:
            self.journal.drop_after(self.step)

    def _identity(self) -> dict[str, Json]:
        """Return the values that a checkpoint must share with a run that resumes from it."""
        shapes: dict[str, Json] = {name: list(value.shape) for name, value in self.network.state_dict().items()}
        frozen = sum(not parameter.requires_grad for parameter in self.network.parameters())
        parts: dict[str, Json] = {"frozen": frozen} if frozen else {}
        return {**self.config.resume_identity(), "examples": len(self.train), "model": shapes, **parts}

    def _check_same_run(self, state: RunState) -> None:
        ours, theirs = self._identity(), state.get("run", {})
        differing = [name for name in {**ours, **theirs} if theirs.get(name) != ours.get(name)]
        if differing:
            raise UsageError(
                f"the folder '{self.folder.name}' holds a checkpoint of another run, which differs in"
                f" {', '.join(differing)}; choose another folder, or the same settings to resume"
            )

    def steps(self, signal: StopSignal) -> Iterator[Progress]:
        """Train to the end; yield a `Progress` after ten, every `log_every` steps and after each validation."""
        config = self.config
        if self._is_over:
            yield self._ended()
            return
        batches = iter(self._loader())
        started, losses, self.n_images = time.monotonic(), list[float](), 0
        first = self.step
        while not self._is_over:
            losses.append(self._update(list(itertools.islice(batches, config.gradient_accumulation))))
            self.step += 1
            is_due = self.step == config.n_steps or self.step % config.validate_every == 0
            scores = self._validate() if is_due else None
            if scores and self.stopping is not None:
                self._observe(scores, self.stopping)
            last = self._is_over
            if not (last or scores) and self.step - first == _FIRST_REPORT < config.log_every:
                yield self._progress(losses, time.monotonic() - started, None)
            if last or scores or self.step % config.log_every == 0:
                yield self._log(losses, time.monotonic() - started, scores)
                started, losses, self.n_images = time.monotonic(), [], 0
            # Last, so that a kill in between repeats the step with all that is written about it.
            if last or self.step % config.checkpoint_every == 0:
                self._save()
            if not last and any_rank(signal.name is not None, self.fabric.device):
                self._stop(signal)

    @property
    def _is_over(self) -> bool:
        stopped = self.stopping is not None and self.stopping.is_over
        return self.ends_now or stopped or self.step == self.config.n_steps

    def _observe(self, scores: dict[str, float], stopping: EarlyStopping) -> None:
        """Compare a validation with the best one; the same in all processes."""
        score = mean_over_ranks(self.validation_score(scores), self.fabric.device)
        stopping.observe(self.step, score, scores, lambda: gather(self.ema.state()))
        if self.journal is not None and stopping.best is not None:
            self.journal.write(self.step, "selection", {"score": score, "best_step": stopping.best.step})

    def weights(self) -> dict[str, Tensor]:
        """Return the averaged weights that are the run's result, gathered; all processes must call this together."""
        if self.stopping is not None and self.stopping.best is not None:
            return self.stopping.weights
        return gather(self.ema.state())

    def _ended(self) -> Progress:
        """Validate a run that was killed between its last checkpoint and its model, so that its card has its scores."""
        scores = self._validate()
        if self.journal is not None and not self.journal.has(self.step, "validation"):
            self.journal.write(self.step, "validation", scores)
        return Progress(
            step=self.step,
            n_steps=self.config.n_steps,
            loss=float("nan"),
            samples_per_s=0.0,
            images_per_s=0.0,
            seconds_left=0.0,
            validation=scores,
            **self._selection(),
        )

    def _selection(self) -> Selection:
        """Return the values of a `Progress` about early stopping."""
        stopping, is_whole = self.stopping, self.step == self.config.n_steps
        stopped = "" if is_whole or stopping is None else stopping.reason(self.step)
        by_hand = self.ends_now and not (is_whole or stopped)
        if by_hand:
            stopped = f"ended by hand at step {self.step} of {self.config.n_steps}"
        best = None if stopping is None else stopping.best
        return {"may_stop_early": stopping is not None, "best": best, "stopped": stopped, "ended_by_hand": by_hand}

    def _loader(self) -> Iterable[Sequence[Batch]]:
        config = self.config
        sampler = EpochSampler(
            len(self.train),
            seed=config.seed,
            start=self.step * config.samples_per_step,
            rank=self.fabric.global_rank,
            world_size=config.world_size,
        )
        loader = make_loader(
            self.train, sampler, batch_size=config.batch_size, workers=config.workers, collate_fn=collate_by_views
        )
        batches: Iterable[Sequence[Batch]] = self.fabric.setup_dataloaders(
            loader, use_distributed_sampler=False, move_to_device=False
        )
        return batches

    def _update(self, passes: Sequence[Sequence[Batch]]) -> float:
        """Update the weights from the summed gradients of the passes; return the mean loss."""
        config, rank = self.config, self.fabric.global_rank
        draw = (config.seed, self.step) if rank == 0 else (config.seed, self.step, rank)
        torch.manual_seed(int(np.random.SeedSequence(draw).generate_state(1)[0]))
        self.task.train()
        for group in self.optimiser.param_groups:
            group["lr"] = group["scale"] * learning_rate(config.optim, self.step, config.n_steps)
        total = 0.0
        for batches in passes:
            loss = self._loss(batches) / len(passes)
            value = float(loss.detach())
            self._check_finite("loss", value, _names(batches))
            self.fabric.backward(loss)
            total += value
        norm = self.fabric.clip_gradients(
            self.task, self.optimiser, max_norm=config.optim.clip_norm, error_if_nonfinite=False
        )
        names = [name for batches in passes for name in _names(batches)]
        if not self._scales_loss:
            self._check_finite("norm of the gradient", 0.0 if norm is None else float(gather_tensor(norm)), names)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.ema.update(self.network)
        return total

    def _loss(self, batches: Sequence[Batch]) -> Tensor:
        """Return the mean loss of the samples of a pass, whose batches differ in their views."""
        on_device = [batch.to(self.fabric.device) for batch in batches]
        self.n_images += sum(len(batch.names) * len(batch.images) for batch in on_device)
        loss: Loss = self.task(*on_device)
        return loss.total

    def _check_finite(self, quantity: str, value: float, names: Sequence[str]) -> None:
        if not np.isfinite(value):
            raise CinemaError(
                f"the {quantity} is {value} at step {self.step + 1}, on {', '.join(names)}; check these cases, or lower"
                " the learning rate"
            )

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        """Return the mean of the task's quick scores over the validation examples, with the averaged weights.

        Several processes divide the examples among them; with sharded weights each takes all of them.
        """
        config = self.config
        first, step = (0, 1) if config.is_sharded else (self.fabric.global_rank, config.world_size)
        trained = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(self.ema.state())
        self.task.eval()
        rows = []
        for index in range(first, len(self.val), step):
            batch = collate([self.val[(0, index)]]).to(self.fabric.device)
            with self.fabric.autocast():  # a method other than forward gets none from Fabric
                rows.append(self.task.validate(batch))
        self.network.load_state_dict(trained)
        values: dict[str, list[float]] = {}
        for row in rows if config.is_sharded else gather_rows(rows):
            for name, scores in row.items():
                values.setdefault(name, []).extend(scores)
        return {name: finite_mean(scores) for name, scores in values.items()}

    def _stop(self, signal: StopSignal) -> None:
        self._save()
        self.fabric.barrier()
        raise RunStoppedError(
            f"stopped by {signal.name or 'a signal to another process'} after step {self.step} of"
            f" {self.config.n_steps}; the checkpoint is saved: give the same command to resume"
            " (finetune and pretrain: with --end-now, to have the model so far)"
        )

    def _save(self) -> None:
        state: RunState = {
            "model": gather(self.network.state_dict()),
            "ema": gather(self.ema.state()),
            "n_updates": self.ema.n_updates,
            "optimiser": gather(self.optimiser.state_dict()),
            "precision": self.fabric.strategy.precision.state_dict(),
            "step": self.step,
            "run": self._identity(),
        }
        stopping = None if self.stopping is None else self.stopping.state()
        if stopping is not None:
            state["stopping"] = stopping
        if is_first_rank():
            write_checkpoint(self.folder, state)

    def _log(self, losses: Sequence[float], seconds: float, scores: dict[str, float] | None) -> Progress:
        """Write the steps since the last call to the journal, and return them as `Progress`."""
        progress = self._progress(losses, seconds, scores)
        if self.journal is not None:
            values = {"loss": progress.loss, "samples_per_s": progress.samples_per_s}
            self.journal.write(self.step, "train", values)
            if scores:
                self.journal.write(self.step, "validation", scores)
        return progress

    def _progress(self, losses: Sequence[float], seconds: float, scores: dict[str, float] | None) -> Progress:
        config, world_size = self.config, self.config.world_size
        return Progress(
            step=self.step,
            n_steps=config.n_steps,
            loss=mean_over_ranks(float(np.mean(losses)), self.fabric.device),
            samples_per_s=len(losses) * config.samples_per_step / seconds,
            images_per_s=mean_over_ranks(self.n_images, self.fabric.device) * world_size / seconds,
            seconds_left=0.0 if self._is_over else (config.n_steps - self.step) * seconds / len(losses),
            seconds_per_step=seconds / len(losses),
            validation=scores,
            **self._selection(),
        )


def _names(batches: Sequence[Batch]) -> list[str]:
    return [name for batch in batches for name in batch.names]
