"""`cinema deidentify`: a DICOM study without identity, with what an analysis needs."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.interop.deidentify import deidentify

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the study, the output and the key of the replacements."""
    parser.add_argument("input", metavar="STUDY", help="DICOM folder, file or zip of one patient")
    parser.add_argument("-o", "--output", metavar="FOLDER", required=True, help="folder for the images")
    parser.add_argument(
        "--key", help="secret that gives the same identifiers in several calls (default: a random one each time)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing folder")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(given: Namespace) -> int:
    """De-identify the study and print what was written, left out and to be looked at."""
    done = deidentify(Path(given.input), Path(given.output), key=given.key, overwrite=given.overwrite)
    console = Console(as_json=given.json)
    for warning in done.warnings:
        console.note(f"cinema: {warning}")
    lines = [f"{given.output}: {done.n_images} images"]
    lines += [f"  left out: {count} files: {reason}" for reason, count in done.left_out.items()]
    lines += ["  pixels were copied as they are: check that no text is burnt into them"]
    console.result(
        "\n".join(lines),
        {
            "folder": given.output,
            "images": done.n_images,
            "left_out": dict(done.left_out),
            "warnings": list(done.warnings),
        },
    )
    return 0
