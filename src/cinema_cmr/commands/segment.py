"""`cinema segment`: one mask per image, with the model loaded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.dataclass_options import option_values
from cinema_cmr.commands.options.shared_options import (
    add_input_options,
    add_model_options,
    add_output_options,
    add_series_options,
    listed_inputs,
)
from cinema_cmr.core.errors import OutputExistsError
from cinema_cmr.core.results import Flag
from cinema_cmr.io.names import unique_names
from cinema_cmr.io.output_folder import check_writable
from cinema_cmr.pipeline.analysis_options import InferenceOptions, Options, SeriesOptions

if TYPE_CHECKING:
    from cinema_cmr.pipeline.analyzer import Analyzer

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the images, the model and the output folder."""
    add_input_options(parser, "NIfTI files (3D, or 4D with time), or DICOM folders and zips")
    add_series_options(parser)
    add_model_options(parser)
    add_output_options(parser)


def run(given: Namespace) -> int:
    """Write NAME_seg.nii.gz for every input; a mask of the same input by the same model is kept.

    The exit code is that of the first failure, or 0.
    """
    from cinema_cmr.pipeline.analyzer import Analyzer

    inputs = listed_inputs(given)
    check_writable(given.output)
    console = Console(as_json=given.json)
    analyzer = Analyzer(Options.of(**option_values(given, InferenceOptions, SeriesOptions)))
    _ = analyzer.series_choices, analyzer.segmenter  # an unknown model or file is an error before any input
    codes = []
    for source, name in zip(inputs, unique_names(inputs), strict=True):
        target = Path(given.output) / f"{name}_seg.nii.gz"
        flags: list[Flag] = []
        try:
            status = _segmented(source, target, analyzer, overwrite=given.overwrite, warn=flags.append)
            for flag in flags:
                console.note(f"cinema: {name}: {flag.message}")
            kept = status == "kept"
            console.result(
                str(target) + (" (there before, kept)" if kept else ""),
                _line(name, status, target, flags=None if kept else [flag.code for flag in flags]),
            )
        except Exception as error:  # of any kind: the next image may be a good one
            reported = console.failure(name, error)
            codes.append(reported.exit_code)
            if given.json:
                console.result("", _line(name, "failed", None, str(reported)))
    return codes[0] if codes else 0


def _segmented(
    source: Path, target: Path, analyzer: Analyzer, *, overwrite: bool, warn: Callable[[Flag], None]
) -> Literal["kept", "done"]:
    from cinema_cmr.io.provenance import read_mask_note
    from cinema_cmr.pipeline.segment import mask_origin, segment_to_file

    segmenter, choices = analyzer.segmenter, analyzer.series_choices
    if target.exists() and not overwrite:
        if read_mask_note(target) == mask_origin(source, segmenter, choices):
            return "kept"
        raise OutputExistsError(
            f"'{target.name}' exists and is of another input or model, or edited by hand; "
            "choose another folder or give --overwrite"
        )
    segment_to_file(source, target, segmenter=segmenter, overwrite=overwrite, warn=warn, choices=choices)
    return "done"


def _line(
    name: str, status: str, target: Path | None, error: str | None = None, *, flags: Sequence[str] | None = None
) -> dict[str, object]:
    """Return the JSON line; `flags` is None for an input that failed or whose mask was kept."""
    mask = None if target is None else str(target)
    return {"name": name, "status": status, "mask": mask, "error": error, "flags": flags}
