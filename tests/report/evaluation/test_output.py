"""The files of an evaluation are written together or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracles import CPU, Oracle, annotated, heart, segmenter

from cinema_cmr.core.errors import OutputExistsError
from cinema_cmr.evaluation.evaluate import evaluate
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.report.evaluation.output import check_evaluation_folder, write_evaluation

STUDIES = [annotated(heart((15.0, radius), n_slices=3), f"p{radius}") for radius in (10.0, 11.0)]


@pytest.mark.medium
def test_files_are_written_together(tmp_path: Path) -> None:
    scored = evaluate(LoadedModel(model=Oracle(), card=segmenter(size=(63, 59)).card), STUDIES, CPU)
    (tmp_path / "tables.md").write_text("old")
    with pytest.raises(OutputExistsError):
        check_evaluation_folder(tmp_path)
    with pytest.raises(OutputExistsError):
        write_evaluation(tmp_path, scored.evaluation, scored.studies)
    assert [path.name for path in tmp_path.iterdir()] == ["tables.md"]
    write_evaluation(tmp_path, scored.evaluation, scored.studies, overwrite=True)
    names = {"patients.csv", "tables.md", "page.html", "scores.json"}
    assert {path.name for path in tmp_path.iterdir()} == names
