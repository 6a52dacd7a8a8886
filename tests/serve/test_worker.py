"""The worker analyses what was sent by the readers and limits of the command line, and reports in lines of JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from interop_hearts import analysed, stack_cine, write_study

from cinema_cmr.io.atomic import write_json
from cinema_cmr.io.dicom.writing.series import DicomShape
from cinema_cmr.pipeline.analyzer import Analyzer
from cinema_cmr.serve.library import is_results
from cinema_cmr.serve.worker import analyse_job, job_source, main
from processes import running


def job_folder(folder: Path) -> Path:
    (folder / "input").mkdir(parents=True)
    write_json(folder / "job.json", {"name": "heart"})
    return folder


def test_the_one_thing_that_was_sent_is_read(tmp_path: Path) -> None:
    folder = job_folder(tmp_path / "job")
    (folder / "input/a.zip").write_bytes(b"")
    assert job_source(folder) == folder / "input/a.zip"
    (folder / "input/b.dcm").write_bytes(b"")
    assert job_source(folder) == folder / "input"


@pytest.mark.medium
def test_results_have_the_images_and_are_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = job_folder(tmp_path / "job")
    study = write_study(folder / "input/study", stack_cine(), shape=DicomShape.ENHANCED)
    calls = []

    def analyse(_: Analyzer, source: Path, **given: object) -> object:
        calls.append((source, given["name"]))
        return analysed(study)

    monkeypatch.setattr(Analyzer, "analyse", analyse)
    analyse_job(folder)
    analyse_job(folder)
    assert calls == [(study, "heart")] and is_results(folder / "results")
    assert (folder / "results/images/sax.nii.gz").is_file()
    stages = [json.loads(line)["stage"] for line in capsys.readouterr().out.splitlines()]
    assert stages == ["read", "report"]


def bomb(path: Path) -> None:
    """A zip of 60 KB that unpacks to 60 MB of zeros, under the name of a DICOM file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", b"\0" * (60 << 20))


@pytest.mark.medium
@pytest.mark.parametrize("kind", ["bomb", "damaged", "climbing"])
def test_what_the_readers_refuse_is_refused_with_a_reason(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = job_folder(tmp_path / "job")
    path = folder / "input/study.zip"
    if kind == "bomb":
        bomb(path)
    elif kind == "damaged":
        path.write_bytes(b"PK\3\4 not a zip")
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("../../climbed.dcm", b"x" * 200)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cinema_cmr.serve.worker._end_with_server", lambda: None)
        assert main(["worker", str(folder)]) == 3
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert said[-1]["error"] and str(tmp_path) not in said[-1]["error"]
    assert not list(tmp_path.rglob("climbed.dcm")) and not (folder / "results").exists()


@pytest.mark.slow
def test_the_process_ends_with_its_server(tmp_path: Path) -> None:
    code = (
        "import threading, time; from cinema_cmr.serve import worker;"
        "threading.Thread(target=worker._end_with_server, daemon=True).start(); print('on', flush=True); time.sleep(60)"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with running([sys.executable, "-c", code], text=True, **pipes) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "on\n"
        process.stdin.close()
        assert process.wait(timeout=20) == 1
