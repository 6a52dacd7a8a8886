"""What `cinema evaluate` puts beside its own numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from oracles import cine_of, heart, segmenter

from cinema_cmr.cli import main
from cinema_cmr.commands.evaluate_output import write_files
from cinema_cmr.core.errors import OutputExistsError
from cinema_cmr.io.nifti.image import write_cine, write_mask


@pytest.mark.medium
def test_published_numbers_stand_beside_an_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.inference.loading.load_segmenter", lambda model, **_: segmenter(size=(63, 59)))
    for number in range(2):
        labels = heart((15.0, 10.0 + number), n_slices=6)
        write_cine(cine_of(labels), tmp_path / "lab" / f"p{number}.nii.gz")
        write_mask(labels, cine_of(labels), tmp_path / "lab" / f"p{number}_seg.nii.gz")
    words = ["evaluate", "--data", tmp_path / "lab", "--part", "all", "-o", tmp_path / "e"]
    assert main([str(word) for word in words]) == 0
    rows = json.loads((tmp_path / "e" / "scores.json").read_text())["published"]
    assert {"3.33 points (2.88 to 3.82)", "0.8872"} <= {row["published"] for row in rows}
    assert "MedNeXt" not in {row["model"] for row in rows}  # of ACDC alone
    assert "## Beside published values" in (tmp_path / "e" / "tables.md").read_text()
    assert 'id="published"' in (tmp_path / "e" / "page.html").read_text()


def test_an_evaluation_in_the_way_is_told_before_anything_is_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "e"
    out.mkdir()
    (out / "scores.json").write_text("{}")
    assert main(["evaluate", "--data", str(tmp_path / "none"), "-o", str(out)]) == 3
    assert "'scores.json' already exists" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["scores.json"]


def test_files_of_an_evaluation_are_written_together(tmp_path: Path) -> None:
    (tmp_path / "tables.md").write_text("old")
    texts = {"patients.csv": "new", "tables.md": "new", "scores.json": "{}"}
    with pytest.raises(OutputExistsError):
        write_files(tmp_path, texts, overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["tables.md"]
    write_files(tmp_path, texts, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == set(texts)
