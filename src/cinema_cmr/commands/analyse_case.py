"""One study of `cinema analyse`: analysed, kept from an earlier run, or failed with its reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cinema_cmr.commands.console import Console
from cinema_cmr.core.errors import CinemaError, OutputExistsError, UnreadableFileError
from cinema_cmr.core.serialise import Json, json_values
from cinema_cmr.files.exchange import finish_commits
from cinema_cmr.io.provenance import input_digest
from cinema_cmr.report.index import IndexRow
from cinema_cmr.report.record.review import read_review
from cinema_cmr.report.record.run_record import run_record
from cinema_cmr.report.record.stored import changed_output, read_measurements, read_run
from cinema_cmr.report.record.study_record import StudyRecord

if TYPE_CHECKING:
    from cinema_cmr.pipeline.analyzer import Analyzer

__all__ = ["CaseResult", "CaseTarget", "analyse_case"]

_PRINTED = (
    ("lv_ef_percent", "LVEF", "%"),
    ("lv_edv_ml", "LV EDV", "ml"),
    ("lv_esv_ml", "LV ESV", "ml"),
    ("lv_mass_g", "LV mass", "g"),
    ("rv_ef_percent", "RVEF", "%"),
    ("infarct_percent", "infarct", "% of the myocardium"),
    ("no_reflow_percent", "no-reflow", "% of the myocardium"),
    ("infarct_g", "infarct", "g"),
)


@dataclass(frozen=True, kw_only=True)
class CaseResult:
    """Outcome of one input."""

    row: IndexRow
    status: Literal["done", "kept", "failed"]
    text: str
    """Lines for the terminal."""
    error: CinemaError | None = None

    def to_dict(self) -> dict[str, Json]:
        """Return the JSON line: name, status, path of the report, summary, flags and error."""
        return json_values(
            {
                "name": self.row.name,
                "status": self.status,
                "report": self.row.report,
                "summary": asdict(self.row.summary),
                "flags": self.row.flags,
                "error": self.row.error,
            }
        )


@dataclass(frozen=True, kw_only=True)
class CaseTarget:
    """Where the results of one input go, and which of them."""

    folder: Path
    name: str
    """Name of the study."""
    overwrite: bool = False
    images: bool | None = None
    """As `report.write.write_results`."""


def analyse_case(source: Path, target: CaseTarget, *, analyzer: Analyzer, console: Console) -> CaseResult:
    """Analyse one input into its folder. Whatever goes wrong with it is reported and does not stop the others."""
    from cinema_cmr.report.write import write_results

    folder, name = target.folder, target.name
    try:
        finish_commits(folder)
        if target.overwrite:
            _check_no_corrections(folder)
        kept = None if target.overwrite else _finished(source, folder, name, analyzer)
        if kept is not None:
            return _result(kept, folder, name, "kept")
        analysis = analyzer.analyse(source, name=name, report=console.stage(name))
        record = write_results(analysis, folder, overwrite=target.overwrite, images=target.images)
        return _result(record, folder, name, "done")
    except Exception as error:  # of any kind: the next study may be a good one
        reported = console.failure(name, error)
        row = IndexRow(name=name, error=str(reported))
        return CaseResult(row=row, status="failed", text=f"{name}: failed: {reported}", error=reported)


def _finished(source: Path, folder: Path, name: str, analyzer: Analyzer) -> StudyRecord | None:
    """Return the record of a finished run of this input with this model, options and version; None for a free folder.

    Raises `OutputExistsError` for other or damaged results, which may be the only copy.
    """
    if folder.name == name and folder.is_symlink():
        raise _not_kept(folder, "a link to another folder, which is not followed")
    if not (folder / "run.json").exists():
        return None
    run = run_record(analyzer.run_facts(input_digest(source)))
    try:
        stored, record = read_run(folder / "run.json"), read_measurements(folder / "measurements.json")
    except UnreadableFileError as error:
        raise _not_kept(folder, "results that are damaged or incomplete") from error
    if record.edits is not None:  # corrected results are those of the model's run, and are kept
        stored = replace(stored, options=record.edits.model_options(stored.options))
    if record.study.name != name or not stored.same_result(run):
        raise _not_kept(folder, "results of another study, model or other options")
    version, ours = stored.versions.get("cinema_cmr"), run.versions["cinema_cmr"]
    if version != ours:
        raise _not_kept(folder, f"results of version {version}; this is {ours}")
    changed = changed_output(folder, stored)
    if changed is not None:
        raise _not_kept(folder, f"results of which {changed} is missing or was changed")
    return record


def _check_no_corrections(folder: Path) -> None:
    """Raise `OutputExistsError` for results that a reader corrected or signed off: no option replaces that work."""
    review = read_review(folder)
    try:
        edits = read_measurements(folder / "measurements.json").edits
    except UnreadableFileError:  # none, or damaged ones
        edits = None
    if review.is_corrected or review.signed_off or (edits is not None and edits.is_corrected):
        held = "the sign-off" if review.signed_off and not review.is_corrected else "corrections"
        raise OutputExistsError(
            f"'{folder.name}' holds {held} of a reader, which --overwrite does not replace; expected results of a model"
            " alone: choose another folder, or remove this one"
        )


def _not_kept(folder: Path, found: str) -> OutputExistsError:
    return OutputExistsError(f"'{folder.name}' holds {found}; choose another folder or give --overwrite")


def _result(record: StudyRecord, folder: Path, name: str, status: Literal["done", "kept"]) -> CaseResult:
    values = ((title, getattr(record.summary, key), unit) for key, title, unit in _PRINTED)
    numbers = ", ".join(f"{title} {value:.0f} {unit}" for title, value, unit in values if value is not None)
    flags = ", ".join(flag.code for flag in record.flags if flag.severity != "info")
    lines = [f"{name}: {numbers or 'nothing could be measured'}"]
    lines += [f"  flags: {flags}"] if flags else []
    lines += [f"  report: {folder / 'report.html'}" + (" (finished before, kept)" if status == "kept" else "")]
    row = IndexRow(name=name, report=f"{name}/report.html", record=record)
    return CaseResult(row=row, status=status, text="\n".join(lines))
