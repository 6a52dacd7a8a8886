"""Hashes of inputs that change when the input does and only then, and notes that are read back."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from synthetic_dicom import written_stack

from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nifti.image import write_cine, write_mask
from cinema_cmr.io.provenance import folder_digests, input_digest, mask_note, read_mask_note
from cinema_cmr.io.read import input_files


def cine(value: float = 0.0) -> Cine:
    array = np.random.default_rng(0).random((12, 10, 4, 1)).astype(np.float32) + value
    return Cine(array=array, affine=np.diag([1.5, 1.5, 8.0, 1.0]), view=View.SAX, slice_positions_mm=np.arange(4) * 8.0)


def test_a_folder_digest_depends_on_its_images_only(tmp_path: Path) -> None:
    written_stack(tmp_path / "one", n=3, n_frames=2)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    first = input_digest(tmp_path / "one")
    assert first == input_digest(tmp_path / "two")
    (tmp_path / "one" / "report.html").write_text("a result")
    (tmp_path / "one" / "measurements.json").write_text("{}")
    assert input_digest(tmp_path / "one") == first
    image = sorted(path for path in (tmp_path / "one").rglob("*.dcm"))[0]
    image.write_bytes(image.read_bytes()[:-2] + b"\1\1")
    assert input_digest(tmp_path / "one") != first


def test_of_niftis_the_images_count_and_masks_do_not(tmp_path: Path) -> None:
    write_cine(cine(), tmp_path / "sax.nii.gz")
    (tmp_path / "Info.cfg").write_text("Height: 170\n")
    digest = input_digest(tmp_path)
    write_mask(np.zeros((12, 10, 4, 1), np.uint8), cine(), tmp_path / "segmentation" / "sax.nii.gz")
    assert [path.name for path in input_files(tmp_path)] == ["Info.cfg", "sax.nii.gz"]
    assert input_digest(tmp_path) == digest
    (tmp_path / "Info.cfg").write_text("Height: 171\n")
    assert input_digest(tmp_path) != digest


def test_a_path_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        input_digest(tmp_path / "none.nii")


@pytest.mark.parametrize("name", ["m.nii", "m.nii.gz"])
def test_a_note_is_read_back_from_a_mask(tmp_path: Path, name: str) -> None:
    note = mask_note(input_sha256="ab" * 32, model_sha256="cd" * 32, options="turns 8")
    assert len(note) < 80
    write_mask(np.zeros((12, 10, 4, 1), np.uint8), cine(), tmp_path / name, note=note)
    assert read_mask_note(tmp_path / name) == note


def test_a_file_without_a_note_has_an_empty_one(tmp_path: Path) -> None:
    assert read_mask_note(tmp_path / "absent.nii.gz") == ""
    (tmp_path / "torn.nii.gz").write_bytes(b"\x1f\x8b torn")
    assert read_mask_note(tmp_path / "torn.nii.gz") == ""
    write_mask(np.zeros((12, 10, 4, 1), np.uint8), cine(), tmp_path / "plain.nii")
    assert read_mask_note(tmp_path / "plain.nii") == ""


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    for name in ("p.nii", "p.nii.gz"):
        os.mkfifo(tmp_path / name)
        assert read_mask_note(tmp_path / name) == ""
        with pytest.raises(UnreadableFileError, match="is a pipe"):
            input_digest(tmp_path / name)


def test_the_digests_of_a_folder_are_those_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"content")
    assert folder_digests(tmp_path) == {"a/b": hashlib.sha256(b"content").hexdigest()}
