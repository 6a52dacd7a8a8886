"""Zips are unpacked whole, inside their own folder, or refused."""

from __future__ import annotations

import stat
import tempfile
import warnings
import zipfile
from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError, NoCineError, UnreadableFileError
from cinema_cmr.io.archive import ArchiveLimits, extract_archive, extract_archives


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the test's own, so that what is left in it is seen."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def refused(path: Path, error: type[InputError], match: str, limits: ArchiveLimits | None = None) -> None:
    with pytest.raises(error, match=match) as raised, extract_archive(path, limits=limits):
        pytest.fail("unpacked")
    assert type(raised.value) is error


def test_files_come_out_as_they_went_in_and_the_folder_goes(tmp_path: Path, temporary: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"study/Se1/1.dcm": b"one", "study/2.dcm": b"two" * 1000})
    with extract_archive(path) as folder:
        assert folder.parent == temporary
        assert (folder / "study" / "Se1" / "1.dcm").read_bytes() == b"one"
        assert (folder / "study" / "2.dcm").read_bytes() == b"two" * 1000
    assert list(temporary.iterdir()) == []


def test_the_folder_goes_when_reading_fails(tmp_path: Path, temporary: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"1.dcm": b"one"})
    with pytest.raises(KeyboardInterrupt), extract_archive(path):
        raise KeyboardInterrupt
    assert list(temporary.iterdir()) == []


def test_two_runs_have_a_folder_each(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"1.dcm": b"one"})
    with extract_archive(path) as first, extract_archive(path) as second:
        assert first != second


@pytest.mark.parametrize(
    "name",
    [
        "../evil.txt",
        "study/../../evil.txt",
        "/evil.txt",
        "..\\evil.txt",
        "\\evil.txt",
        "C:\\evil.txt",
        "c:evil.txt",
        "../",
    ],
)
def test_a_member_outside_the_folder_is_refused(tmp_path: Path, temporary: Path, name: str) -> None:
    path = zip_of(tmp_path / "a.zip", {"good.txt": b"good", name: b"evil"})
    refused(path, InputError, "outside its folder")
    assert list(tmp_path.rglob("*evil*")) == []
    assert list(tmp_path.rglob("good*")) == []
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_or_device_is_refused(tmp_path: Path, kind: int) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("link/passwd", "evil")
    refused(tmp_path / "a.zip", InputError, "link or a device")


@pytest.mark.parametrize("members", [{}, {"empty/": b"", "empty/too/": b""}])
def test_an_empty_zip_is_refused(tmp_path: Path, members: dict[str, bytes]) -> None:
    refused(zip_of(tmp_path / "a.zip", members), NoCineError, r"'a\.zip' is an empty zip")


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04" + b"\0" * 100])
def test_files_that_are_not_zips_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    refused(tmp_path / "a.zip", UnreadableFileError, r"'a\.zip' is not a readable zip")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_zip_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    path = zip_of(tmp_path / "a.zip", {f"{k}.dcm": bytes(range(256)) * 4 for k in range(9)})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refused(path, UnreadableFileError, "copy it again")


def test_a_damaged_member_is_noticed(tmp_path: Path, temporary: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("1.dcm", b"seven sorts of content")
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace(b"seven", b"eleve"))
    refused(tmp_path / "a.zip", UnreadableFileError, "copy it again")
    assert list(temporary.iterdir()) == []


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"1.dcm": b"secret"})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flags of the local header
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and of the directory
    path.write_bytes(content)
    refused(path, InputError, "encrypted")


@pytest.mark.parametrize(
    ("limits", "match"),
    [
        (ArchiveLimits(max_members=2), "3 members"),
        (ArchiveLimits(max_bytes=1000), "1000 bytes, the limit"),
        (ArchiveLimits(ratio_counts_above_bytes=1000, max_ratio=50), "over 50 times its size"),
    ],
)
def test_a_zip_bomb_is_refused(tmp_path: Path, limits: ArchiveLimits, match: str) -> None:
    path = zip_of(tmp_path / "a.zip", {f"{k}.dcm": bytes(100_000) for k in range(3)})
    refused(path, InputError, match, limits)


def test_a_zip_with_a_false_size_is_refused(tmp_path: Path, temporary: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"1.dcm": bytes(5_000_000)})
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = content.index(mark) + place
        content[start : start + 4] = (100).to_bytes(4, "little")
    path.write_bytes(content)
    refused(path, UnreadableFileError, "copy it again", ArchiveLimits(max_bytes=1000))
    assert list(temporary.iterdir()) == []


def test_images_of_any_study_pass_the_limits(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"empty.dcm": bytes(1_000_000)})
    with extract_archive(path) as folder:
        assert (folder / "empty.dcm").stat().st_size == 1_000_000


def test_a_zip_in_a_zip_stays_packed(tmp_path: Path) -> None:
    inner = zip_of(tmp_path / "inner.zip", {"1.dcm": b"one"})
    path = zip_of(tmp_path / "a.zip", {"inner.zip": inner.read_bytes()})
    with extract_archive(path) as folder:
        assert [found.name for found in folder.rglob("*")] == ["inner.zip"]


@pytest.mark.parametrize("names", [("1.dcm", "1.dcm"), ("a", "a/1.dcm"), ("a/1.dcm", "a")])
def test_members_with_the_same_path_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        warnings.simplefilter("ignore")  # zipfile warns of the duplicate that is meant here
        for name in names:
            archive.writestr(name, "content")
    refused(tmp_path / "a.zip", UnreadableFileError, "two members with the same name")


def test_windows_separators_make_folders(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"study\\Se1\\1.dcm": b"one", "study\\Se2\\": b""})
    with extract_archive(path) as folder:
        assert (folder / "study" / "Se1" / "1.dcm").read_bytes() == b"one"


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="above 0"):
        ArchiveLimits(max_members=0)


def test_several_zips_share_one_folder_and_the_limits(tmp_path: Path, temporary: Path) -> None:
    paths = [zip_of(tmp_path / f"{name}.zip", {"1.dcm": name.encode() * 100}) for name in "ab"]
    with extract_archives(paths) as folder:
        assert sorted(path.read_bytes()[:1] for path in folder.rglob("1.dcm")) == [b"a", b"b"]
    for limits in (ArchiveLimits(max_bytes=150), ArchiveLimits(max_members=1)):
        with (
            pytest.raises(InputError, match=r"members|bytes"),
            extract_archives(paths, limits=limits),
        ):
            pytest.fail("unpacked")
    assert list(temporary.iterdir()) == []
