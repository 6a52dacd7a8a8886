"""`cinema views`: each series with its view, grid and outcome, as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scan_runs import LABELS, call, scan
from synthetic_dicom import written_stack


def test_each_series_is_listed_with_its_view_and_outcome(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written_stack(tmp_path / "study", n_frames=8)
    assert call("views", tmp_path / "study") == 0
    printed = capsys.readouterr().out
    assert "short axis: series 3" in printed and "kept: series 3" in printed


def test_json_document_has_the_grid_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("views", scan(tmp_path), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    (cine,), (series,) = document["cines"], document["series"]
    assert (document["name"], cine["view"], cine["shape"]) == ("scan", "sax", list(LABELS.shape))
    assert cine["spacing_mm"] == pytest.approx([1.5, 1.5, 8.0])
    assert (series["series"], series["view"], series["kept"]) == ("scan", "sax", True)


def test_text_has_the_size_and_frames_of_a_cine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("views", scan(tmp_path, labels=LABELS[..., :1])) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.endswith("71 x 65 x 6 voxels of 1.50 x 1.50 x 8.00 mm, 1 frame")
