"""Outcomes on disk: whole at any moment, packed without loss, the latest of a study counts."""

from __future__ import annotations

import errno
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from stub_works import StubWork, studies

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.population import outcome_store
from cinema_cmr.population.outcome import StudyOutcome, outcome_archive
from cinema_cmr.population.outcome_store import OutcomeStore
from cinema_cmr.population.run import merge_populations


def archive(name: str, *, finished_ms: int = 0, settings: str = "s1") -> bytes:
    parts = StubWork()(studies(name)[0])
    outcome = StudyOutcome(name=name, settings=settings, listing="l", record=parts.record, finished_ms=finished_ms)
    return outcome_archive(outcome, parts.members)


def test_what_is_put_is_there_and_stays_when_it_is_packed(tmp_path: Path) -> None:
    store = OutcomeStore(tmp_path)
    for name in ("good-10", "good-9", "flagged-1"):
        store.put(name, archive(name))
    before = {one.name: one.record for one in store.read(store.outcomes().values())}
    store.pack()
    assert list(store.outcomes()) == ["flagged-1", "good-9", "good-10"]
    assert {one.name: one.record for one in store.read(store.outcomes().values())} == before
    assert [path.name for path in (tmp_path / "studies").iterdir()] == ["1-of-1-00001.zip"]
    assert not list(tmp_path.glob("pending/*/*.zip"))
    masks = dict(store.members(store.outcomes().values(), "sax.nii.gz"))
    assert {one.name: text for one, text in masks.items()}["good-9"] == b"mask of good-9"
    assert (tmp_path / "reports" / "flagged-1.html").read_bytes() == b"<p>report</p>"


def test_the_latest_counts_wherever_it_lies(tmp_path: Path) -> None:
    store, other = OutcomeStore(tmp_path), OutcomeStore(tmp_path, (2, 2))
    store.put("good-1", archive("good-1", finished_ms=5, settings="old"))
    store.pack()
    other.put("good-1", archive("good-1", finished_ms=9, settings="new"))
    other.pack()
    store.put("good-1", archive("good-1", finished_ms=7, settings="between"))
    assert store.outcomes()["good-1"].settings == "new"
    store.pack()
    assert store.outcomes()["good-1"].settings == "new"


def test_packs_have_at_most_so_many_and_the_last_is_filled_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.population.outcome_store._PACK_STUDIES", 2)
    store = OutcomeStore(tmp_path)
    for number in range(5):
        store.put(f"good-{number}", archive(f"good-{number}"))
        if number in (2, 4):
            store.pack()
    assert len(list((tmp_path / "studies").iterdir())) == 3
    assert len(store.outcomes()) == 5


def test_a_kill_between_pack_and_removal_loses_and_doubles_nothing(tmp_path: Path) -> None:
    store = OutcomeStore(tmp_path)
    store.put("good-1", archive("good-1"))
    shutil.copytree(tmp_path / "pending", tmp_path / "kept")
    store.pack()
    shutil.copytree(tmp_path / "kept", tmp_path / "pending", dirs_exist_ok=True)
    assert list(store.outcomes()) == ["good-1"]
    store.pack()
    assert len(list(store.read(store.outcomes().values()))) == 1


def test_a_damaged_pack_is_named(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "1-of-1-00001.zip").write_bytes(b"PK no zip")
    with pytest.raises(UnreadableFileError, match=r"1-of-1-00001\.zip"):
        OutcomeStore(tmp_path).outcomes()


def test_outcomes_of_another_folder_are_taken_with_their_reports(tmp_path: Path) -> None:
    source, target = OutcomeStore(tmp_path / "a"), OutcomeStore(tmp_path / "b")
    source.put("flagged-3", archive("flagged-3"))
    target.take(source.outcomes().values(), tmp_path / "a")
    (one,) = target.read(target.outcomes().values())
    assert one == next(source.read(source.outcomes().values()))
    assert (tmp_path / "b" / "reports" / "flagged-3.html").exists()


def test_an_old_report_does_not_outlive_its_outcome(tmp_path: Path) -> None:
    source, ours = OutcomeStore(tmp_path / "source"), OutcomeStore(tmp_path / "ours")
    failed = outcome_archive(StudyOutcome(name="flagged-1", settings="s1", listing="l", cause="input"), {})
    for store in (source, ours):
        store.put("flagged-1", archive("flagged-1"))
        assert (store.folder / "reports" / "flagged-1.html").exists()
    ours.take(source.outcomes().values(), source.folder)
    assert (ours.folder / "reports" / "flagged-1.html").exists()
    source.put("flagged-1", failed)
    assert not (source.folder / "reports" / "flagged-1.html").exists()
    ours.take(source.outcomes().values(), source.folder)
    assert not (ours.folder / "reports" / "flagged-1.html").exists()


