"""Objects beside results that were corrected after the export are those of before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cinema_cmr.core.edits import Edits, EditStep
from cinema_cmr.interop.older_objects import has_older_objects

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
