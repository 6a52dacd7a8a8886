"""Command-line options generated from a dataclass: one option a field, its docstring the help, its type the choices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, get_args, get_origin, get_type_hints

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.core.field_docs import field_docs

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["OptionGroup", "add_options", "option_values", "options_from"]

T = TypeVar("T", bound="DataclassInstance")

_UNITS = ("years", "cm", "kg", "bpm")
"""Suffixes of fields that the option's name leaves out and its metavar shows."""


class OptionGroup(Protocol):
    """A group of a parser's options."""

    def add_argument(self, *names: str, **settings: Any) -> Any:
        """Add an option."""


def add_options(parser: ArgumentParser, options: type[DataclassInstance], *, title: str | None = None) -> OptionGroup:
    """Add an option for each field of a dataclass and of its bases, and return the last group.

    Each class is a group, titled by `title` or by its own attribute `group`. The field `n_train` becomes `--n-train`,
    unless its metadata has a `flag` or a `short` form. A boolean is a flag, a list may be given several times; a field
    without default is required.
    """
    hints = get_type_hints(options)
    place: OptionGroup = parser
    for owner in reversed(options.__mro__):
        docs = field_docs(owner)
        own = [each for each in fields(options) if each.name in docs]
        if own:
            place = parser.add_argument_group(title or getattr(owner, "group", owner.__name__))
        for each in own:
            place.add_argument(
                *_names(each), dest=_dest(each), help=_help(docs[each.name]), **_settings(each, hints[each.name])
            )
    return place


def options_from(options: type[T], given: Namespace) -> T:
    """Return the dataclass with the values of the command line."""
    return options(**option_values(given, options))


def option_values(given: Namespace, *options: type[DataclassInstance]) -> Mapping[str, Any]:
    """Return field -> value of the command line, for the fields of several dataclasses."""
    return {each.name: given[_dest(each)] for kind in options for each in fields(kind)}


def _names(each: Field[object]) -> list[str]:
    short = [each.metadata["short"]] if each.metadata.get("short") else []
    return [*short, f"--{_word(each)}"]


def _dest(each: Field[object]) -> str:
    """Return the option's key in a configuration file: the field's name without its unit.

    >>> from cinema_cmr.core.study import Subject
    >>> [_dest(each) for each in fields(Subject)]
    ['sex', 'age', 'height', 'weight', 'heart_rate']
    """
    stem, _, unit = each.name.rpartition("_")
    return stem if unit in _UNITS else each.name


def _word(each: Field[object]) -> str:
    """Return the option's name on the command line, without the two dashes."""
    return str(each.metadata.get("flag") or _dest(each)).replace("_", "-")


def _help(doc: str) -> str:
    """Return the first sentence of a docstring, as the help of an option is written.

    >>> _help("A fact or measurement, e.g. lv_ef_percent. Not of masks.")
    'a fact or measurement, e.g. lv_ef_percent'
    """
    line = re.split(r"(?<!e\.g)\. ", doc, maxsplit=1)[0].split("; see ", maxsplit=1)[0].rstrip(".")
    return line if line[1:2].isupper() else line[:1].lower() + line[1:]


def _settings(each: Field[object], hint: object) -> dict[str, object]:
    """Return how the option is parsed; `hint` is the field's type."""
    if get_origin(hint) is list:
        several = {"nargs": "+"} if each.metadata.get("nargs") else {"action": "append"}
        return {**several, "default": [], "metavar": each.metadata.get("metavar", "PATH=VALUE")}
    kind = next((choice for choice in get_args(hint) if choice is not type(None)), hint)
    if each.default is MISSING:
        return {"type": kind, "required": True, "metavar": _metavar(each, hint)}
    if kind is bool:
        return {"action": "store_true", "default": each.default}
    metavar = each.metadata.get("metavar") or _metavar(each, hint)
    return {"type": hint, "default": each.default, "metavar": metavar}


def _metavar(each: Field[object], hint: object) -> str:
    """Return the choices, the unit, N or X for a number, or the last word of the option's name."""
    choices = tuple(map(str, _choices(hint)))
    if choices:
        return f"{{{','.join(choices)}}}"
    unit = each.name.rpartition("_")[2]
    numbers = {int: "N", float: "X"}
    number = next((numbers[kind] for kind in (hint, *get_args(hint)) if kind in numbers), None)
    return unit.upper() if unit in _UNITS else number or _word(each).split("-")[-1].upper()


def _choices(hint: object) -> Iterable[object]:
    """Return the values of a `Literal`, optional or not; none for other types."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return [choice for part in get_args(hint) for choice in _choices(part)]
