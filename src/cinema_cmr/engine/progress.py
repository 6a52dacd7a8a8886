"""What a training run reports: losses and speed, validations, and where it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from cinema_cmr.engine.early_stopping import BestValidation

__all__ = ["Progress", "Selection"]


class Selection(TypedDict):
    """Values of a `Progress` about where and with which weights the run ends."""

    may_stop_early: bool
    best: BestValidation | None
    stopped: str
    ended_by_hand: bool


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Progress of a run, for a bar or a log."""

    step: int
    n_steps: int
    """Updates of the whole run; the most of them if it `may_stop_early`."""
    loss: float
    """Mean over the updates since the last report; NaN if not `is_updated`."""
    samples_per_s: float
    images_per_s: float
    """Frames of a view per second; a stack counts as one."""
    seconds_left: float
    """Estimated from the last steps."""
    seconds_per_step: float = 0.0
    """Seconds an update of the weights."""
    validation: dict[str, float] | None = None
    may_stop_early: bool = False
    """Whether the run has patience."""
    best: BestValidation | None = None
    """Best validation so far, whose weights are kept, of a run with patience."""
    stopped: str = ""
    """Why the run ended before `n_steps`; empty unless it did."""
    ended_by_hand: bool = False
    """Whether that was because it was called to."""

    @property
    def is_updated(self) -> bool:
        """Whether there were updates to report; not where a run that had ended was only validated again."""
        return self.samples_per_s > 0

    @property
    def n_expected(self) -> int:
        """Updates of the whole run, as far as is known: those that were made if it ended early."""
        return self.step if self.stopped else self.n_steps

    @property
    def scores_of_weights(self) -> Mapping[str, float] | None:
        """Scores of the weights that the run returns if it ends now; None if they were not validated."""
        return self.validation if self.best is None else self.best.scores
