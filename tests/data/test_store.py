"""A stored study is the study: every number comes back, any frame alone, and damage is told."""

from __future__ import annotations

import json
import pickle
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cinema_cmr.core.errors import InputError, NoCineError, OutputExistsError, UnreadableFileError, UsageError
from cinema_cmr.core.serialise import to_dict
from cinema_cmr.core.study import Issue, Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data import store
from cinema_cmr.data.store import open_study, write_study


def cine(view: View, shape: tuple[int, int, int, int], *, whole: bool = True, seed: int = 0) -> Cine:
    """Random intensities on an oblique grid with uneven slices."""
    rng = np.random.default_rng(seed)
    array = rng.integers(0, 4000, shape).astype(np.float32) if whole else rng.normal(0, 3, shape).astype(np.float32)
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0] @ np.diag([1.4, 1.6, 9.0])
    positions = np.cumsum([0.0, *rng.uniform(7, 11, shape[2] - 1)])
    times = np.arange(shape[3]) * 31.5
    return Cine(array=array, affine=affine, view=view, slice_positions_mm=positions, frame_times_ms=times, label="s 3")


def study() -> Study:
    return Study(
        name="one",
        cines=(
            cine(View.SAX, (12, 10, 4, 5)),
            cine(View.LAX_4C, (9, 14, 1, 7), whole=False, seed=1),
            cine(View.OTHER, (4, 4, 1, 2)),
        ),
        subject=Subject(sex="F", age_years=61.0),
        issues=(Issue(code="missing-frame", severity="warning", message="one frame was missing"),),
    )


def test_a_stored_study_is_the_one_that_was_read(tmp_path: Path) -> None:
    back = write_study(study(), tmp_path / "one.cine", source_sha256="ab").study()
    first, (sax, lax) = study(), back.cines
    assert (back.name, back.subject, back.issues) == (first.name, first.subject, first.issues)
    assert np.array_equal(sax.array, first.cines[0].array)
    step = np.ptp(first.cines[1].array) / 65535
    assert np.abs(lax.array - first.cines[1].array).max() < 0.51 * step
    for mine, its in zip(back.cines, first.cines, strict=False):
        assert np.array_equal(mine.affine, its.affine) and mine.label == its.label
        assert np.array_equal(mine.slice_positions_mm, its.slice_positions_mm)
        assert mine.frame_times_ms is not None and np.array_equal(mine.frame_times_ms, its.frame_times_ms)


def test_any_frame_of_any_view_is_read_alone(tmp_path: Path) -> None:
    stored = pickle.loads(pickle.dumps(write_study(study(), tmp_path / "one.cine")))  # as it goes to a worker
    assert stored.views == (View.SAX, View.LAX_4C)
    whole = stored.study()
    for view in stored.views:
        for index in range(stored.cine(view).n_frames):
            assert np.array_equal(stored.frame(view, index), whole.cine(view).array[..., index])
    with pytest.raises(UsageError, match="expected 0 to 4"):
        stored.frame(View.SAX, 5)
    with pytest.raises(NoCineError, match="2-chamber"):
        stored.frame(View.LAX_2C, 0)


def test_the_hash_names_the_content(tmp_path: Path) -> None:
    one, again = (write_study(study(), tmp_path / f"{n}.cine").sha256 for n in (1, 2))
    other = write_study(replace(study(), cines=study().cines[:1]), tmp_path / "3.cine").sha256
    assert one == again != other


@pytest.mark.parametrize("cut", [3, 40, 700, -1])
def test_a_damaged_file_is_reported(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "one.cine"
    write_study(study(), path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UnreadableFileError, match=r"one\.cine"):
        open_study(path)


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "one.cine"
    stored = write_study(study(), path)
    stored.check()
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match="frames do not match"):
        open_study(path).check()
    last = stored.header.cines[-1]
    with pytest.raises(UnreadableFileError, match="does not match its checksum"):
        open_study(path).frame(last.view, last.n_frames - 1)
    assert open_study(path).frame(last.view, 0).shape == last.shape[:3], "the other frames are whole"
    content[30] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match="header does not match"):
        open_study(path)


