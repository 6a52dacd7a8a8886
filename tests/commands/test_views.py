"""`cinema views`: each series with its view, grid and outcome, as text and as JSON."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from scan_runs import LABELS, call, scan
from synthetic_dicom import Heart, StudyWriter, long_axis_plane, short_axis_planes, written_stack


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


@pytest.mark.medium
def test_an_edited_table_decides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heart = Heart()
    writer = StudyWriter(folder=tmp_path / "study", heart=heart)
    writer.add(short_axis_planes(heart, n=5), series=3, n_frames=8)
    writer.add([long_axis_plane(heart, 20.0)], series=6, n_frames=8, SeriesDescription="cine 4ch")
    table = tmp_path / "views.csv"
    assert call("views", tmp_path / "study", "-o", table) == 0
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    (row,) = (row for row in rows if row["series"] == "series 6")
    assert row["use"] == "yes" and row["view"] in ("lax_3c", "lax_4c")
    row["view"] = "lax_2c"
    with table.open("w", newline="") as stream:
        written = csv.DictWriter(stream, list(row))
        written.writeheader()
        written.writerows(rows)
    capsys.readouterr()
    assert call("views", tmp_path / "study", "--views", table, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [cine["view"] for cine in document["cines"]] == ["sax", "lax_2c"]
    decided = [issue["message"] for issue in document["issues"] if issue["code"] == "user-decision"]
    assert any("series 6" in text and "2-chamber" in text and text.endswith("the user decided") for text in decided)
    assert call("views", tmp_path / "study", "--ignore", "6", "--json") == 0
    assert [cine["view"] for cine in json.loads(capsys.readouterr().out)["cines"]] == ["sax"]


def test_descriptions_are_shown_in_full_only_if_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = StudyWriter(folder=tmp_path / "study")
    writer.add(short_axis_planes(Heart(), n=3), series=3, n_frames=8, SeriesDescription="cine sax Mueller again")
    for words, described in (((), "(short axis, repeat)"), (("--descriptions",), "(cine sax Mueller again)")):
        table = tmp_path / f"views{len(words)}.csv"
        assert call("views", tmp_path / "study", "-o", table, *words) == 0
        printed = capsys.readouterr().out
        assert call("views", tmp_path / "study", "--json", *words) == 0
        printed += capsys.readouterr().out + table.read_text()
        assert described in printed and printed.count("Mueller") == 3 * len(words)
