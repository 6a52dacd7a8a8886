"""The resolved configuration of a run, config.yaml in its folder: enough to repeat the run."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from cinema_cmr.core.errors import UnreadableFileError, UsageError
from cinema_cmr.data.training_set import AnyTrainingData
from cinema_cmr.files.text import read_yaml
from cinema_cmr.io.atomic import write_text
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.recipes.card import start_title
from cinema_cmr.recipes.experiment import Experiment

__all__ = ["CONFIG_FILE", "RunRecord", "config_text", "record_run", "write_config"]

CONFIG_FILE = "config.yaml"

_FREE_ON_RESUME = frozenset(
    f"train.{name}"
    for name in (
        "accelerator",
        "precision",
        "compiled",
        "activation_checkpointing",
        "devices",
        "nodes",
        "strategy",
        "tensorboard",
        "workers",
        "log_every",
        "validate_every",
        "checkpoint_every",
    )
) | {"start", "model_name", "author", "description"}
"""Values that a resumed run may change; the checkpoint itself checks the number of processes."""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What a run was made with: for the reader of config.yaml, and checked when the run is resumed or repeated."""

    command: str
    """Command line of the run; empty if it was started from Python."""
    versions: Mapping[str, str]
    start: str
    """Name of the first weights and the beginning of their hash."""
    data: str
    """Title of the data."""
    data_sha256: str
    split_sha256: str
    n_train_studies: int
    n_val_studies: int


def record_run(data: AnyTrainingData, start: LoadedModel | None, *, command: str = "") -> RunRecord:
    """Return the record of a run that is about to start."""
    packages = {name: version(name) for name in ("cinema-cmr", "torch", "numpy")}
    return RunRecord(
        command=command,
        versions={**packages, "python": platform.python_version()},
        start=start_title(start),
        data=data.card.title,
        data_sha256=data.sha256,
        split_sha256=data.split.sha256,
        n_train_studies=len(data.train),
        n_val_studies=len(data.val),
    )


def write_config(folder: Path, experiment: Experiment, data: AnyTrainingData, record: RunRecord) -> None:
    """Write config.yaml into the folder of a run that starts or is resumed.

    Raises `UsageError` if the folder holds the configuration of another run, and names the values that differ.
    """
    path = folder / CONFIG_FILE
    if path.exists():
        _check_same_run(path, experiment, record)
    write_text(path, config_text(experiment, data.source, record), overwrite=True)


def config_text(experiment: Experiment, source: Mapping[str, object], record: RunRecord) -> str:
    """Return config.yaml: the options that open the data, the experiment, and the record of the run."""
    head = f"# Resolved configuration of a run; to repeat it, give the same command --config {CONFIG_FILE} -o FOLDER.\n"
    options = {name: value for name, value in source.items() if value not in (None, "")}
    values = {**options, "experiment": experiment.to_values(), "record": {**vars(record)}}
    return head + yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110)


def _check_same_run(path: Path, experiment: Experiment, record: RunRecord) -> None:
    try:
        found: Any = read_yaml(path)
        theirs = _identity(_with_defaults(found["experiment"]), found["record"])
    except (OSError, UnreadableFileError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableFileError(f"'{path.name}' is damaged ({type(error).__name__}); delete it to resume") from error
    ours = _identity(experiment.to_values(), vars(record))
    differing = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    if differing:
        raise UsageError(
            f"the folder '{path.parent.name}' holds another run, which differs in {', '.join(differing)}; choose"
            " another folder, or the same settings to resume"
        )


def _with_defaults(experiment: Mapping[str, object]) -> Mapping[str, object]:
    """Return the values of an experiment with those added that an older version of the package did not have."""
    try:
        return Experiment.from_values(experiment).to_values()
    except UsageError:  # of another version, whose values then differ by name
        return experiment


def _identity(experiment: Mapping[str, object], record: Mapping[str, object]) -> dict[str, object]:
    """Return the values that a resumed run must share with its start, by dotted path."""
    values = {name: value for name, value in _flat(experiment).items() if name not in _FREE_ON_RESUME}
    return {**values, **{name: record[name] for name in ("start", "data_sha256", "split_sha256")}}


def _flat(values: Mapping[str, object], place: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{place}{name}.")
        else:
            flat[f"{place}{name}"] = value
    return flat
