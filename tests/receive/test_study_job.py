"""The job of a received study: results and objects, each made once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("highdicom")

from dicom_nodes import uids_below
from interop_hearts import analysed, stack_cine, write_study

from cinema_cmr.interop import encapsulated_pdf
from cinema_cmr.io.atomic import write_json
from cinema_cmr.io.dicom.writing.series import DicomShape
from cinema_cmr.io.provenance import input_digest
from cinema_cmr.pipeline.analyzer import Analyzer
from cinema_cmr.receive.study_job import analyse_and_export, has_objects


@pytest.mark.medium
def test_objects_are_written_once_and_completed_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encapsulated_pdf, "find_browser", lambda: None)
    folder = tmp_path / "job"
    study = write_study(folder / "input/study", stack_cine(), shape=DicomShape.ENHANCED)
    write_json(folder / "job.json", {"name": "0123456789abcdef"})
    calls = []

    def analyse(_: Analyzer, source: Path, **__: object) -> object:
        calls.append(source)
        analysis = analysed(study)
        return replace(analysis, run=replace(analysis.run, input_sha256=input_digest(source)))

    monkeypatch.setattr(Analyzer, "analyse", analyse)
    assert not has_objects(folder)
    analyse_and_export(folder)
    assert has_objects(folder)
    first = uids_below(folder / "dicom")
    assert len(first) >= 3
    (folder / "dicom").rename(tmp_path / "lost")  # a kill between results and objects
    assert not has_objects(folder)
    analyse_and_export(folder)
    analyse_and_export(folder)
    assert uids_below(folder / "dicom") == first and len(calls) == 1
