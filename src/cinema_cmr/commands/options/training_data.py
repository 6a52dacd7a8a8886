"""Data and configuration of training commands: the options, and the studies and the experiment they stand for."""

from __future__ import annotations

from argparse import SUPPRESS
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console

if TYPE_CHECKING:
    from cinema_cmr.data.cases import AnnotatedStudy
    from cinema_cmr.data.training_set import AnyTrainingData, TrainingData
    from cinema_cmr.recipes.experiment import Experiment

__all__ = [
    "add_codes_option",
    "add_config_options",
    "add_data_options",
    "chosen_experiment",
    "note_other_data",
    "read_training_data",
]


def add_data_options(parser: ArgumentParser, *, otherwise: str = "the dataset's own or one drawn anew") -> None:
    """Add --data and --split; `otherwise` names the split that is used without the latter."""
    parser.add_argument(
        "--data",
        required=True,
        help="NAME:FOLDER of a dataset (see `cinema datasets`), or a folder of images with masks (NAME_seg.nii.gz)",
    )
    add_codes_option(parser)
    parser.add_argument("--split", help=f"split file (JSON) instead of {otherwise}")


def add_codes_option(parser: ArgumentParser) -> None:
    """Add the codes of the label maps of a folder."""
    parser.add_argument(
        "--codes",
        nargs="+",
        default=[],
        metavar="CODE=NAME",
        help="codes of a folder's masks, e.g. 1=lv 2=myo 3=rv; default: its labels.json, or 1=rv 2=myo 3=lv",
    )


def read_training_data(
    given: Namespace, console: Console, *, drawn_only: bool = True, held_out: str = "validation"
) -> TrainingData[AnnotatedStudy]:
    """Return the `TrainingData` of --data, --split, --n-train and --seed; the split is kept with the run."""
    from cinema_cmr.datasets.reading import LabelledSource, open_training_data

    source = LabelledSource(
        data=given.data,
        split=Path(given.split) if given.split else None,
        n_train=given.get("n_train"),
        seed=given.get("seed", 0),
        codes=given.get("codes", ()),
        val_part=held_out,
        labelled_only=drawn_only,
    )
    return open_training_data(source, Path(given.output), note=console.note)


def add_config_options(parser: ArgumentParser, epilog: str) -> None:
    """Add --config, and `epilog`, the list of the recipes, below the options."""
    parser.add_argument("--config", action="config", help="YAML file of options, or a run's config.yaml")
    for name in ("experiment", "record"):
        parser.add_argument(f"--{name}", type=dict, help=SUPPRESS)
    parser.epilog = epilog


def chosen_experiment(given: Namespace, *, task: str | None) -> Experiment:
    """Return the experiment of the recipe, or the one of the configuration file if no recipe is given."""
    from cinema_cmr.recipes.experiment import Experiment
    from cinema_cmr.recipes.registry import recipe

    if given.experiment is not None and given.recipe is None:
        return Experiment.from_values(given.experiment)
    return recipe(given.recipe, task=task)


def note_other_data(given: Namespace, data: AnyTrainingData, console: Console) -> None:
    """Print a note if a recorded run is repeated on other training studies or another split."""
    if given.record is None or given.experiment is None:
        return
    parts = {"training studies": data.sha256, "split": data.split.sha256}
    recorded = {"training studies": given.record.get("data_sha256"), "split": given.record.get("split_sha256")}
    differing = [name for name, value in parts.items() if value != recorded[name]]
    if differing:
        console.note(f"the run is not the recorded one: other {' and '.join(differing)}")
