"""Pickles in, NIfTI out: geometry and labels stay where they were, and a bad scan stops nothing."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from trees import cine_of, labels_of_heart, lv_ml, pickled_scan

from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.datasets.readers import rescan_convert
from cinema_cmr.datasets.readers.plain_pickle import load_arrays
from cinema_cmr.datasets.readers.rescan import VIEW_FILES, list_cases, read_case
from cinema_cmr.datasets.readers.rescan_convert import convert_rescan, read_plain_pickle


@pytest.mark.medium
def test_a_converted_scan_keeps_its_position(tmp_path: Path) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    pickled_scan(raw / "test" / "scan_00_A")
    (raw / "test" / "scan_00_B").mkdir()
    (raw / "test" / "scan_00_B" / "SAX.pickle").write_bytes(pickle.dumps(eval))
    (raw / "test_retest_100").mkdir()
    (raw / "test_retest_100" / "labels.csv").write_text("A,B1\n")
    told = convert_rescan(raw, out)
    assert [(scan.name, scan.status) for scan in told] == [("test/scan_00_A", "done"), ("test/scan_00_B", "failed")]
    assert "eval" in str(told[1].error) and not (out / "test" / "scan_00_B").exists()
    assert (out / "test_retest_100" / "labels.csv").exists() and not list(out.rglob("*.pickle"))
    (case,) = list_cases(out)
    annotated = read_case(case)
    for view in VIEW_FILES:
        cine, written = annotated.study.cine(view), cine_of(view)
        assert np.array_equal(cine.array, written.array)
        assert np.allclose(cine.affine[:, [0, 1, 3]], written.affine[:, [0, 1, 3]], atol=1e-3)
        assert np.allclose(cine.affine[:, 2], written.affine[:, 2], atol=1e-3) or view is not View.SAX
    labels, sax = annotated.labels[View.SAX].array, annotated.study.cine(View.SAX)
    assert np.array_equal(labels, labels_of_heart(View.SAX))
    assert lv_ml(labels, sax) == pytest.approx(lv_ml(labels, cine_of(View.SAX)), rel=1e-3)


def test_an_existing_conversion_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "train" / "A" / "s_0000"
    folder.mkdir(parents=True)
    (folder / "4C.pickle").write_bytes(b"whatever")
    (tmp_path / "out" / "train" / "A" / "s_0000").mkdir(parents=True)
    assert [scan.status for scan in convert_rescan(tmp_path / "raw", tmp_path / "out")] == ["kept"]


def test_uneven_slices_and_missing_keys_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescan_convert, "read_plain_pickle", lambda path: load_arrays(path.read_bytes()))
    raw = tmp_path / "raw"
    content = {
        "image_voxels": np.ones((3, 2, 5, 4), np.uint16),
        "ImagePositionPatient": np.array([[0, 0, 0.0], [0, 0, 8], [0, 0, 24]]),
        "ImageOrientationPatient": np.array([1.0, 0, 0, 0, 1, 0]),
        "PixelSpacing": np.array([1.5, 1.5]),
    }
    lacking = {key: value for key, value in content.items() if key != "PixelSpacing"}
    for name, its in (("a", content), ("b", lacking), ("c", {}), ("d", {**content, "image_voxels": np.ones(3)})):
        (raw / "train" / name).mkdir(parents=True)
        (raw / "train" / name / "SAX.pickle").write_bytes(pickle.dumps(its))
    errors = [str(scan.error) for scan in convert_rescan(raw, tmp_path / "out")]
    for error, said in zip(errors, ("8.00 to 16.00 mm", "PixelSpacing", "are empty", "expected 4 axes"), strict=True):
        assert said in error


def test_no_pickles_and_one_folder_for_both_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no SAX\.pickle"):
        convert_rescan(tmp_path, tmp_path / "out")
    with pytest.raises(InputError, match="expected another output folder"):
        convert_rescan(tmp_path, tmp_path / "x" / "..")


def test_a_torn_pickle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "SAX.pickle"
    path.write_bytes(pickle.dumps({"a": np.arange(100)})[:60])
    with pytest.raises(UnreadableFileError, match=r"'SAX\.pickle' is not a pickle of arrays"):
        read_plain_pickle(path)
