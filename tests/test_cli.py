"""The command line as a user meets it: results on stdout, exit codes, and every kind of bad input."""

from __future__ import annotations

import gzip
import os
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from oracles import annotated
from scan_runs import LABELS, call, scan, use_oracle
from synthetic_dicom import new_image, save, written_stack

from cinema_cmr import cli
from cinema_cmr.cli import COMMANDS
from cinema_cmr.io.nifti.image import write_mask


@pytest.fixture(autouse=True)
def _oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    use_oracle(monkeypatch)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        call(command, "--help")
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert f"cinema {command}" in said and "not a medical device" in " ".join(said.split())


def test_a_failure_is_printed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("analyse", tmp_path / "absent", "-o", tmp_path / "out") == 3
    said = capsys.readouterr()
    assert "does not exist" in said.err and said.out == ""
    assert call("analyse", tmp_path / "absent", tmp_path / "absent_too", "-o", tmp_path / "out") == 3
    assert capsys.readouterr().out.count("failed: ") == 2  # of several, the list of results is whole


def test_an_unknown_command_is_a_usage_error_with_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["anlyse", "x"]) == 2
    assert "unknown command 'anlyse'; did you mean 'analyse'" in capsys.readouterr().err
    assert cli.main(["frobnicate"]) == 2
    assert "unknown command 'frobnicate'; known: analyse, " in capsys.readouterr().err


@pytest.mark.parametrize("place", [0, 2])
def test_words_of_the_call_go_before_those_of_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: int
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("data: nowhere\nrecipe: unknown\nsteps: 5\noutput: out\n")
    words = ["--recipe", "tiny"]
    words[place:place] = ["--config", str(file)]
    assert call("pretrain", *words) == 3  # the recipe is known, the data is not there
    assert "'nowhere' has no manifest" in capsys.readouterr().err
    assert call("pretrain", f"--config={file}") == 2
    assert "unknown recipe" in capsys.readouterr().err
    file.write_text("data: nowhere\nstepps: 5\noutput: out\n")
    with pytest.raises(SystemExit) as left:
        call("pretrain", "--config", file)
    assert left.value.code == 2 and "'stepps' is not accepted" in capsys.readouterr().err


def patched(path: Path, offset: int, content: bytes) -> Path:
    """The uncompressed NIfTI with bytes of its header replaced."""
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[offset : offset + len(content)] = content
    target = path.with_name("bad.nii")
    target.write_bytes(bytes(raw))
    path.unlink()
    return target


def truncated(folder: Path) -> Path:
    path = scan(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def truncated_dicom(folder: Path) -> Path:
    written_stack(folder / "study", n_frames=4)
    for path in (folder / "study").rglob("*.dcm"):
        path.write_bytes(path.read_bytes()[:300])
    return folder / "study"


def without_cine(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for k in range(3):
        image = new_image(rng.integers(0, 900, (32, 32)).astype(np.uint16), SeriesNumber=k + 1, TriggerTime=None)
        save(image, folder / "study" / f"{k}.dcm")
    return folder / "study"


def empty_folder(folder: Path) -> Path:
    (folder / "study").mkdir()
    (folder / "study" / "notes.txt").write_text("no images here")
    return folder / "study"


def one_slice(folder: Path) -> Path:
    return scan(folder, labels=LABELS[:, :, :1])


def one_frame(folder: Path) -> Path:
    return scan(folder, labels=LABELS[..., :1])


def no_number_spacing(folder: Path) -> Path:
    return patched(scan(folder), 80, struct.pack("<f", float("nan")))


def negative_spacing(folder: Path) -> Path:
    return patched(scan(folder), 84, struct.pack("<f", -1.5))


def mask_instead(folder: Path) -> Path:
    path = folder / "image.nii.gz"
    write_mask(LABELS, annotated(LABELS).study.cines[0], path)
    return path


def time_first(folder: Path) -> Path:
    path = folder / "scan.nii.gz"
    array = np.moveaxis(annotated(LABELS).study.cines[0].array, 3, 0)
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(array), np.diag([1.0, 1.5, 1.5, 1])), path)
    return path


def voxels_without_number(folder: Path) -> Path:
    path = folder / "scan.nii.gz"
    array = annotated(LABELS).study.cines[0].array.copy()
    array[3, 4, 2, 1] = np.nan
    nibabel.save(nibabel.Nifti1Image(array, np.diag([1.5, 1.5, 8, 1])), path)
    return path


def empty_zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "study.zip", "w"):
        pass
    return folder / "study.zip"


def climbing_zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "study.zip", "w") as archive:
        archive.writestr("../escaped.dcm", b"x" * 200)
    return folder / "study.zip"


