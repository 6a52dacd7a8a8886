"""Options that several commands share: inputs, model, output."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.options.dataclass_options import OptionGroup, add_options
from cinema_cmr.io import manifest
from cinema_cmr.io.manifest import Manifest
from cinema_cmr.pipeline.analysis_options import InferenceOptions, SeriesOptions

__all__ = [
    "add_input_options",
    "add_model_options",
    "add_output_options",
    "add_series_options",
    "listed_inputs",
    "listed_studies",
    "unused_columns",
]

_SHOWN = 6
"""Columns that are named."""


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
    """Return the paths of the inputs, as `listed_studies` does."""
    return [row.path for row in listed_studies(given).rows]


def listed_studies(given: Namespace) -> Manifest:
    """Return the inputs of the command line, then those of its --manifest; raises as `io.manifest.listed_studies`."""
    return manifest.listed_studies([Path(item) for item in given.inputs], given.manifest and Path(given.manifest))


def unused_columns(listed: Manifest) -> str:
    """Return a sentence on the columns of a manifest that an analysis does not use."""
    names = [name or "(empty)" for name in listed.others]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (
        f"manifest '{listed.file}': columns not used: {', '.join(names[:_SHOWN])}{more}; used are path, id or name,"
        " sex, age, height, weight, heart_rate, ed_frame and es_frame"
    )
