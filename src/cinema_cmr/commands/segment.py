"""`cinema segment`: one mask per image, with the model loaded once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options import add_model_options, add_output_options, listed_inputs
from cinema_cmr.core.errors import CinemaError, OutputExistsError
from cinema_cmr.io.names import unique_names
from cinema_cmr.io.output_folder import check_writable

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Images, output folder and model."""
    parser.add_argument("inputs", nargs="*", help="NIfTI files (3D, or 4D with time), or DICOM folders and zips")
    parser.add_argument("--manifest", help="a file that lists inputs, one path a line or a CSV with a column 'path'")
    add_output_options(parser)
    add_model_options(parser)


def run(given: Namespace) -> int:
    """Write NAME_seg.nii.gz for every input; a mask made of the same input by the same model is kept.

    The exit code is that of the first failure, or 0.
    """
    inputs = listed_inputs(given)
    check_writable(given.output)
    console = Console(as_json=given.json)
    segmenter = _segmenter(given)
    codes = []
    for source, name in zip(inputs, unique_names(inputs), strict=True):
        target = Path(given.output) / f"{name}_seg.nii.gz"
        flags: list[Any] = []
        try:
            status = _segmented(source, target, segmenter, overwrite=given.overwrite, warn=flags.append)
            for flag in flags:
                console.note(f"cinema: {name}: {flag.message}")
            kept = status == "kept"
            console.result(
                str(target) + (" (there before, kept)" if kept else ""),
                _line(name, status, target, flags=None if kept else [flag.code for flag in flags]),
            )
        except CinemaError as error:
            codes.append(error.exit_code)
            console.note(f"cinema: {name}: {error}")
            if given.json:
                console.result("", _line(name, "failed", None, str(error)))
    return codes[0] if codes else 0


def _segmenter(given: Namespace) -> Any:
    from cinema_cmr.pipeline import Options, prepare_segmenter

    options = Options(model=given.model, device=given.device, precision=given.precision, tta=given.tta)
    return prepare_segmenter(options)


def _segmented(source: Path, target: Path, segmenter: Any, *, overwrite: bool, warn: Any) -> str:
    from cinema_cmr.io.provenance import read_mask_note
    from cinema_cmr.pipeline import mask_origin, segment

    if target.exists() and not overwrite:
        if read_mask_note(target) == mask_origin(source, segmenter):
            return "kept"
        raise OutputExistsError(
            f"'{target.name}' is there already, made of another input, by another model or by hand; "
            "choose another folder or give --overwrite"
        )
    segment(source, target, segmenter=segmenter, overwrite=overwrite, warn=warn)
    return "done"


def _line(
    name: str, status: str, target: Path | None, error: str | None = None, *, flags: Sequence[str] | None = None
) -> dict[str, Any]:
    """`flags` is None where the image was not looked at: it failed, or its mask was kept."""
    mask = None if target is None else str(target)
    return {"name": name, "status": status, "mask": mask, "error": error, "flags": flags}
