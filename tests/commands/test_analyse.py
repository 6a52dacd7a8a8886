"""`cinema analyse`: numbers on stdout, exit codes, an index of many studies, and no patient tags."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from scan_runs import LABELS, call, scan, use_oracle
from synthetic_dicom import written_stack

RANGES = """name,sex,age_low,age_high,lower,upper,unit,citation,papillary_rule
lv_edv_ml,F,18,60,80,170,ml,"Made-up reference 1999",in the mass
"""


@pytest.fixture(autouse=True)
def _oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    use_oracle(monkeypatch)


@pytest.mark.medium
def test_one_study_has_a_report_and_its_numbers_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("analyse", scan(tmp_path), "-o", tmp_path / "out") == 0
    printed = capsys.readouterr()
    assert re.search(r"scan: LVEF \d+ %, LV EDV \d+ ml", printed.out) and "report:" in printed.out
    assert (tmp_path / "out" / "report.html").exists() and not (tmp_path / "out" / "index.html").exists()


@pytest.mark.medium
def test_many_studies_have_an_index_and_a_bad_one_stops_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = [scan(tmp_path / "a", "sax"), scan(tmp_path / "b", "sax"), tmp_path / "c.nii.gz"]
    inputs[2].write_bytes(b"no scan")
    assert call("analyse", *inputs, "-o", tmp_path / "out", "--json") == 3
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["name"], line["status"]) for line in lines] == [("a", "done"), ("b", "done"), ("c", "failed")]
    assert "c.nii.gz" in lines[2]["error"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("a", "b", "codebook.csv", "failures.csv", "index.csv", "index.html"),
        *("measurements.csv", "measurements_long.csv"),
    ]


@pytest.mark.medium
def test_strict_exits_with_4_for_a_flag(tmp_path: Path) -> None:
    few = scan(tmp_path, labels=LABELS[:, :, 1:4])
    assert call("analyse", few, "-o", tmp_path / "one") == 0
    assert call("analyse", few, "-o", tmp_path / "two", "--strict") == 4
    assert (tmp_path / "two" / "report.html").exists()


@pytest.mark.medium
def test_results_contain_no_patient_tags(tmp_path: Path) -> None:
    written_stack(tmp_path / "study", n_frames=8)
    secret = "ZQX^SECRET"
    for path in (tmp_path / "study").rglob("*.dcm"):
        dataset = dcmread(path)
        dataset.PatientName, dataset.PatientID, dataset.SeriesDescription = secret, "ID4711", f"cine {secret}"
        dataset.save_as(path)
    assert call("analyse", tmp_path / "study", "-o", tmp_path / "out") == 0
    for path in (path for path in (tmp_path / "out").rglob("*") if path.is_file()):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert b"SECRET" not in content and b"ID4711" not in content, path.name


def test_an_unknown_model_is_a_weights_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    assert call("analyse", scan(tmp_path), "-o", tmp_path / "out", "--model", "no-such-model") == 5
    assert "no model 'no-such-model'" in capsys.readouterr().err


def test_american_spelling_is_the_same_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("analyze", tmp_path / "none", "-o", tmp_path / "out") == 3
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.medium
def test_json_line_has_the_ejection_fraction_of_the_heart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("analyse", scan(tmp_path), "-o", tmp_path / "out", "--json", "--landmarks", "none") == 0
    line = json.loads(capsys.readouterr().out)
    blood = np.count_nonzero(LABELS == 3, axis=(0, 1, 2))
    assert line["summary"]["lv_ef_percent"] == pytest.approx(100 * (1 - blood.min() / blood.max()), abs=1)
    assert line["summary"]["lv_edv_ml"] == pytest.approx(blood.max() * 1.5 * 1.5 * 8 / 1000, rel=0.02)
    assert (line["status"], line["report"], line["error"]) == ("done", "scan/report.html", None)


@pytest.mark.medium
def test_normal_ranges_come_from_the_table_of_the_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "ranges.csv"
    words = ("analyse", scan(tmp_path), "-o", tmp_path / "out", "--sex", "F", "--age", "50", "--normal-ranges", table)
    assert call(*words) == 3
    assert "'ranges.csv' cannot be read" in capsys.readouterr().err
    table.write_text(RANGES)
    assert call(*words) == 0
    assert "Made-up reference 1999" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


@pytest.mark.medium
def test_facts_of_a_manifest_are_used_study_by_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in "ab":
        scan(tmp_path / folder, "sax")
    table = (
        "path,name,sex,height,weight,ed_frame,es_frame,ward\na/sax.nii.gz,first,F,160,60,0,5,3\nb/sax.nii.gz,,,,,,,\n"
    )
    (tmp_path / "list.csv").write_text(table)
    words = ("analyse", "--manifest", tmp_path / "list.csv", "-o", tmp_path / "out", "--landmarks", "none")
    assert call(*words) == 0
    assert "columns not used: ward" in capsys.readouterr().err
    first, second = (json.loads((tmp_path / "out" / name / "measurements.json").read_text()) for name in ("first", "b"))
    assert first["subject"]["sex"] == "F" and second["subject"]["sex"] is None
    values = [{one["name"]: one["value"] for one in each["measurements"]} for each in (first, second)]
    assert values[0]["lv_edv_ml"] / values[0]["lv_edvi_ml_m2"] == pytest.approx((160 * 60 / 3600) ** 0.5, rel=1e-4)
    assert values[1].get("lv_edvi_ml_m2") is None
    assert first["summary"]["es_frame"] == 5
    assert call(*words) == 0
    assert capsys.readouterr().out.count("finished before, kept") == 2
    assert call(*words, "--sex", "F") == 2
    assert "--sex with 2 studies" in capsys.readouterr().err
