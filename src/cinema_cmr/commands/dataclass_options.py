"""Command-line options generated from a dataclass: one group a class, one option a field, its docstring the help."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from jsonargparse import ArgumentParser, Namespace

__all__ = ["add_options", "field_docs", "options_from"]

T = TypeVar("T")


def add_options(parser: ArgumentParser, options: type[Any]) -> None:
    """Add an option for each field of a dataclass and of its bases, which are the groups and carry a title in `group`.

    The field `n_train` becomes `--n-train`, unless its metadata has a `flag` or a `short` form. A boolean is a flag, a
    list may be given several times; a field without default is required.
    """
    hints = get_type_hints(options)
    for group in reversed(options.__mro__):
        docs = field_docs(group)
        own = [each for each in fields(options) if each.name in docs]
        place = parser.add_argument_group(getattr(group, "group", group.__name__)) if own else parser
        for each in own:
            place.add_argument(*_names(each), help=docs[each.name], **_settings(each, hints[each.name]))


def options_from(options: type[T], given: Namespace) -> T:
    """Return the dataclass with the values of the command line."""
    return options(**{each.name: given[_dest(each)] for each in fields(options)})  # type: ignore[arg-type]


def field_docs(owner: type[Any]) -> dict[str, str]:
    """Return the docstring below each field that a class itself declares, on one line."""
    if owner is object:
        return {}
    body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            docs[statement.target.id] = " ".join(str(following.value.value).split())
    return docs


def _names(each: Field[Any]) -> list[str]:
    short = [each.metadata["short"]] if each.metadata.get("short") else []
    return [*short, f"--{_dest(each).replace('_', '-')}"]


def _dest(each: Field[Any]) -> str:
    return str(each.metadata.get("flag") or each.name)


def _settings(each: Field[Any], hint: Any) -> dict[str, Any]:
    """Return how the option is parsed; `hint` is the field's type."""
    if get_origin(hint) is list:
        return {"action": "append", "default": [], "metavar": "PATH=VALUE"}
    kind = next((choice for choice in get_args(hint) if choice is not type(None)), hint)
    if each.default is MISSING:
        return {"type": kind, "required": True, "metavar": _metavar(each, kind)}
    if kind is bool:
        return {"action": "store_true", "default": each.default}
    return {"type": hint, "default": each.default, "metavar": _metavar(each, kind)}


def _metavar(each: Field[Any], kind: type[Any]) -> str:
    return {int: "N", float: "X"}.get(kind, _dest(each).split("_")[-1].upper())
