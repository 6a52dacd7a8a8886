"""Options that several commands share: inputs, model, output."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.options.dataclass_options import OptionGroup, add_options
from cinema_cmr.core.errors import InputError, UnreadableFileError, UsageError
from cinema_cmr.pipeline.analysis_options import InferenceOptions, SeriesOptions

__all__ = ["add_input_options", "add_model_options", "add_output_options", "add_series_options", "listed_inputs"]


def add_input_options(parser: ArgumentParser, kinds: str) -> None:
    """Add the inputs; `kinds` are the kinds of paths accepted."""
    group = parser.add_argument_group("input")
    group.add_argument("inputs", nargs="*", metavar="INPUT", help=kinds)
    group.add_argument("--manifest", metavar="FILE", help="inputs: one path a line, or a column 'path' (CSV, Parquet)")


def add_series_options(parser: ArgumentParser) -> None:
    """Add the user's decisions on series."""
    add_options(parser, SeriesOptions, title="series (by number, description, folder or file: see cinema views)")


def add_model_options(parser: ArgumentParser) -> None:
    """Add the model, and the device that it runs on."""
    add_options(parser, InferenceOptions, title="model")


def add_output_options(parser: ArgumentParser) -> OptionGroup:
    """Add the output folder and the form of the results on stdout; return their group."""
    group: OptionGroup = parser.add_argument_group("output")
    group.add_argument("-o", "--output", required=True, metavar="FOLDER", help="folder for the results")
    group.add_argument("--overwrite", action="store_true", help="replace existing results")
    group.add_argument("--json", action="store_true", help="print results as one JSON document a line")
    return group


def listed_inputs(given: Namespace) -> list[Path]:
    """Return the inputs of the command line and of its --manifest: a text file with one path a line, or a CSV or
    Parquet table with a column `path`. Relative paths in it start at its own folder.

    Raises `UsageError` without any input.
    """
    inputs = [Path(item) for item in given.inputs]
    if given.manifest:
        inputs += _manifest_paths(Path(given.manifest))
    if not inputs:
        raise UsageError("no input given; expected a DICOM folder, a zip or NIfTI files, or --manifest FILE")
    return inputs


def _manifest_paths(manifest: Path) -> list[Path]:
    if manifest.suffix.lower() == ".parquet":
        from cinema_cmr.population.manifest import read_manifest

        return [study.path for study in read_manifest(manifest)]
    from cinema_cmr.files.text import parse_rows, read_text
    from cinema_cmr.io.delimiter import detect_delimiter

    try:
        lines = [line for line in read_text(manifest).splitlines() if line.strip()]
    except OSError as error:
        raise InputError(
            f"manifest '{manifest.name}' cannot be read ({error.strerror}); expected a text file: check the path"
        ) from error
    if any("\0" in line for line in lines):
        raise UnreadableFileError(f"manifest '{manifest.name}' is binary; expected one path a line, or a CSV")
    delimiter = detect_delimiter(lines[0] if lines else "")
    rows = parse_rows("\n".join(lines), manifest.name, delimiter=delimiter)
    heads = [head.strip().casefold() for head in rows[0]] if rows else []
    if "path" in heads:
        column = heads.index("path")
        lines = [row[column] for row in rows[1:] if len(row) > column]
    return [manifest.parent / line.strip() for line in lines if line.strip()]
