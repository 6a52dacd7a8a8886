"""Reading of measurements.json and run.json, of older versions too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.core.serialise import json_text, json_values
from cinema_cmr.core.vocabulary import View
from cinema_cmr.report.record.build import build_record
from cinema_cmr.report.record.stored import read_measurements, read_run


def saved(folder: Path, values: Any) -> Path:
    path = folder / "measurements.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def version_1(analysis: Analysis) -> dict[str, Any]:
    """The record as version 1.4 wrote it."""
    values = dict(json_values(build_record(analysis)))
    values["schema_version"] = "1.4"
    values["model"]["manner"] = values["model"].pop("inference_settings")
    for prediction in values["predictions"]:
        prediction["located_by"] = prediction.pop("location_method")
        prediction["removed"] = prediction.pop("removed_components")
    values["flags"][0]["code"] = "larger-than-window"
    for name in [name for name in values["summary"] if name.startswith(("infarct", "no_reflow", "lge"))]:
        del values["summary"][name]
    return values


def test_written_record_reads_back_equal(analysis: Analysis, tmp_path: Path) -> None:
    record = build_record(analysis)
    path = tmp_path / "measurements.json"
    path.write_text(json_text(record), encoding="utf-8")
    assert read_measurements(path) == record


def test_version_1_is_read_with_its_old_keys(analysis: Analysis, tmp_path: Path) -> None:
    record, expected = read_measurements(saved(tmp_path, version_1(analysis))), build_record(analysis)
    assert (record.summary, record.predictions, record.model) == (
        expected.summary,
        expected.predictions,
        expected.model,
    )
    assert record.flags[0].code == "heart-exceeds-fov"


def test_first_versions_lacked_landmarks_and_disease(analysis: Analysis, tmp_path: Path) -> None:
    values = version_1(analysis)
    del values["landmarks"], values["disease"], values["study"]["modality"]
    record = read_measurements(saved(tmp_path, values))
    assert (record.landmarks, record.disease, record.study.modality) == ((), None, "cine")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"schema_version": "3.0"}'])
def test_damaged_or_unknown_files_are_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "measurements.json"
    path.write_text(content, encoding="utf-8")
    for read in (read_measurements, read_run):
        with pytest.raises(UnreadableFileError, match=r"measurements\.json"):
            read(path)


def test_version_2_0_lacked_edits_and_phases(analysis: Analysis, tmp_path: Path) -> None:
    values = dict(json_values(build_record(analysis)))
    values["schema_version"] = "2.0"
    del values["edits"]
    for cine in values["cines"]:  # type: ignore[union-attr]
        del cine["in_phase"], cine["on_file_grid"]  # type: ignore[arg-type, call-overload, union-attr]
    record = read_measurements(saved(tmp_path, values))
    assert record == build_record(analysis)
    values["flags"] = [{"code": "phases-unknown", "severity": "error", "message": "no EF", "evidence": {}}]
    assert {cine.view: cine.in_phase for cine in read_measurements(saved(tmp_path, values)).cines} == {
        View.SAX: False,
        View.LAX_4C: True,
    }
