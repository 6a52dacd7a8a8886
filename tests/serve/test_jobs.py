"""Jobs on disk: names that climb are refused, sizes are bounded, and a kill leaves each job in a state of its files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError, OutputExistsError, UnknownNameError, UsageError
from cinema_cmr.serve.jobs import INPUT, RESULTS, JobStore, TooLargeError, file_below
from cinema_cmr.serve.server_settings import Limits


def store_of(home: Path, **limits: int) -> JobStore:
    return JobStore(home, Limits(**limits))


@pytest.mark.parametrize(
    "name",
    [
        *("../a", "a/../b", "/etc/passwd", "a//b", "", ".", "..", "a/", ".hidden", "a/.ssh/b", "..\\a", "C:\\a", "a:b"),
        *("a\x00b", "a\nb", "a|b", " a", "a ", "x" * 201, "/".join("abcdefghijklmnopq"), "a/ ../b"),
    ],
)
def test_names_that_climb_hide_or_break_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="plain relative path"):
        file_below(Path("input"), name)


def test_plain_names_stay_below_the_folder() -> None:
    assert file_below(Path("input"), "Série 3/IM 0001") == Path("input/Série 3/IM 0001")


def test_a_job_is_received_submitted_and_found_again(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    job = store.create("scans/patient.zip")
    assert job.name == "patient" and job.status == "receiving"
    with pytest.raises(InputError, match="no file was sent"):
        store.submit(job.id)
    store.new_file(job.id, "a/b.dcm").write_bytes(b"1")
    with pytest.raises(OutputExistsError, match="sent before"):
        store.new_file(job.id, "a/b.dcm")
    assert store.submit(job.id).status == "queued"
    with pytest.raises(OutputExistsError, match="queued"):
        store.new_file(job.id, "c.dcm")
    again = store_of(tmp_path)
    assert [one.id for one in again.listed()] == [job.id]
    assert again.next_queued() == again.job(job.id)
    again.remove(job.id)
    assert again.listed() == [] and list(tmp_path.iterdir()) == []


def test_sizes_and_numbers_are_bounded(tmp_path: Path) -> None:
    store = store_of(tmp_path, job_bytes=100, job_files=1, waiting_jobs=1, free_bytes=0)
    job = store.create("a")
    with pytest.raises(TooLargeError, match="wait"):
        store.create("b")
    store.new_file(job.id, "a")
    with pytest.raises(TooLargeError, match="files"):
        store.new_file(job.id, "b")
    store.add_bytes(job.id, 60)
    with pytest.raises(TooLargeError, match="MiB"):
        store.add_bytes(job.id, 60)
    full = store_of(tmp_path, free_bytes=1 << 60)
    with pytest.raises(TooLargeError, match="almost full"):
        full.add_bytes(job.id, 1)


def test_recovery_follows_the_files(tmp_path: Path, template: Path) -> None:
    store = store_of(tmp_path)
    receiving, running, finished = (store.create(name) for name in "abc")
    for job in (running, finished):
        store.update(job.id, status="running", n_files=1)
    shutil.copytree(template, store.folder(finished.id) / RESULTS)
    again = store_of(tmp_path)
    again.recover()
    found = {job.id: job.status for job in again.listed()}
    assert found == {receiving.id: "failed", running.id: "queued", finished.id: "done"}
    with pytest.raises(OutputExistsError, match="finished"):
        again.remove(finished.id)
    assert (again.folder(running.id) / INPUT).is_dir()


@pytest.mark.parametrize("key", ["..", "../x", "a", "20260101000000-zzzzzzzz"])
def test_keys_that_are_none_are_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(UnknownNameError):
        store_of(tmp_path).folder(key)
