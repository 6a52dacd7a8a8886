"""`cinema analyse`: from scans to reports."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.analyse_case import CaseResult, CaseTarget, analyse_case
from cinema_cmr.commands.case_pool import each_result
from cinema_cmr.commands.console import Console
from cinema_cmr.commands.dicom.export import add_phase_option, export_results, note_older_objects
from cinema_cmr.commands.options.dataclass_options import add_options, option_values
from cinema_cmr.commands.options.normal_ranges_file import read_normal_ranges
from cinema_cmr.commands.options.shared_options import (
    add_input_options,
    add_model_options,
    add_output_options,
    add_series_options,
    listed_studies,
    unused_columns,
)
from cinema_cmr.commands.options.study_facts import check_one_study
from cinema_cmr.core.errors import CinemaError, QualityError, as_cinema_error
from cinema_cmr.core.study import Subject
from cinema_cmr.interop.older_objects import FHIR_FILE, OBJECTS_FOLDER, has_older_objects
from cinema_cmr.io.manifest import ManifestRow, study_names
from cinema_cmr.io.output_folder import check_writable
from cinema_cmr.measure.measure import MeasureOptions
from cinema_cmr.pipeline.analysis_options import ExtraModels, InferenceOptions, Options, SeriesOptions, options_of_study
from cinema_cmr.report.index import IndexRow
from cinema_cmr.report.record.stored import read_measurements

if TYPE_CHECKING:
    from cinema_cmr.pipeline.analyzer import Analyzer

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options in their groups: input, model, measurement, output."""
    add_input_options(parser, "each a study: DICOM folder, zip, NIfTI file or folder of them")
    add_series_options(parser)
    add_options(parser, Subject, title="subject (overrides values read from the files)")
    add_model_options(parser)
    add_options(parser, ExtraModels, title="additional models (a name, a path or none)")
    measurement = add_options(parser, MeasureOptions, title="measurement")
    measurement.add_argument("--single-frame", action="store_true", help="measure a stack of one frame, without EF")
    measurement.add_argument("--normal-ranges", metavar="FILE", help="CSV or JSON table of reference ranges")
    output = add_output_options(parser)
    output.add_argument(
        "--images",
        action=BooleanOptionalAction,
        default=None,
        help="images beside the masks; default: of DICOM input alone",
    )
    output.add_argument("--dicom", action="store_true", help="write DICOM and FHIR too, for DICOM input (OUT/dicom)")
    add_phase_option(output)
    output.add_argument("--workers", type=int, default=1, help="studies at a time")
    output.add_argument("--strict", action="store_true", help="exit with code 4 if a result is flagged")


def run(given: Namespace) -> int:
    """Analyse every input; return the exit code of the first failure, or 0."""
    manifest = listed_studies(given)
    inputs = [row.path for row in manifest.rows]
    check_one_study(given, len(inputs))
    output = Path(given.output)
    check_writable(output)
    names = study_names(manifest.rows)
    several = len(inputs) > 1 or (output / "index.html").exists()
    cases = [
        _Case(row=row, name=name, folder=output / name if several else output)
        for row, name in zip(manifest.rows, names, strict=True)
    ]
    console, work = Console(as_json=given.json), _CaseWork(given, _options(given))
    if manifest.others:
        console.note(unused_columns(manifest))
    results = []
    for result in each_result(work, cases, workers=given.workers, failed=_died):
        results.append(result)
        if several or given.json or result.status != "failed":  # a failure alone stands on stderr already
            console.result(result.text, result.to_dict())
    if several:
        _write_index(results, output)
        console.note(f"index of all studies: {output / 'index.html'}")
    return _exit_code(results, strict=given.strict)


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One study: what the command line or the manifest says of it, its name and the folder of its results."""

    row: ManifestRow
    name: str
    folder: Path


class _CaseWork:
    """The work on one study, its models loaded once in each process that does it."""

    def __init__(self, given: Namespace, options: Options) -> None:
        self._given, self._options = given, options
        self._analyzer: Analyzer | None = None

    def __call__(self, case: _Case) -> CaseResult:
        """Analyse a study and write its results."""
        from cinema_cmr.pipeline.analyzer import Analyzer

        if self._analyzer is None:
            self._analyzer = Analyzer(self._options) if self._given.workers == 1 else _process_analyzer(self._options)
        given, analyzer = self._given, self._analyzer
        console = Console(as_json=given.json)
        row = case.row
        analyzer.use_options(options_of_study(self._options, row.subject, ed_frame=row.ed_frame, es_frame=row.es_frame))
        target = CaseTarget(folder=case.folder, name=case.name, overwrite=given.overwrite, images=given.images)
        result = analyse_case(row.path, target, analyzer=analyzer, console=console)
        return _exported(result, row.path, case.folder, given, console)


_ANALYZERS: dict[str, Analyzer] = {}
"""Of this worker process, which is sent its work anew with each study, by their options."""


def _process_analyzer(options: Options) -> Analyzer:
    from cinema_cmr.pipeline.analyzer import Analyzer

    return _ANALYZERS.setdefault(repr(options), Analyzer(options))


def _died(case: _Case, error: Exception) -> CaseResult:
    reported = as_cinema_error(error)
    row = IndexRow(name=case.name, error=str(reported))
    return CaseResult(row=row, status="failed", text=f"{case.name}: failed: {reported}", error=reported)


def _exported(result: CaseResult, source: Path, folder: Path, given: Namespace, console: Console) -> CaseResult:
    """Write the DICOM and FHIR of a result, if asked for and not there; an error is the result's, which stays."""
    target = folder / OBJECTS_FOLDER
    if result.error is not None:
        return result
    if not given.dicom or (target.exists() and not given.overwrite):
        replaced = result.status == "done" and (target / FHIR_FILE).exists()
        if replaced or has_older_objects(folder, read_measurements(folder / "measurements.json").edits):
            note_older_objects(folder, console)
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
    return Options.of(**values, single_frame=given.single_frame, normal_ranges=read_normal_ranges(given.normal_ranges))


def _write_index(results: Sequence[CaseResult], output: Path) -> None:
    from cinema_cmr.report.folder_index import update_index

    update_index(output, [result.row for result in results])


def _exit_code(results: Sequence[CaseResult], *, strict: bool) -> int:
    failed = [result.error.exit_code for result in results if result.error is not None]
    if failed:
        return failed[0]
    flagged = any(flag.severity != "info" for result in results for flag in result.row.flags)
    return QualityError.exit_code if strict and flagged else 0
