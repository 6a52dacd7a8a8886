"""run.json: model, versions, seconds and the options of an analysis; no path stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cinema_cmr.core.run_facts import OptionValue, RunFacts
from cinema_cmr.core.serialise import from_dict, json_text, json_values
from cinema_cmr.io.atomic import write_text
from cinema_cmr.report.record.build import model_record, without_folders
from cinema_cmr.report.record.study_record import ModelRecord

__all__ = ["RunRecord", "run_record", "write_run_json"]


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """Content of run.json."""

    model: ModelRecord
    input_sha256: str | None
    versions: Mapping[str, str | None]
    seconds: Mapping[str, float]
    options: Mapping[str, OptionValue]
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Path of each other file of the results, relative to run.json -> its SHA-256."""

    def same_result(self, other: RunRecord) -> bool:
        """Whether both runs give the same result: same input, model, settings and options, on any device."""
        mine, theirs = (
            (run.input_sha256, run.options, run.model.hash, run.model.inference_settings) for run in (self, other)
        )
        return mine == theirs


def run_record(run: RunFacts, outputs: Mapping[str, str] | None = None) -> RunRecord:
    """Return the record of a run, with the very values that reading run.json gives back."""
    options = {name: without_folders(value) if isinstance(value, str) else value for name, value in run.options.items()}
    record = RunRecord(
        model=model_record(run),
        input_sha256=run.input_sha256,
        versions=run.versions,
        seconds=run.seconds,
        options=options,
        outputs=outputs or {},
    )
    return from_dict(RunRecord, json_values(record))


def write_run_json(
    run: RunFacts, path: Path, *, outputs: Mapping[str, str] | None = None, overwrite: bool = False
) -> None:
    """Write run.json whole or not at all; raises `OutputExistsError` unless `overwrite`."""
    write_text(path, json_text(run_record(run, outputs)), overwrite=overwrite)
