"""An outcome comes back from its archive as it went in."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from stub_works import record

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.population.outcome import (
    StudyOutcome,
    archived_members,
    archived_outcome,
    outcome_archive,
    parse_outcome,
)


def test_archive_has_the_outcome_its_members_and_what_a_plan_asks() -> None:
    outcome = StudyOutcome(name="a b", settings="s", listing="l", record=record("a b"), finished_ms=1_795_942_268_252)
    content = outcome_archive(outcome, {"sax.nii.gz": b"mask"})
    assert archived_outcome(content, "a b") == outcome
    assert archived_members(content, "a b") == {"sax.nii.gz": b"mask"}
    assert content == outcome_archive(outcome, {"sax.nii.gz": b"mask"})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["a b/outcome.json", "a b/sax.nii.gz"]
        assert json.loads(archive.infolist()[0].comment) == ["done", "s", "l", 1_795_942_268_252]


def test_a_damaged_outcome_is_refused() -> None:
    for content in (b'{"name": 1}', b"\xff", b"{"):
        with pytest.raises(UnreadableFileError):
            parse_outcome(content, "x")
