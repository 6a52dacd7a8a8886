"""Options that several commands share, and what they become."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.core.errors import InputError, UsageError

__all__ = ["add_model_options", "add_output_options", "listed_inputs"]


def add_model_options(parser: ArgumentParser) -> None:
    """Which model, and where it runs."""
    parser.add_argument(
        "--model", default="cinema-sax", help="an embedded or published model's name, or a model's folder"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16")
    parser.add_argument(
        "--tta",
        type=int,
        default=None,
        help="1, 2, 4 or 8 mirrored and turned passes that are averaged; as the model's card says where not given",
    )


def add_output_options(parser: ArgumentParser) -> None:
    """Where results go and how they are told."""
    parser.add_argument("-o", "--output", required=True, help="folder for the results")
    parser.add_argument("--overwrite", action="store_true", help="replace results that are there")
    parser.add_argument("--json", action="store_true", help="results on stdout as one JSON document a line")


def listed_inputs(given: Namespace) -> list[Path]:
    """The inputs of the command line and of its --manifest: a text file with one path a line, or a CSV with a
    column `path`. Relative paths in it start at its own folder. Raises `UsageError` where there is none."""
    inputs = [Path(item) for item in given.inputs]
    if given.manifest:
        inputs += _manifest_paths(Path(given.manifest))
    if not inputs:
        raise UsageError("no input given; expected a DICOM folder, a zip or NIfTI files, or --manifest FILE")
    return inputs


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
