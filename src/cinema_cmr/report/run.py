"""What a run was made with: versions, model, device, seconds by stage; run.json has no path in it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any

from cinema_cmr.core.serialise import json_text, json_values
from cinema_cmr.io.atomic import write_text

__all__ = ["RunFacts", "installed_version", "options_document", "run_document", "write_run_json"]


def installed_version(distribution: str) -> str | None:
    """Version of an installed distribution, without importing it; None where it is absent."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """All it takes to say how a result came about; only the model and the machine have to be given."""

    model_name: str
    """Name of the model that predicted, or "none"."""
    model_hash: str | None
    """SHA-256 of the weights file, None without a model."""
    device: str
    """Where it ran, e.g. "cpu"."""
    precision: str
    """Number format of the network, e.g. "fp32"."""
    inference_settings: str = ""
    """How the model was asked: passes averaged, and the hash of offsets to its logits where it has any."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Stage -> seconds, in the order in which the stages ran."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the command; a path among them is written as its stem alone."""
    input_sha256: str | None = None
    """SHA-256 of what the study was read from (`io.provenance.input_digest`), None for a study made in memory."""
    package_version: str | None = field(default_factory=partial(installed_version, "cinema-cmr"))
    python_version: str = field(default_factory=platform.python_version)
    torch_version: str | None = field(default_factory=partial(installed_version, "torch"))
    numpy_version: str | None = field(default_factory=partial(installed_version, "numpy"))

    @property
    def versions(self) -> dict[str, str | None]:
        """Package -> version, ours first."""
        return {
            "cinema_cmr": self.package_version,
            "python": self.python_version,
            "torch": self.torch_version,
            "numpy": self.numpy_version,
        }

    @property
    def model(self) -> dict[str, str | None]:
        """Name and hash of the model, and what it ran on."""
        return {
            "name": without_folders(self.model_name),
            "hash": self.model_hash,
            "inference_settings": self.inference_settings,
            "device": self.device,
            "precision": self.precision,
        }


def without_folders(value: Any) -> Any:
    """The value, or the stem where it is a path: folders can name a patient, a person or a site.

    >>> without_folders("/home/anna/scans/study7.zip"), without_folders("lv_only"), without_folders(3)
    ('study7', 'lv_only', 3)
    """
    if isinstance(value, PurePath):
        return value.stem
    if isinstance(value, str):
        return PurePath(value.replace("\\", "/")).stem if "/" in value or "\\" in value else value
    if isinstance(value, list | tuple):
        return [without_folders(item) for item in value]
    return value


def run_document(run: RunFacts) -> dict[str, Any]:
    """The content of run.json: model, versions, seconds by stage and options."""
    return {
        "model": run.model,
        "input_sha256": run.input_sha256,
        "versions": run.versions,
        "seconds": json_values(run.seconds),
        "options": options_document(run.options),
    }


def options_document(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as run.json holds them: plain values, a path as its stem."""
    return {name: json_values(without_folders(value)) for name, value in options.items()}


def write_run_json(run: RunFacts, path: Path, *, overwrite: bool = False) -> None:
    """Write run.json whole or not at all; raises `OutputExistsError` unless `overwrite`."""
    write_text(path, json_text(run_document(run)), overwrite=overwrite)
