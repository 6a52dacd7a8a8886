"""Configuration of the training loop: what makes no run, and what a resumed run must share."""

from __future__ import annotations

import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.engine.train_config import TrainConfig


@pytest.mark.parametrize(
    "change",
    [{"n_steps": 0}, {"gradient_accumulation": 0}, {"log_every": 0}, {"workers": -1}, {"seed": -1}, {"devices": 0}],
)
def test_numbers_that_make_no_run_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="expected"):
        TrainConfig(**{"n_steps": 7, **change})


@pytest.mark.parametrize("change", [{"patience": -1}, {"patience": 2, "validate_every": 40}])
def test_a_patience_that_cannot_be_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=r"patience -?\d.*expected"):
        TrainConfig(**{"n_steps": 40, **change})


def test_a_resumed_run_shares_patience_and_interval_where_there_is_patience() -> None:
    assert set(TrainConfig(n_steps=7, validate_every=3).resume_identity()) == {
        "n_steps",
        "batch_size",
        "gradient_accumulation",
        "seed",
        "optim",
    }
    patient = TrainConfig(n_steps=7, validate_every=3, patience=2, devices=2).resume_identity()
    assert (patient["patience"], patient["validate_every"], patient["ranks"]) == (2, 3, 2)