def pack_in_between(store: OutcomeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another shard pack its pending files right before the first archive is opened."""
    once = [store]
    opened = outcome_store.zipfile.ZipFile

    def open_late(archive: object, *given: object) -> zipfile.ZipFile:
        if isinstance(archive, Path) and once:
            once.pop().pack()
        return opened(archive, *given)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(outcome_store.zipfile, "ZipFile", open_late)


def test_what_another_shard_packs_meanwhile_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = OutcomeStore(tmp_path), OutcomeStore(tmp_path, (2, 2))
    other.put("good-1", archive("good-1"))
    pack_in_between(other, monkeypatch)
    assert [one.archive.parent.name for one in store.outcomes().values()] == ["studies"]


def test_what_is_packed_between_listing_and_reading_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = OutcomeStore(tmp_path), OutcomeStore(tmp_path, (2, 2))
    for name in ("good-1", "good-2"):
        other.put(name, archive(name))
    listed = list(store.outcomes().values())
    with monkeypatch.context() as patch:
        pack_in_between(other, patch)
        assert sorted(one.name for one in store.read(listed)) == ["good-1", "good-2"]
    taking = OutcomeStore(tmp_path / "all")
    taking.take(listed, tmp_path)
    assert list(taking.outcomes()) == ["good-1", "good-2"]


def test_a_disk_that_fails_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = OutcomeStore(tmp_path)
    store.put("good-1", archive("good-1"))

    def fail(*given: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(outcome_store.zipfile, "ZipFile", fail)
    with pytest.raises(UnreadableFileError, match=r"cannot be read \(Input/output error\)") as error:
        store.outcomes()
    assert "remove" not in str(error.value)


def test_every_kind_of_damage_is_named(tmp_path: Path) -> None:
    store = OutcomeStore(tmp_path)
    content = store.put("good-1", archive("good-1")).archive.read_bytes()
    path = tmp_path / "studies" / "1-of-1-00001.zip"
    path.parent.mkdir()
    body = content.index(b"outcome.json") + 200
    for broken in (
        content[:50],
        content[:body] + b"\xff" * 40 + content[body + 40 :],
        content.replace(b'["d', b'["["'),
    ):
        path.write_bytes(broken)
        with pytest.raises(UnreadableFileError, match=r"'1-of-1-00001\.zip' is damaged.*remove it"):
            list(store.read(outcome_store._entries(path)))


class Killed(BaseException):
    """Stands for SIGKILL: after it, nothing of the process changes a file any more."""


def killed_at(step: int, work: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run work and kill it before its n-th change of names on disk; return whether it came so far."""
    left = [step]

    def counted(change: Callable[..., object]) -> Callable[..., object]:
        def changed(*given: object, **named: object) -> object:
            if not left[0]:
                raise Killed
            left[0] -= 1
            return change(*given, **named)

        return changed

    with monkeypatch.context() as patch:
        for name in ("replace", "rename", "unlink", "link", "mkdir"):
            patch.setattr(os, name, counted(getattr(os, name)))
        try:
            work()
        except Killed:
            return True
    return False


def reports(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in (folder / "reports").glob("[!.]*.html")}


def source_with_reports(folder: Path) -> OutcomeStore:
    """One packed outcome with a report, one pending, one without that had one."""
    source = OutcomeStore(folder)
    source.put("flagged-1", archive("flagged-1", finished_ms=2))
    source.pack()
    source.put("flagged-2", archive("flagged-2", finished_ms=2))
    source.put("flagged-3", failed_later("flagged-3"))
    return source


def failed_later(name: str) -> bytes:
    outcome = StudyOutcome(name=name, settings="s1", listing="l", cause="input", finished_ms=2)
    return outcome_archive(outcome, {})


@pytest.mark.medium
@pytest.mark.parametrize("continued", ["merged", "packed"])
def test_a_merge_killed_at_any_moment_loses_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, continued: str
) -> None:
    """Whether it is called again, or another call packs what it left."""
    source = source_with_reports(tmp_path / "source")
    expected, step = reports(source.folder), 0
    while True:
        ours = OutcomeStore(tmp_path / f"{step}")
        ours.put("flagged-3", archive("flagged-3", finished_ms=1))
        if not killed_at(step, lambda ours=ours: merge_populations([source.folder], ours.folder), monkeypatch):
            break
        if continued == "merged":
            left_lock = ours.folder / "status" / "lock-1-of-1" / ".cinema-lock"
            left_lock.unlink(missing_ok=True)  # of a process that would be dead
            merge_populations([source.folder], ours.folder)
            assert reports(ours.folder) == expected, step
        else:
            before = ours.outcomes()
            OutcomeStore(ours.folder).pack()
            taken = {name for name, one in before.items() if one.finished_ms == 2}
            old = {"flagged-3"} - taken
            assert set(reports(ours.folder)) == (taken & set(expected)) | old, step
        step += 1
    assert step > 10 and reports(ours.folder) == expected
    with zipfile.ZipFile(ours.folder / "studies" / "1-of-1-00001.zip") as pack:
        assert not [name for name in pack.namelist() if name.endswith("report.html")]


def test_a_run_killed_at_any_moment_leaves_no_report_without_its_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, killed = 0, True
    while killed:
        store = OutcomeStore(tmp_path / f"{step}")
        store.put("flagged-1", archive("flagged-1", finished_ms=1))

        def work(store: OutcomeStore = store) -> None:
            store.put("flagged-1", failed_later("flagged-1"))
            store.put("flagged-2", archive("flagged-2", finished_ms=2))
            store.pack()

        killed = killed_at(step, work, monkeypatch)
        OutcomeStore(store.folder).pack()
        done = {one.name for one in store.outcomes().values() if one.status == "done"}
        assert set(reports(store.folder)) == done, step
        step += 1
    assert step > 5


def test_a_left_report_does_not_replace_that_of_a_later_outcome(tmp_path: Path) -> None:
    """A shard that was killed is called again after another did its study anew."""
    left = OutcomeStore(tmp_path, (1, 2)).put("flagged-1", archive("flagged-1", finished_ms=1))
    OutcomeStore(tmp_path).put("flagged-1", failed_later("flagged-1"))
    OutcomeStore(tmp_path, (1, 2)).pack()
    assert not left.archive.exists() and reports(tmp_path) == {}
