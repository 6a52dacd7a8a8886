"""Parts of other packages, by entry points: `cinema_cmr.architectures`, `.losses`, `.datasets`, `.tasks`, `.recipes`.

An entry point's name is that of the part. Nothing is imported before a name that the package itself lacks is looked up.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Literal, TypeVar

from cinema_cmr.core.errors import InternalError, UsageError

__all__ = ["PluginGroup", "load_plugin", "plugin_names", "plugin_source"]

T = TypeVar("T")
PluginGroup = Literal["architectures", "losses", "datasets", "tasks", "recipes"]

_PREFIX = "cinema_cmr."


@cache
def _found(group: PluginGroup) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_PREFIX + group)}


def plugin_names(group: PluginGroup) -> tuple[str, ...]:
    """Return the names that installed packages give in a group, sorted."""
    return tuple(sorted(_found(group)))


def load_plugin(group: PluginGroup, name: str, kind: type[T]) -> T | None:
    """Import the part of a name; None if no installed package has one.

    Raises `UsageError` for a part that cannot be imported or is not a `kind`.
    """
    point = _found(group).get(name)
    if point is None:
        return None
    try:
        part = point.load()
    except Exception as error:  # whatever another package's import raises
        raise UsageError(
            f"'{name}' of the package {plugin_source(group, name)} cannot be imported ({type(error).__name__});"
            f" expected a {kind.__name__} at '{point.value}': repair or remove that package"
        ) from error
    if not isinstance(part, kind):
        raise UsageError(
            f"'{name}' of the package {plugin_source(group, name)} is a {type(part).__name__}; expected a"
            f" {kind.__name__} at '{point.value}'"
        )
    return part


def plugin_source(group: PluginGroup, name: str) -> str:
    """Return distribution and version that a part comes from, e.g. "lab-net 1.2"; "" for a part of this package."""
    point = _found(group).get(name)
    if point is None:
        return ""
    if point.dist is None:
        raise InternalError(f"entry point '{name}' belongs to no distribution; expected an installed package")
    return f"{point.dist.name} {point.dist.version}"
