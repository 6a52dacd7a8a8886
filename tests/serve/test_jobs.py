"""Jobs on disk: names that climb are refused, sizes are bounded, and a kill leaves each job in a state of its files."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError, OutputExistsError, UnknownNameError, UsageError
from cinema_cmr.serve import jobs
from cinema_cmr.serve.jobs import INPUT, RESULTS, JobStore, TooLargeError, file_below
from cinema_cmr.serve.server_settings import Limits


def store_of(home: Path, **limits: int) -> JobStore:
    return JobStore(home, Limits(**limits))


def receive(store: JobStore, key: str, name: str) -> None:
    """Receive a file of one byte."""
    path = store.new_file(key, name)
    path.write_bytes(b"1")
    store.end_file(key, path, received=True)


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
    receive(store, job.id, "a/b.dcm")
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


def test_a_job_with_files_on_their_way_is_not_submitted(tmp_path: Path) -> None:
    """Two files are begun, of one name only once; one is received, the other breaks off and gives back its count."""
    store = store_of(tmp_path, job_bytes=100, job_files=3, free_bytes=0)
    key = store.create("a").id
    whole, broken = (store.new_file(key, name) for name in ("whole", "broken"))
    with pytest.raises(OutputExistsError, match="sent before"):
        store.new_file(key, "broken")
    for path in (whole, broken):
        store.add_bytes(key, path, 50)
    with pytest.raises(InputError, match="2 files are still being sent"):
        store.submit(key)
    whole.write_bytes(b"1" * 50)
    store.end_file(key, whole, received=True)
    with pytest.raises(InputError, match="1 files are still being sent"):
        store.submit(key)
    store.end_file(key, broken, received=False)
    assert (store.job(key).n_files, store.job(key).size) == (1, 50)
    again = store.new_file(key, "broken")  # room for it, in number and size
    store.add_bytes(key, again, 50)
    store.end_file(key, again, received=True)
    assert (store.submit(key).status, store.job(key).n_files) == ("queued", 2)


def test_a_job_of_which_every_file_broke_off_has_none(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    key = store.create("a").id
    store.end_file(key, store.new_file(key, "a"), received=False)
    with pytest.raises(InputError, match="no file was sent"):
        store.submit(key)


def test_sizes_and_numbers_are_bounded(tmp_path: Path) -> None:
    store = store_of(tmp_path, job_bytes=100, job_files=1, waiting_jobs=1, free_bytes=0)
    job = store.create("a")
    with pytest.raises(TooLargeError, match="wait"):
        store.create("b")
    path = store.new_file(job.id, "a")
    with pytest.raises(TooLargeError, match="files"):
        store.new_file(job.id, "b")
    store.add_bytes(job.id, path, 60)
    with pytest.raises(TooLargeError, match="MiB"):
        store.add_bytes(job.id, path, 60)
    full = store_of(tmp_path, free_bytes=1 << 60)
    path = full.new_file(job.id, "a")
    with pytest.raises(TooLargeError, match="almost full"):
        full.add_bytes(job.id, path, 1)


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


def test_a_folder_of_received_files_becomes_a_job_by_one_renaming(tmp_path: Path) -> None:
    (tmp_path / "inbox/a").mkdir(parents=True)
    (tmp_path / "inbox/a/1.dcm").write_bytes(b"123")
    store = store_of(tmp_path / "home")
    job = store.take_folder(store.create("a").id, tmp_path / "inbox/a")
    assert (job.status, job.n_files, job.size, store.n_unfinished()) == ("queued", 1, 3, 1)
    assert (store.folder(job.id) / INPUT / "1.dcm").is_file() and not (tmp_path / "inbox/a").exists()
    store.update(job.id, status="receiving")
    assert store.take_folder(job.id, store.folder(job.id) / INPUT).status == "queued"  # after a kill between the two


def test_a_full_disk_leaves_no_half_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "inbox").mkdir()
    store = store_of(tmp_path / "home")
    job = store.create("a")
    monkeypatch.setattr(jobs, "write_json", full)
    assert store.take_folder(job.id, tmp_path / "inbox").status == "queued"
    with pytest.raises(OSError, match="No space"):
        store.create("b")
    assert [one.name for one in store.listed()] == ["a"] and len(list((tmp_path / "home").iterdir())) == 1


def test_other_things_may_finish_a_job(tmp_path: Path) -> None:
    store = JobStore(tmp_path, Limits(), is_finished=lambda folder: (folder / "sent").exists())
    job = store.create("a")
    store.update(job.id, status="running")
    assert not store.is_finished(job.id)
    (store.folder(job.id) / "sent").touch()
    store.recover()
    assert store.job(job.id).status == "done"
