"""Checkpoints: the state of a run on disk, written atomically and read without unpickling objects."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import NotRequired, TypedDict

import torch
from torch import Tensor
from torch.optim.optimizer import StateDict

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.core.serialise import Json
from cinema_cmr.engine.early_stopping import StoppingState
from cinema_cmr.files.leftovers import remove_leftovers
from cinema_cmr.files.regular import is_damage, open_regular
from cinema_cmr.io.atomic import atomic_path

__all__ = ["RunState", "clear_unfinished", "read_checkpoint", "write_checkpoint"]

_NAME = "checkpoint.pt"


class RunState(TypedDict):
    """State of a run between two steps."""

    model: dict[str, Tensor]
    ema: dict[str, Tensor]
    """Averaged weights."""
    n_updates: int
    """Updates of the average."""
    optimiser: StateDict
    precision: dict[str, object]
    """State of the loss scaling; empty without one."""
    step: int
    run: dict[str, Json]
    """Values that a run which resumes must share."""
    stopping: NotRequired[StoppingState]
    """Best validation so far with its weights, of a run with patience."""


def write_checkpoint(folder: Path, state: RunState) -> None:
    """Write tensors and plain values to the run's folder; the last checkpoint survives if the process is killed."""
    with atomic_path(folder / _NAME, overwrite=True) as sibling:
        torch.save(state, sibling)


def read_checkpoint(folder: Path) -> RunState | None:
    """Return the run's last state, or None if it has none yet.

    Raises `UnreadableFileError` for a file that is torn or not a checkpoint of this package, `OSError` for one that the
    system does not let be read.
    """
    path = folder / _NAME
    if not path.exists():
        return None
    try:
        _check_members(path)
        state: RunState = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch, zipfile and pickle each raise their own
        if not is_damage(error):
            raise
        raise _unreadable(path, f"it cannot be loaded, {type(error).__name__}") from error
    if not isinstance(state, dict):
        raise _unreadable(path, f"it holds a {type(state).__name__}")
    return state


def clear_unfinished(folder: Path) -> None:
    """Remove what a process that was killed left half written in the run's folder."""
    remove_leftovers(folder)


def _check_members(path: Path) -> None:
    """Read the file once and compare the checksum of each of its members, which torch does not."""
    with open_regular(path) as stream, zipfile.ZipFile(stream) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f"{damaged} does not match its checksum")


def _unreadable(path: Path, why: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"'{path.name}' is damaged or not a checkpoint of this package: {why}; delete it to start over"
    )
