"""The state of a run on disk: written whole or not at all, read without unpickling objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from cinema_cmr.core.errors import InputError
from cinema_cmr.io.atomic import atomic_path

__all__ = ["read_checkpoint", "write_checkpoint"]

_NAME = "checkpoint.pt"


def write_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values to the run's folder; a kill leaves the last checkpoint as it was."""
    with atomic_path(folder / _NAME, overwrite=True) as sibling:
        torch.save(state, sibling)


def read_checkpoint(folder: Path) -> dict[str, Any] | None:
    """The run's last state, or None where it has none yet; raises `InputError` for a file that is no checkpoint."""
    path = folder / _NAME
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"'{path.name}' is no checkpoint of ours: {error}; delete it to start anew"
        ) from error
    return state