def test_a_file_that_shrinks_during_a_run_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "one.cine"
    stored = write_study(study(), path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UnreadableFileError, match="it is truncated"):
        stored.frame(View.LAX_4C, 6)
    path.unlink()
    with pytest.raises(UnreadableFileError, match="it is unreadable"):
        stored.frame(View.SAX, 0)


def test_a_study_that_cannot_be_stored_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "one.cine"
    broken = study().cines[0]
    broken.array[0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        write_study(replace(study(), cines=(broken,)), path)
    with pytest.raises(NoCineError, match="expected a short-axis or long-axis view"):
        write_study(replace(study(), cines=study().cines[2:]), path)
    assert list(tmp_path.iterdir()) == []
    write_study(study(), path)
    with pytest.raises(OutputExistsError):
        write_study(study(), path)


@pytest.mark.parametrize("content", [b"", b"not a store at all, but long enough to look at"])
def test_another_file_is_not_a_stored_study(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.cine").write_bytes(content)
    with pytest.raises(UnreadableFileError, match="not a stored study"):
        open_study(tmp_path / "x.cine")
    with pytest.raises(InputError, match="cannot be read"):
        open_study(tmp_path / "none.cine")


@pytest.mark.parametrize(
    "change",
    [
        {"shape": (2**31, 2**31, 2**31, 2)},
        {"shape": (-1, -1, 1, 1)},
        {"offset": 2**60},
        {"offset": -8},
        {"frame_crc32": (1,)},
    ],
)
def test_a_header_that_claims_other_frames_than_there_are_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "one.cine"
    header = write_study(study(), path).header
    values = to_dict(header)
    values["cines"][0] |= change  # type: ignore[index,operator,call-overload]
    text = json.dumps(values).encode()
    start = struct.pack("<8sII", b"CINEMAS1", len(text), zlib.crc32(text)) + text
    path.write_bytes(start.ljust(-(-len(start) // 64) * 64, b"\0") + bytes(1000))
    with pytest.raises(UnreadableFileError, match="is damaged"):
        open_study(path)


def test_a_length_of_the_header_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "one.cine"
    with path.open("wb") as stream:
        stream.write(struct.pack("<8sII", b"CINEMAS1", 2**32 - 1, 0))
        stream.truncate(2**33)
    with pytest.raises(UnreadableFileError, match="header does not match"):
        open_study(path)


def test_a_frame_is_compared_once_and_again_after_the_file_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = write_study(study(), tmp_path / "a.cine")
    view, calls = stored.views[0], list[int]()
    compare = zlib.crc32
    monkeypatch.setattr("cinema_cmr.data.store.zlib.crc32", lambda data: calls.append(1) or compare(data))
    for _ in range(3):
        stored.frame(view, 0)
    assert len(calls) == 1
    content = bytearray(stored.path.read_bytes())
    content[stored.frames_start] ^= 1
    stored.path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match="does not match its checksum"):
        stored.frame(view, 0)


def test_what_a_process_keeps_of_a_population_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies in use are a list of names; headers and comparisons are kept for the latest alone."""
    monkeypatch.setattr(store, "_HEADERS", store._Recent(2))
    monkeypatch.setattr(store, "_COMPARED", store._Recent(3))
    written = [write_study(replace(study(), name=f"s{n}"), tmp_path / f"s{n}.cine") for n in range(4)]
    expected = [one.frame(one.views[0], 1) for one in written]
    for _ in range(2):
        for one, frame in zip(written, expected, strict=True):
            assert np.array_equal(one.frame(one.views[0], 1), frame)
    assert (len(store._HEADERS), len(store._COMPARED)) == (2, 3)
    assert len(pickle.dumps(written[0])) < 1000
