"""Objects beside results that were corrected after the export are those of before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cinema_cmr.core.edits import Edits, EditStep
from cinema_cmr.interop.older_objects import has_older_objects, objects_folder
from cinema_cmr.serve.jobs import JOB_FILE, RESULTS

EDITS = Edits(steps=(EditStep(time="2026-12-01T10:00:00+00:00", version="1"),))


@pytest.mark.parametrize(
    ("written", "older"),
    [
        ({"timestamp": "2026-12-01T11:30:00+02:00"}, True),
        ({"timestamp": "2026-12-01T12:30:00+02:00"}, False),
        ({"timestamp": "yesterday"}, True),
        ({}, True),
        ([], True),
    ],
)
def test_the_time_of_the_bundle_decides(tmp_path: Path, written: object, older: bool) -> None:
    assert not has_older_objects(tmp_path, EDITS), "no objects"
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "fhir.json").write_text(json.dumps(written))
    assert has_older_objects(tmp_path, EDITS) is older
    assert not has_older_objects(tmp_path, None) and not has_older_objects(tmp_path, Edits())


def test_the_objects_of_a_received_study_lie_beside_its_results(tmp_path: Path) -> None:
    results = tmp_path / RESULTS
    assert objects_folder(results) == results / "dicom"
    (tmp_path / JOB_FILE).write_text("{}")
    assert objects_folder(results) == tmp_path / "dicom"
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "fhir.json").write_text('{"timestamp": "2026-12-01T09:00:00+00:00"}')
    assert has_older_objects(results, EDITS)
