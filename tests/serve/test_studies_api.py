"""The API of studies: list, pixels, labels, changes, sign-off, report and exports, and no error of the server."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from serving import client_of

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.vocabulary import View
from cinema_cmr.datasets.readers.folder import list_cases, read_case
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.measure.measure import MeasureOptions, measure_masks
from cinema_cmr.report.record.stored import read_measurements
from cinema_cmr.serve.guard import REPORT_POLICY

pytestmark = pytest.mark.medium

SIZE = (56, 46)
EMPTY = [0, SIZE[0] * SIZE[1]]


@pytest.fixture
def client(results: Path, tmp_path: Path) -> Iterator[TestClient]:
    with client_of(tmp_path / "home", results) as client:
        yield client


@pytest.fixture
def study(client: TestClient) -> str:
    return f"/api/studies/{client.get('/api/studies').json()[0]['id']}"


def test_the_list_the_document_and_the_blocks(client: TestClient, study: str) -> None:
    (row,) = client.get("/api/studies").json()
    assert (row["state"], row["has_images"], row["values"]["lv_ef_percent"]) == (
        "new",
        True,
        pytest.approx(43.8, abs=0.1),
    )
    document = client.get(study).json()
    assert document["scheme"] == "cine"
    assert set(document["views"]) == {"sax", "lax_4c"} and len(document["views"]["lax_4c"]["slice_lines"]) == 6
    (width, height), frames = document["views"]["sax"]["size"], document["views"]["sax"]["n_frames"]
    assert len(client.get(f"{study}/images/sax/2").content) == 2 * width * height * frames
    assert len(client.get(f"{study}/labels/sax/2").content) == width * height * frames
    assert client.get(f"{study}/thumbnail").content.startswith(b"\x89PNG")
    assert [one["title"] for one in client.get(f"{study}/segments").json()]
    client.post(f"{study}/opened")
    assert client.get("/api/studies").json()[0]["state"] == "looked at"


def test_a_damaged_study_is_a_row_with_its_error_and_no_numbers(client: TestClient, results: Path) -> None:
    (results / "review.json").write_text("{")
    (row,) = client.get("/api/studies").json()
    assert (row["name"], row["state"], row["values"]) == ("results", "unreadable", {})
    assert "review.json" in row["error"] and "intact copy" in row["error"]
    (line,) = csv.DictReader(io.StringIO(client.get("/api/studies.csv").text))
    assert (line["study"], line["state"], line["lv_ef_percent"]) == ("results", "unreadable", "")
    (results / "review.json").unlink()
    assert client.get("/api/studies").json()[0]["error"] is None


def test_a_slice_line_lies_where_the_slice_meets_the_long_axis(client: TestClient, study: str) -> None:
    """The LV's centre of the stack's slice 2 lies on line 2 of the 4-chamber view, which holds the axis."""
    view = client.get(study).json()["views"]["lax_4c"]
    labels = np.frombuffer(client.get(f"{study}/labels/lax_4c/0").content, np.uint8)
    cavity = labels.reshape(view["n_frames"], view["size"][1], view["size"][0])[0] == 3
    v, u = np.argwhere(cavity).mean(axis=0)
    positions = view["slice_lines"]
    distances = [a * u + b * v + c for a, b, c in positions]
    # The heart's centre is 30 mm above the first slice; slices are 10 mm apart.
    assert np.diff(distances) == pytest.approx(-10 * np.ones(5), abs=0.01)
    assert distances[0] == pytest.approx(30, abs=2)


def test_a_correction_is_measured_undone_and_found_again(
    client: TestClient, study: str, results: Path, tmp_path: Path
) -> None:
    before = client.get(f"{study}/numbers").json()
    change = {"slices": [{"view": "sax", "frame": before["ed_frame"], "slice": 2, "runs": EMPTY}], "what": "eraser"}
    after = client.post(f"{study}/changes", json=change).json()
    assert after["values"]["lv_edv_ml"] < before["values"]["lv_edv_ml"] == after["own_values"]["lv_edv_ml"]
    assert after["corrected"] == [["sax", before["ed_frame"], 2]] and after["state"] == "corrected"
    with client_of(tmp_path / "other", results) as restarted:
        again = restarted.get(f"{study}/numbers").json()
        assert again["values"]["lv_edv_ml"] == after["values"]["lv_edv_ml"]
        assert restarted.get("/api/studies").json()[0]["values"]["lv_ef_percent"] == after["values"]["lv_ef_percent"]
    undone = client.post(f"{study}/changes", json={"slices": [{**change["slices"][0], "runs": None}]}).json()  # type: ignore[dict-item]
    assert undone["values"] == before["values"] and undone["state"] == "new"
    assert [entry["what"] for entry in undone["history"]] == ["eraser", "changed"]


def test_sign_off_writes_what_remeasuring_the_mask_gives(client: TestClient, study: str, results: Path) -> None:
    own = (results / "segmentation/original/sax.nii.gz").read_bytes()
    ed = client.get(f"{study}/numbers").json()["ed_frame"]
    change = {"slices": [{"view": "sax", "frame": ed, "slice": 2, "runs": EMPTY}], "es_frame": 5}
    quick = client.post(f"{study}/changes", json=change).json()
    signed = client.put(f"{study}/sign-off", json={"signed_off": True}).json()
    assert signed["state"] == "signed off" and signed["values"]["lv_ef_percent"] == pytest.approx(
        quick["values"]["lv_ef_percent"], rel=1e-5
    )
    record = read_measurements(results / "measurements.json")
    cine, _ = read_nifti_cine(results / "images/sax.nii.gz", view=View.SAX)
    labels = LabelMap(array=read_label_codes(results / "segmentation/sax.nii.gz", cine.shape, codes={1: 1, 2: 2, 3: 3}))
    measured = measure_masks(cine, labels, options=MeasureOptions(es_frame=5))
    assert record.summary.lv_ef_percent == pytest.approx(measured.value("lv_ef_percent"), rel=1e-4)
    assert record.summary.es_frame == 5 and record.edits is not None
    assert [(one.frame, one.slice) for one in record.edits.masks[0].slices] == [(ed, 2)]
    assert (results / "segmentation/original/sax.nii.gz").read_bytes() == own
    report = client.get(f"{study}/report")
    assert "Corrected by a reader" in report.text and report.headers["content-security-policy"] == REPORT_POLICY
    taken_back = client.put(f"{study}/sign-off", json={"signed_off": False}).json()
    assert taken_back["state"] == "corrected"


def test_the_reader_chooses_the_basal_rule_and_takes_it_back(marked: Path, tmp_path: Path) -> None:
    """Numbers follow at once, results are those of `cinema remeasure`, and nothing is corrected once it is back."""
    with client_of(tmp_path / "home", marked) as client:
        study = f"/api/studies/{client.get('/api/studies').json()[0]['id']}"
        before = client.get(f"{study}/numbers").json()
        assert before["basal_rule"] == before["own_basal_rule"] == "scmr"
        other = client.post(f"{study}/changes", json={"basal_rule": "valve-plane"}).json()
        assert other["values"]["lv_edv_ml"] < before["values"]["lv_edv_ml"] - 0.1
        assert (other["basal_rule"], other["state"]) == ("valve-plane", "corrected")
        client.put(f"{study}/sign-off", json={"signed_off": True})
        record = read_measurements(marked / "measurements.json")
        assert record.edits is not None
        assert [(one.name, one.now) for one in record.edits.rules] == [("basal_rule", "valve-plane")]
        assert record.summary.lv_edv_ml == pytest.approx(other["values"]["lv_edv_ml"], rel=1e-4)
        signed = client.get(f"{study}/numbers").json()
        assert (signed["basal_rule"], signed["state"]) == ("valve-plane", "signed off")
        back = client.post(f"{study}/changes", json={"basal_rule": "scmr"}).json()
        assert back["values"]["lv_edv_ml"] == pytest.approx(before["values"]["lv_edv_ml"], rel=1e-4)
        assert client.post(f"{study}/results").json()["state"] == "looked at"
        assert client.post(f"{study}/changes", json={"basal_rule": "none"}).status_code == 422


def test_taking_everything_back_after_a_sign_off_gives_the_models_numbers(client: TestClient, study: str) -> None:
    before = client.get(f"{study}/numbers").json()["values"]
    slices = [{"view": "sax", "frame": 0, "slice": 2, "runs": EMPTY}]
    client.post(f"{study}/changes", json={"slices": slices, "es_frame": 5})
    client.put(f"{study}/sign-off", json={"signed_off": True})
    undo = {"slices": [{**slices[0], "runs": None}], "own_frames": True}
    client.post(f"{study}/changes", json=undo)
    after = client.post(f"{study}/results").json()
    assert after["values"] == pytest.approx(before, rel=1e-5) and after["corrected"] == []
    assert after["own_values"] == pytest.approx(before, rel=1e-5)


def test_exports_hold_the_corrected_frames_alone(client: TestClient, study: str, tmp_path: Path) -> None:
    assert client.post("/api/exports").status_code == 422
    client.post(f"{study}/changes", json={"slices": [{"view": "sax", "frame": 3, "slice": 2, "runs": EMPTY}]})
    done = client.post("/api/exports").json()
    assert (done["cases"], done["frames"]) == (1, 1)
    (case,) = list_cases(tmp_path / "home/exports" / done["folder"])
    assert read_case(case).labelled_frames == {View.SAX: (3,)}
    (row,) = csv.DictReader(io.StringIO(client.get("/api/studies.csv").text))
    assert row["state"] == "corrected" and row["corrected_slices"] == "1"
    assert float(row["model_lv_edv_ml"]) == pytest.approx(59, abs=0.1)


@pytest.mark.parametrize(
    "change",
    [
        {"slices": [{"view": "sax", "frame": 0, "slice": 2, "runs": [0, 3]}]},
        {"slices": [{"view": "sax", "frame": 0, "slice": 2, "runs": [4, 2576]}]},
        {"slices": [{"view": "sax", "frame": 99, "slice": 2, "runs": EMPTY}]},
        {"slices": [{"view": "nose", "frame": 0, "slice": 2, "runs": EMPTY}]},
        {"ed_frame": 99},
        {"ed_frame": 3, "es_frame": 3},
        {"what": "<script>alert(1)</script>"},
        {"unknown": 1},
    ],
)
def test_changes_that_cannot_be_are_refused_whole(client: TestClient, study: str, change: dict[str, object]) -> None:
    answer = client.post(f"{study}/changes", json=change)
    assert answer.status_code == 422 and answer.json()["detail"]
    assert client.get(f"{study}/numbers").json()["state"] == "new"


def test_a_late_enhancement_study_has_its_own_codes(late: Path, tmp_path: Path) -> None:
    """Code 4 (no-reflow) is refused in a cine, and taken in a scar map, where 5 is refused."""
    with client_of(tmp_path / "home", late) as client:
        study = f"/api/studies/{client.get('/api/studies').json()[0]['id']}"
        document = client.get(study).json()
        assert document["scheme"] == "scar"
        assert [one["name"] for one in document["views"]["sax"]["labels"]][2:] == ["infarct", "no_reflow"]
        for code, status in ((4, 200), (5, 422)):
            runs = [code, SIZE[0] * SIZE[1]]
            change = {"slices": [{"view": "sax", "frame": 0, "slice": 2, "runs": runs}]}
            assert client.post(f"{study}/changes", json=change).status_code == status
        found = client.post(f"{study}/changes", json={"slices": [], "what": "seen"}).json()["values"]
        assert found["no_reflow_percent"] > 10


@pytest.mark.parametrize(
    "path", ["/api/studies/0000000000000000", "/static/../../pyproject.toml", "/static/%2e%2e/guard.py", "/api/none"]
)
def test_what_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_slices_that_are_not_there_are_refused(client: TestClient, study: str) -> None:
    assert client.get(f"{study}/images/sax/99").status_code == 422
    assert client.get(f"{study}/images/lax_2c/0").status_code == 404
    assert client.get(f"{study}/images/sax/..%2f..%2fx").status_code in (404, 422)
