"""`cinema export`: finished results as DICOM segmentation, structured report, PDF and FHIR."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.dataclass_options import OptionGroup
from cinema_cmr.interop.exported_frames import PhaseChoice
from cinema_cmr.interop.older_objects import objects_folder

__all__ = ["add_arguments", "add_phase_option", "export_results", "note_older_objects", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the results, their study and the output."""
    parser.add_argument("results", metavar="RESULTS", help="folder that `cinema analyse` wrote")
    parser.add_argument("--study", metavar="DICOM", required=True, help="the folder or zip that was analysed")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        help="folder to write (default: RESULTS/dicom)",
    )
    add_phase_option(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace an existing folder")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def add_phase_option(parser: ArgumentParser | OptionGroup) -> None:
    """Add the choice of the exported frames."""
    parser.add_argument(
        "--dicom-phases",
        choices=get_args(PhaseChoice),
        default="ed-es",
        help="frames with a DICOM segmentation",
    )


def run(given: Namespace) -> int:
    """Write the objects of a results folder and print what was written."""
    export_results(
        Path(given.results),
        Path(given.study),
        given.output,
        phases=given.dicom_phases,
        overwrite=given.overwrite,
        console=Console(as_json=given.json),
    )
    return 0


def export_results(
    results: Path,
    study: Path,
    folder: Path | str | None,
    *,
    phases: PhaseChoice,
    overwrite: bool,
    console: Console,
    quiet: bool = False,
) -> None:
    """Export a results folder with its study; `quiet` prints no list of files."""
    from cinema_cmr.pipeline.dicom_export import export_dicom

    done = export_dicom(results, study, folder, phases=phases, overwrite=overwrite)
    if done.no_pdf is not None:
        console.note(f"cinema: no PDF of the report: {done.no_pdf}")
    console.note(f"cinema: the objects carry name and identifiers of the patient, as the images do: {done.folder}")
    if quiet:
        return
    console.result(
        "\n".join(f"{path}: {one.description}" for path, one in zip(done.paths, done.files, strict=True)),
        {"folder": str(done.folder), "files": [vars(one) for one in done.files]},
    )


def note_older_objects(results: Path, console: Console) -> None:
    """Note that the DICOM objects beside results are those of before a change."""
    folder = objects_folder(results)
    console.note(
        f"cinema: '{folder.parent.name}/{folder.name}' still holds the objects of before: write them anew by"
        " `cinema export RESULTS --study STUDY --overwrite`"
    )
