"""One study of `cinema analyse`: done, skipped because it is done, or failed with its reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cinema_cmr.commands.console import Console
from cinema_cmr.core.errors import CinemaError, OutputExistsError
from cinema_cmr.report.index import IndexRow

__all__ = ["CaseResult", "analyse_case"]


@dataclass(frozen=True, kw_only=True)
class CaseResult:
    """What became of one input."""

    row: IndexRow
    status: str
    """"done", "kept" or "failed"."""
    text: str
    """For people."""
    error: CinemaError | None = None

    @property
    def document_line(self) -> dict[str, Any]:
        """For machines: name, status, the report's path, summary, flags and error."""
        return {
            "name": self.row.name,
            "status": self.status,
            "report": self.row.report,
            "summary": dict(self.row.summary),
            "flags": list(self.row.flags),
            "error": self.row.error,
        }


def analyse_case(
    source: Path, folder: Path, *, name: str, session: Any, overwrite: bool, console: Console
) -> CaseResult:
    """Analyse one input into its folder. Errors of this input are told and do not stop the others."""
    try:
        kept = None if overwrite else _finished(source, folder, name, session)
        if kept is not None:
            return _told(kept, folder, name, "kept")
        document = _analysed(source, folder, name, session=session, overwrite=overwrite, console=console)
        return _told(document, folder, name, "done")
    except CinemaError as error:
        console.note(f"cinema: {name}: {error}")
        row = IndexRow(name=name, error=str(error))
        return CaseResult(row=row, status="failed", text=f"{name}: failed: {error}", error=error)


def _analysed(
    source: Path, folder: Path, name: str, *, session: Any, overwrite: bool, console: Console
) -> dict[str, Any]:
    from cinema_cmr.pipeline import analyse

    analysis = analyse(
        source,
        options=session.options,
        segmenter=session.segmenter,
        finder=session.finder,
        long_axis=session.long_axis,
        name=name,
        report=console.stage(name),
    )
    analysis.write(folder, overwrite=overwrite)
    return analysis.document


def _finished(source: Path, folder: Path, name: str, session: Any) -> dict[str, Any] | None:
    """The document of a finished run of this input with this model, these options and this version; None if free.

    Raises `OutputExistsError` where other results, or damaged ones, stand there: they may be somebody's only copy.
    """
    if not (folder / "run.json").exists():
        return None
    from cinema_cmr.io.provenance import input_digest
    from cinema_cmr.pipeline import chosen_options
    from cinema_cmr.report.run import installed_version, options_document

    digest, options = input_digest(source), options_document(chosen_options(session.options, session.segmenter))
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        document: dict[str, Any] = json.loads((folder / "measurements.json").read_text(encoding="utf-8"))
        version = run["versions"]["cinema_cmr"]
        same = (
            document["study"]["name"] == name
            and run.get("input_sha256") == digest
            and run["options"] == options
            and run["model"]["hash"] == (session.segmenter.card.weights_sha256 or None)
            and run["model"].get("inference_settings") == session.segmenter.inference_settings
        )
        _told(document, folder, name, "kept")  # what cannot be told is damaged
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _not_kept(folder, "results that are damaged or of which a part is missing") from error
    if not same:
        raise _not_kept(folder, "results of another study, model or other options")
    ours = installed_version("cinema-cmr")
    if version != ours:
        raise _not_kept(folder, f"results of version {version}; this is {ours}")
    return document


def _not_kept(folder: Path, what: str) -> OutputExistsError:
    return OutputExistsError(f"'{folder.name}' holds {what}; choose another folder or give --overwrite")


def _told(document: dict[str, Any], folder: Path, name: str, status: str) -> CaseResult:
    report = folder / "report.html"
    summary = document["summary"]
    numbers = ", ".join(
        f"{title} {summary[key]:.0f} {unit}"
        for key, title, unit in (
            ("lv_ef_percent", "LVEF", "%"),
            ("lv_edv_ml", "LV EDV", "ml"),
            ("lv_esv_ml", "LV ESV", "ml"),
            ("lv_mass_g", "LV mass", "g"),
            ("rv_ef_percent", "RVEF", "%"),
            ("infarct_percent", "infarct", "% of the myocardium"),
            ("no_reflow_percent", "no-reflow", "% of the myocardium"),
            ("infarct_g", "infarct", "g"),
        )
        if summary.get(key) is not None
    )
    flags = ", ".join(flag["code"] for flag in document["flags"] if flag["severity"] != "info")
    lines = [f"{name}: {numbers or 'nothing could be measured'}"]
    lines += [f"  flags: {flags}"] if flags else []
    lines += [f"  report: {report}" + (" (finished before, kept)" if status == "kept" else "")]
    row = IndexRow(name=name, report=f"{name}/report.html", document=document)
    return CaseResult(row=row, status=status, text="\n".join(lines))