def not_there(folder: Path) -> Path:
    return folder / "nothing.nii.gz"


BAD: dict[Callable[[Path], Path], str] = {
    truncated: "truncated|damaged",
    truncated_dicom: "read|damaged|cut",
    without_cine: "no cine|cine",
    empty_folder: "expected|no ",
    one_slice: "at least 3",
    one_frame: "has one frame",
    no_number_spacing: "voxel size along x is nan",
    negative_spacing: "voxel size along y is -1.5",
    mask_instead: "label map|mask",
    time_first: "time last",
    voxels_without_number: "NaN",
    empty_zip: "empty|no ",
    climbing_zip: "outside its folder",
    not_there: "does not exist",
}


CALLS = [("analyse", make) for make in BAD] + [("segment", make) for make in BAD if make not in (one_slice, one_frame)]
"""One slice and one frame can be segmented; only a volume and an ejection fraction need more."""


@pytest.mark.parametrize(("command", "make"), CALLS, ids=lambda part: part if isinstance(part, str) else part.__name__)
def test_bad_input_is_told_with_its_exit_code_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, make: Callable[[Path], Path]
) -> None:
    source = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert call(command, source, "-o", tmp_path / "out") == 3
    said = capsys.readouterr().err
    assert re.search(BAD[make], said), said
    assert sorted(path for path in tmp_path.rglob("*") if path != tmp_path / "out") == before
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())
    assert not (tmp_path.parent / "escaped.dcm").exists()


def test_an_output_that_is_a_file_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("mine")
    for command in ("analyse", "segment"):
        assert call(command, scan(tmp_path), "-o", tmp_path / "out") == 3
        assert "is a file" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(
    "words",
    [("embed", "x", "-o", "f/t.csv"), ("reconstruct", "x", "-o", "f/p.png"), ("phantom", "-o", "f/x")]
    + [(name, "--data", "x", "-o", "f/x") for name in ("finetune", "evaluate")],
)
def test_an_output_within_a_file_is_refused_first(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f").write_text("a file")
    assert call(*words) == 3
    assert "'f' is a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("embed", KeyboardInterrupt(), (130, "nothing was written")),
        ("analyse", KeyboardInterrupt(), (130, "finished studies are kept")),
        ("pretrain", KeyboardInterrupt(), (130, "last checkpoint")),
        ("embed", OSError(28, "No space left on device", "/home/someone/t.csv"), (3, "'t.csv': No space left")),
    ],
)
def test_a_stop_is_told_as_it_is(
    name: str,
    error: BaseException,
    told: tuple[int, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(words: list[str]) -> int:
        raise error

    monkeypatch.setattr(cli, "_run", stop)
    assert call(name) == told[0]
    said = capsys.readouterr().err
    assert told[1] in said and "someone" not in said


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (("--turns", "2"), ("--tta", "2")),
        (("--turns=2",), ("--tta", "2")),
        (("--basal-rule", "half-rim"), ("--basal-rule", "scmr")),
    ],
)
def test_old_options_work_with_a_note(
    old: tuple[str, ...], new: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli._current_words("analyse", ["study", *old, "-o", "out"]) == ["study", *new, "-o", "out"]
    assert "is deprecated; use" in capsys.readouterr().err
    assert cli._current_words("analyse", ["study", *new]) == ["study", *new]
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(sys.platform != "linux", reason="torch waits by libgomp on Linux alone")
@pytest.mark.parametrize("chosen", [None, "active"])
def test_threads_that_wait_sleep_unless_the_user_says_otherwise(chosen: str | None) -> None:
    """Threads that spin took a command on a busy machine four times as long; libgomp prints how long they spin."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    env |= {"OMP_DISPLAY_ENV": "verbose"} | ({"OMP_WAIT_POLICY": chosen} if chosen else {})
    code = "from cinema_cmr.cli import main\nmain(['weights', 'verify', 'cinema-disease'])\nimport torch"
    done = subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True)
    assert ("GOMP_SPINCOUNT = '0'" in done.stderr) is (chosen is None)
    assert "GOMP_SPINCOUNT" in done.stderr


def test_no_time_goes_into_unused_cycles_during_imports_and_at_the_end() -> None:
    """The first is a tenth of the imports, the second 0.6 s after an analysis."""
    code = (
        "import atexit, gc\n"
        "atexit.register(lambda: print(gc.get_threshold()[0], gc.get_count()[0] < gc.get_freeze_count()))\n"
        "from cinema_cmr.cli import main\nmain(['weights', 'verify', 'cinema-disease'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "50000 True"
