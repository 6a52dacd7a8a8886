"""Options that name labelled studies, and the studies that they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console

__all__ = ["add_data_options", "read_training_data"]


def add_data_options(parser: ArgumentParser, *, otherwise: str = "the dataset's own or one drawn anew") -> None:
    """Add --data and --split; `otherwise` names the split that is used without the latter."""
    parser.add_argument(
        "--data",
        required=True,
        help="NAME:FOLDER of a dataset (see `cinema datasets`), or a folder of images with masks (NAME_seg.nii.gz)",
    )
    parser.add_argument("--split", help=f"split file (JSON) instead of {otherwise}")


def read_training_data(
    given: Namespace, console: Console, *, drawn_only: bool = True, held_out: str = "validation"
) -> Any:
    """Return the `TrainingData` of --data, --split, --n-train and --seed; the split is kept with the run."""
    from cinema_cmr.datasets.reading import LabelledSource, open_training_data

    source = LabelledSource(
        data=given.data,
        split=Path(given.split) if given.split else None,
        n_train=given.get("n_train"),
        seed=given.get("seed", 0),
        val_part=held_out,
        labelled_only=drawn_only,
    )
    return open_training_data(source, Path(given.output), note=console.note)
