"""Typed access to the settings of a published YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cinema_cmr.core.errors import UnreadableFileError, UsageError, WeightsError
from cinema_cmr.files.text import read_yaml

__all__ = ["Settings", "read_config"]


def read_config(path: Path) -> dict[str, object]:
    """Read a YAML file as plain values; raises `WeightsError` if it is missing or not a mapping."""
    try:
        config = read_yaml(path)
    except OSError as error:
        raise WeightsError(
            f"no '{path.name}' beside the weights in '{path.parent.name}'; expected the YAML published with them"
        ) from error
    except UnreadableFileError as error:
        raise WeightsError(f"the configuration of the weights cannot be read: {error}; fetch it again") from error
    if not isinstance(config, dict):
        raise WeightsError(f"'{path.name}' holds a {type(config).__name__}; expected a mapping of settings")
    return dict(config)


@dataclass(frozen=True)
class Settings:
    """Nested settings, each at a place such as "data.sax.spacing"; null counts as missing.

    A missing setting without a default, or one of another type, raises `UsageError`.
    """

    values: Mapping[str, object]

    def find(self, place: str) -> object | None:
        """Return the setting as it is, or None."""
        value: object = self.values
        for key in place.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def value(self, place: str) -> object:
        """Return a setting that must be there."""
        value = self.find(place)
        if value is None:
            raise UsageError(f"it lacks {place}")
        return value

    def text(self, place: str, default: str | None = None) -> str:
        """Return a setting as text."""
        return default if default is not None and self.find(place) is None else str(self.value(place))

    def number(self, place: str, default: float | None = None) -> float:
        """Return a number."""
        value = default if default is not None and self.find(place) is None else self.value(place)
        if not isinstance(value, int | float):
            raise UsageError(f"{place} is {value!r}; expected a number")
        return float(value)

    def integer(self, place: str, default: int | None = None) -> int:
        """Return a whole number."""
        return int(self.number(place, default))

    def numbers(self, place: str) -> tuple[float, ...]:
        """Return a list of numbers."""
        value = self.value(place)
        if not isinstance(value, list) or not all(isinstance(item, int | float) for item in value):
            raise UsageError(f"{place} is {value!r}; expected a list of numbers")
        return tuple(float(item) for item in value)

    def integers(self, place: str) -> tuple[int, ...]:
        """Return a list of whole numbers."""
        return tuple(int(number) for number in self.numbers(place))

    def names(self, place: str) -> tuple[str, ...]:
        """Return one name or a list of names."""
        value = self.value(place)
        return tuple(str(item) for item in value) if isinstance(value, list | tuple) else (str(value),)
