"""The command line as a user meets it: results on stdout, exit codes, and every kind of bad input."""

from __future__ import annotations

import gzip
import json
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from oracles import annotated, heart, segmenter
from synthetic_dicom import new_image, save, written_stack

from cinema_cmr import cli
from cinema_cmr.cli import COMMANDS, main
from cinema_cmr.io.nifti.image import write_cine, write_mask

RADII = tuple(12.0 + 3.0 * np.cos(np.linspace(0, 2 * np.pi, 12, endpoint=False)))
LABELS = heart(RADII, n_slices=6)


@pytest.fixture(autouse=True)
def oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that knows the synthetic hearts stands in for the embedded one."""
    monkeypatch.setattr("cinema_cmr.pipeline.analyzer.load_segmenter", lambda model, **_: segmenter(size=(63, 59)))


def scan(folder: Path, name: str = "scan", labels: np.ndarray = LABELS) -> Path:  # type: ignore[type-arg]
    path = folder / f"{name}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_cine(annotated(labels).study.cines[0], path, overwrite=True)
    return path


def call(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        call(command, "--help")
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert f"cinema {command}" in said and "not a medical device" in " ".join(said.split())


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        call("anlyse", "x")
    assert stop.value.code == 2
    assert "analyse" in capsys.readouterr().err


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


def test_one_study_gives_a_report_and_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("analyse", scan(tmp_path), "-o", tmp_path / "out") == 0
    said = capsys.readouterr()
    assert re.search(r"scan: LVEF \d+ %, LV EDV \d+ ml", said.out) and "report:" in said.out
    assert (tmp_path / "out" / "report.html").exists() and not (tmp_path / "out" / "index.html").exists()


@pytest.mark.medium
def test_many_studies_go_on_past_a_bad_one_and_get_an_index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs = [scan(tmp_path / "a", "sax"), scan(tmp_path / "b", "sax"), tmp_path / "c.nii.gz"]
    inputs[2].write_bytes(b"no scan")
    assert call("analyse", *inputs, "-o", tmp_path / "out", "--json") == 3
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["name"], line["status"]) for line in lines] == [("a", "done"), ("b", "done"), ("c", "failed")]
    assert "c.nii.gz" in lines[2]["error"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "b", "index.csv", "index.html"]


@pytest.mark.medium
def test_finished_work_is_kept_and_other_work_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = scan(tmp_path), tmp_path / "out"
    call("analyse", source, "-o", out)
    first = (out / "report.html").stat().st_mtime_ns
    assert call("analyse", source, "-o", out) == 0 and "finished before, kept" in capsys.readouterr().out
    assert (out / "report.html").stat().st_mtime_ns == first
    assert call("analyse", source, "-o", out, "--basal-rule", "all-slices") == 3
    scan(tmp_path, labels=heart(RADII[:4], n_slices=6))
    assert call("analyse", source, "-o", out) == 3
    assert "--overwrite" in capsys.readouterr().err
    assert (out / "report.html").stat().st_mtime_ns == first
    assert call("analyse", source, "-o", out, "--overwrite") == 0


@pytest.mark.medium
def test_strict_tells_flags_by_the_exit_code(tmp_path: Path) -> None:
    few = scan(tmp_path, labels=LABELS[:, :, 1:4])
    assert call("analyse", few, "-o", tmp_path / "one") == 0
    assert call("analyse", few, "-o", tmp_path / "two", "--strict") == 4
    assert (tmp_path / "two" / "report.html").exists()


def test_a_manifest_lists_inputs_relative_to_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan(tmp_path / "data", "one")
    scan(tmp_path / "data", "two")
    (tmp_path / "data" / "list.csv").write_text("group,path\nA,one.nii.gz\nB,two.nii.gz\n")
    assert call("segment", "--manifest", tmp_path / "data" / "list.csv", "-o", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["one_seg.nii.gz", "two_seg.nii.gz"]
    assert call("segment", "-o", tmp_path / "out") == 2
    assert "no input given" in capsys.readouterr().err


@pytest.mark.medium
@pytest.mark.parametrize("damage", ["missing", "{", "[]", "{}"])
def test_a_damaged_result_fails_alone_and_is_not_replaced_unasked(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources, out = [scan(tmp_path, "first"), scan(tmp_path, "second")], tmp_path / "out"
    assert call("analyse", *sources, "-o", out) == 0
    numbers = out / "first" / "measurements.json"
    numbers.unlink() if damage == "missing" else numbers.write_text(damage)
    capsys.readouterr()
    assert call("analyse", *sources, "-o", out) == 3
    said = capsys.readouterr()
    assert "damaged or incomplete" in said.err and "--overwrite" in said.err
    assert "second: " in said.out and "finished before, kept" in said.out
    assert call("analyse", *sources, "-o", out, "--overwrite") == 0


def test_results_of_another_version_are_not_taken_for_this_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = scan(tmp_path), tmp_path / "out"
    assert call("analyse", source, "-o", out) == 0
    run = json.loads((out / "run.json").read_text())
    run["versions"]["cinema_cmr"] = "0.0.1"
    (out / "run.json").write_text(json.dumps(run))
    assert call("analyse", source, "-o", out) == 3
    assert "holds results of version 0.0.1" in capsys.readouterr().err


def test_a_mask_is_kept_only_for_the_same_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = scan(tmp_path, labels=LABELS[..., :1])
    assert call("segment", source, "-o", tmp_path / "out") == 0
    assert call("segment", source, "-o", tmp_path / "out") == 0 and "kept" in capsys.readouterr().out
    scan(tmp_path, labels=LABELS[..., 3:4])
    assert call("segment", source, "-o", tmp_path / "out") == 3
    assert "another input" in capsys.readouterr().err


def test_views_says_what_became_of_each_series(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written_stack(tmp_path / "study", n_frames=8)
    assert call("views", tmp_path / "study") == 0
    said = capsys.readouterr().out
    assert "short axis: series 3" in said and "kept: series 3" in said


@pytest.mark.medium
def test_no_name_of_a_patient_is_written(tmp_path: Path) -> None:
    written_stack(tmp_path / "study", n_frames=8)
    secret = "ZQX^SECRET"
    from pydicom import dcmread

    for path in (tmp_path / "study").rglob("*.dcm"):
        dataset = dcmread(path)
        dataset.PatientName, dataset.PatientID, dataset.SeriesDescription = secret, "ID4711", f"cine {secret}"
        dataset.save_as(path)
    assert call("analyse", tmp_path / "study", "-o", tmp_path / "out") == 0
    for path in (path for path in (tmp_path / "out").rglob("*") if path.is_file()):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert b"SECRET" not in content and b"ID4711" not in content, path.name


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
    array = np.moveaxis(annotated(heart(RADII, n_slices=6)).study.cines[0].array, 3, 0)
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


def test_an_unknown_model_is_a_weights_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    assert call("analyse", scan(tmp_path), "-o", tmp_path / "out", "--model", "no-such-model") == 5
    assert "no model 'no-such-model'" in capsys.readouterr().err


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


def test_analyze_is_analyse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("analyze", tmp_path / "none", "-o", tmp_path / "out") == 3
    assert "does not exist" in capsys.readouterr().err
