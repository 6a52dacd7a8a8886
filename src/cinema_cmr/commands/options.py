"""Options that several commands share, generated from the dataclasses that they fill."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, get_origin, get_type_hints

import docstring_parser
from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.pipeline.analysis_options import ExtraModels, InferenceOptions

__all__ = [
    "add_dataclass_options",
    "add_input_options",
    "add_model_options",
    "add_output_options",
    "dataclass_values",
    "listed_inputs",
]

_UNITS = ("years", "cm", "kg", "bpm")
"""Suffixes of fields that an option's name leaves out; its metavar shows them."""


class OptionGroup(Protocol):
    """A parser or a group of its options."""

    def add_argument(self, *names: str, **settings: Any) -> Any: ...


def add_dataclass_options(group: OptionGroup, kind: type[Any], *, skip: Collection[str] = ()) -> None:
    """Add one option for each field of a dataclass; the help is the first line of the field's docstring."""
    hints, texts = get_type_hints(kind), _field_docs(kind)
    for field in fields(kind):
        if field.name in skip:
            continue
        flag, metavar = _flag(field, _choices(hints[field.name]))
        settings: dict[str, Any] = {"dest": field.name, "default": _default(field), "help": texts.get(field.name, "")}
        if hints[field.name] is bool:
            group.add_argument(flag, action="store_true", **settings)
        else:
            group.add_argument(flag, type=hints[field.name], metavar=metavar, **settings)


def dataclass_values(given: Namespace, *kinds: type[Any]) -> dict[str, Any]:
    """Return the values that were parsed for the fields of dataclasses; the word "none" stands for None."""
    names = (field.name for kind in kinds for field in fields(kind))
    values = {name: given[name] for name in names if name in given}
    optional = {field.name for field in fields(ExtraModels)}
    return {name: None if name in optional and value == "none" else value for name, value in values.items()}


def add_input_options(parser: ArgumentParser, kinds: str) -> None:
    """Add the inputs; `kinds` are the kinds of paths accepted."""
    group = parser.add_argument_group("input")
    group.add_argument("inputs", nargs="*", metavar="INPUT", help=kinds)
    group.add_argument("--manifest", metavar="FILE", help="file of inputs: one path a line, or a CSV column 'path'")


def add_model_options(parser: ArgumentParser) -> None:
    """Add the model, and the device that it runs on."""
    add_dataclass_options(parser.add_argument_group("model"), InferenceOptions)


def add_output_options(parser: ArgumentParser) -> OptionGroup:
    """Add the output folder and the form of the results on stdout; return their group."""
    group: OptionGroup = parser.add_argument_group("output")
    group.add_argument("-o", "--output", required=True, metavar="FOLDER", help="folder for the results")
    group.add_argument("--overwrite", action="store_true", help="replace existing results")
    group.add_argument("--json", action="store_true", help="print results as one JSON document a line")
    return group


def listed_inputs(given: Namespace) -> list[Path]:
    """Return the inputs of the command line and of its --manifest: a text file with one path a line, or a CSV with a
    column `path`. Relative paths in it start at its own folder. Raises `UsageError` without any input."""
    inputs = [Path(item) for item in given.inputs]
    if given.manifest:
        inputs += _manifest_paths(Path(given.manifest))
    if not inputs:
        raise UsageError("no input given; expected a DICOM folder, a zip or NIfTI files, or --manifest FILE")
    return inputs


def _flag(field: Field[Any], choices: tuple[str, ...]) -> tuple[str, str]:
    """Return the option and the metavar of a field.

    >>> from cinema_cmr.core.study import Subject
    >>> [_flag(field, ()) for field in fields(Subject)][1:3]
    [('--age', 'YEARS'), ('--height', 'CM')]
    """
    stem, _, unit = field.name.rpartition("_")
    name = stem if unit in _UNITS else field.name
    return f"--{name.replace('_', '-')}", f"{{{','.join(choices)}}}" if choices else unit.upper()


def _choices(hint: Any) -> tuple[str, ...]:
    """Return the values of a `Literal`, optional or not; empty for other types."""
    if get_origin(hint) is Literal:
        return tuple(map(str, get_args(hint)))
    return tuple(choice for part in get_args(hint) for choice in _choices(part))


def _default(field: Field[Any]) -> Any:
    return None if field.default is MISSING else field.default


def _field_docs(kind: type[Any]) -> dict[str, str]:
    parameters = docstring_parser.parse_from_object(kind).params
    lines = {each.arg_name: (each.description or "").split(". ")[0].split("; see ")[0] for each in parameters}
    return {name: line[:1].lower() + line[1:].rstrip(".") for name, line in lines.items()}


def _manifest_paths(manifest: Path) -> list[Path]:
    import csv

    from cinema_cmr.io.delimiter import detect_delimiter

    try:
        lines = [line for line in manifest.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"manifest '{manifest.name}' cannot be read: {error}") from error
    rows = list(csv.reader(lines, delimiter=detect_delimiter(lines[0] if lines else "")))
    heads = [head.strip().casefold() for head in rows[0]] if rows else []
    if "path" in heads:
        column = heads.index("path")
        lines = [row[column] for row in rows[1:] if len(row) > column]
    return [manifest.parent / line.strip() for line in lines if line.strip()]
