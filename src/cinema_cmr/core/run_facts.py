"""Facts of a run: model, device, options, versions and seconds by stage."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version

__all__ = ["OptionValue", "RunFacts", "Stopwatch", "installed_version"]

OptionValue = str | int | float | bool | None


def installed_version(distribution: str) -> str | None:
    """Return the version of an installed distribution without importing it; None where it is absent."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """All that is needed to reproduce a result; only the model and the machine are required."""

    model_name: str
    """Name of the model that predicted, or "none"."""
    model_hash: str | None
    """SHA-256 of the weights file; None without a model."""
    device: str
    """Device that the model ran on, e.g. "cpu"."""
    precision: str
    """Number format of the network, e.g. "fp32"."""
    inference_settings: str = ""
    """Test-time augmentation, and the hash of the logit offsets if there are any."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Stage -> seconds, in the order in which the stages ran."""
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    """Options that affect the result; a path is written as its stem."""
    input_sha256: str | None = None
    """SHA-256 of the input (`io.provenance.input_digest`); None for a study built in memory."""
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


class Stopwatch:
    """Seconds by stage, in the order in which the stages ran."""

    def __init__(self, seconds: Mapping[str, float] | None = None) -> None:
        self.seconds = dict(seconds or {})

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block as stage `name`."""
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)
