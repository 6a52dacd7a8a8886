"""`cinema analyse`: from scans to reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.analyse_case import CaseResult, CaseTarget, analyse_case
from cinema_cmr.commands.console import Console
from cinema_cmr.commands.dicom.export import add_phase_option, export_results
from cinema_cmr.commands.options.dataclass_options import add_options, option_values
from cinema_cmr.commands.options.shared_options import (
    add_input_options,
    add_model_options,
    add_output_options,
    add_series_options,
    listed_inputs,
    read_normal_ranges,
)
from cinema_cmr.core.errors import CinemaError, QualityError
from cinema_cmr.core.study import Subject
from cinema_cmr.io.names import unique_names
from cinema_cmr.io.output_folder import check_writable
from cinema_cmr.measure.measure import MeasureOptions
from cinema_cmr.measure.normal_ranges import NORMAL_RANGES
from cinema_cmr.pipeline.analysis_options import ExtraModels, InferenceOptions, Options, SeriesOptions

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options in their groups: input, model, measurement, output."""
    add_input_options(parser, "DICOM folders, zips, NIfTI files or folders; each one study")
    add_series_options(parser)
    add_options(parser, Subject, title="subject (overrides values read from the files)")
    add_model_options(parser)
    add_options(parser, ExtraModels, title="additional models (a name, a path or none)")
    measurement = add_options(parser, MeasureOptions, title="measurement")
    measurement.add_argument("--single-frame", action="store_true", help="measure a stack of one frame, without EF")
    measurement.add_argument("--normal-ranges", metavar="FILE", help="CSV or JSON table of reference ranges")
    output = add_output_options(parser)
    output.add_argument("--images", action="store_true", default=None, help="write images beside masks, of NIfTI too")
    output.add_argument(
        "--no-images", action="store_false", dest="images", default=None, help="write no images, of DICOM neither"
    )
    output.add_argument("--dicom", action="store_true", help="write DICOM and FHIR too, for DICOM input (OUT/dicom)")
    add_phase_option(output)
    output.add_argument("--strict", action="store_true", help="exit with code 4 if a result is flagged")


def run(given: Namespace) -> int:
    """Analyse every input; return the exit code of the first failure, or 0."""
    from cinema_cmr.pipeline.analyzer import Analyzer

    inputs = listed_inputs(given)
    output = Path(given.output)
    check_writable(output)
    names = unique_names(inputs)
    folders = [output] if len(inputs) == 1 else [output / name for name in names]
    console = Console(as_json=given.json)
    analyzer = Analyzer(_options(given))
    results = []
    for source, name, folder in zip(inputs, names, folders, strict=True):
        target = CaseTarget(folder=folder, name=name, overwrite=given.overwrite, images=given.images)
        result = analyse_case(source, target, analyzer=analyzer, console=console)
        result = _exported(result, source, folder, given, console)
        results.append(result)
        console.result(result.text, result.to_dict())
    if len(inputs) > 1:
        _write_index(results, output)
        console.note(f"index of all studies: {output / 'index.html'}")
    return _exit_code(results, strict=given.strict)


def _exported(result: CaseResult, source: Path, folder: Path, given: Namespace, console: Console) -> CaseResult:
    """Write the DICOM and FHIR of a result, if asked for and not there; an error is the result's, which stays."""
    target = folder / "dicom"
    if not given.dicom or result.error is not None or (target.exists() and not given.overwrite):
        return result
    try:
        export_results(
            folder, source, target, phases=given.dicom_phases, overwrite=given.overwrite, console=console, quiet=True
        )
    except CinemaError as error:
        return replace(result, error=console.failure(result.row.name, error))
    return result


def _options(given: Namespace) -> Options:
    values = option_values(given, InferenceOptions, ExtraModels, Subject, MeasureOptions, SeriesOptions)
    ranges = read_normal_ranges(given.normal_ranges) or NORMAL_RANGES
    return Options.of(**values, single_frame=given.single_frame, normal_ranges=ranges)


def _write_index(results: Sequence[CaseResult], output: Path) -> None:
    from cinema_cmr.report.index import write_index

    # The index describes the folder as it is now, so it is always written anew.
    write_index([result.row for result in results], output / "index.html", overwrite=True)


def _exit_code(results: Sequence[CaseResult], *, strict: bool) -> int:
    failed = [result.error.exit_code for result in results if result.error is not None]
    if failed:
        return failed[0]
    flagged = any(flag.severity != "info" for result in results for flag in result.row.flags)
    return QualityError.exit_code if strict and flagged else 0
