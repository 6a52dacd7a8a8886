"""Configuration of the training loop: length, batches, devices, optimiser, and when a run ends early."""

from __future__ import annotations

from dataclasses import dataclass, field

from cinema_cmr.core.errors import UsageError, unknown_name
from cinema_cmr.core.serialise import Json, to_dict
from cinema_cmr.engine.optim import OptimConfig

__all__ = ["TrainConfig"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Length, batches, devices and optimiser of a run."""

    n_steps: int
    """Updates of the weights; the most of them with `patience`. The learning rate falls over all of them."""
    batch_size: int = 1
    """Samples of one pass on one device."""
    gradient_accumulation: int = 1
    """Passes whose gradients are summed for one update."""
    seed: int = 0
    accelerator: str = "auto"
    """The device, as in `inference.runtime.choose_runtime`."""
    precision: str = "auto"
    """"fp32", "bf16", "fp16" (GPUs only, with a scaled loss), or "auto" for the best on the device."""
    compiled: bool = False
    """Use torch.compile: a slow start, then faster; the saved weights do not depend on it."""
    activation_checkpointing: bool = False
    """Compute blocks again in the backward pass: less memory, more time, the same gradients."""
    devices: int = 1
    """Devices of this machine, one process each; gradients are averaged."""
    nodes: int = 1
    """Machines with as many devices each."""
    strategy: str = "ddp"
    """"ddp", or "fsdp" to shard the weights over the processes."""
    tensorboard: bool = False
    """Write the journal's values to `events/` too, for TensorBoard."""
    workers: int = 0
    """Processes that prepare samples, for each device; the result does not depend on their number."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    log_every: int = 50
    validate_every: int = 1000
    patience: int = 0
    """Validations in a row without a better score after which a run ends before `n_steps`; 0 makes all updates.

    The score is the task's `validation_score`; the model then has the weights of the best validation, and the
    held-out studies have chosen them. The learning rate stays a function of `n_steps`.
    """
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        if self.strategy not in ("ddp", "fsdp"):
            raise unknown_name("strategy", self.strategy, ("ddp", "fsdp"))
        if min(self.n_steps, self.batch_size, self.gradient_accumulation, self.world_size) < 1:
            raise UsageError(
                f"{self.n_steps} steps of {self.gradient_accumulation} batches of {self.batch_size} on"
                f" {self.devices} devices of {self.nodes} nodes; expected at least 1 of each"
            )
        self._check_patience()
        if min(self.log_every, self.validate_every, self.checkpoint_every) < 1 or min(self.workers, self.seed) < 0:
            raise UsageError(
                f"logs, validation and checkpoints every {self.log_every}, {self.validate_every} and"
                f" {self.checkpoint_every} steps, {self.workers} workers, seed {self.seed}; expected at"
                " least 1 step, and workers and seed from 0"
            )

    def _check_patience(self) -> None:
        if self.patience < 0:
            raise UsageError(f"patience {self.patience}; expected 0 to make all updates, or a number of validations")
        if self.patience and self.validate_every >= self.n_steps:
            raise UsageError(
                f"patience {self.patience} with a validation every {self.validate_every} of {self.n_steps} steps;"
                " expected several validations to choose from: lower validate_every"
            )

    @property
    def world_size(self) -> int:
        """Number of processes on all machines."""
        return self.devices * self.nodes

    @property
    def is_sharded(self) -> bool:
        """Whether each process holds only a shard of the weights."""
        return self.strategy == "fsdp" and self.world_size > 1

    @property
    def samples_per_step(self) -> int:
        """Samples of one update of the weights, over all processes."""
        return self.batch_size * self.gradient_accumulation * self.world_size

    def resume_identity(self) -> dict[str, Json]:
        """Return the settings that a resumed run must share with its checkpoint, as plain values."""
        names = ("n_steps", "batch_size", "gradient_accumulation", "seed", "optim")
        plain = to_dict(self, "train")
        ranks: dict[str, Json] = {"ranks": self.world_size} if self.world_size > 1 else {}
        # Absent without patience, as in checkpoints from before there was any.
        stopping = {name: plain[name] for name in ("patience", "validate_every")} if self.patience else {}
        return {**{name: plain[name] for name in names}, **stopping, **ranks}
