"""Out in nnU-Net's form and back: nothing is lost, wrong files are told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from oracles import annotated, heart

from cinema_cmr.bench.exchange import (
    frame_name,
    prediction_files,
    predictions_reader,
    with_predictions,
    write_nnunet,
)
from cinema_cmr.core.errors import GeometryError, InputError, OutputExistsError, UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.engine.evaluate import evaluate_masks
from cinema_cmr.io.nifti import read_nifti_cine, write_cine, write_mask


def study(number: int, folder: Path) -> AnnotatedStudy:
    """A stack of three frames, of which the first and the last are labelled, read from a file as datasets' are."""
    labels = heart((15.0 + number, 13.0, 11.0), n_slices=4)
    made = annotated(labels, f"heart {number}", frames=(0, 2))
    path = folder / f"heart {number}.nii.gz"
    write_cine(made.study.cines[0], path)
    cine, _ = read_nifti_cine(path)
    return replace(made, study=replace(made.study, cines=(replace(cine, view=View.SAX),)))


@pytest.fixture
def studies(tmp_path: Path) -> list[AnnotatedStudy]:
    return [study(number, tmp_path / "scans") for number in range(3)]


def exported(studies: list[AnnotatedStudy], tmp_path: Path) -> Path:
    folder = tmp_path / "Dataset501_Hearts"
    parts = [("train", studies[:1]), ("validation", studies[1:2]), ("test", studies[2:])]
    assert write_nnunet(parts, folder, title="Hearts") == 6
    return folder


def test_the_folder_is_nnunet_s(studies: list[AnnotatedStudy], tmp_path: Path) -> None:
    folder = exported(studies, tmp_path)
    content = json.loads((folder / "dataset.json").read_text())
    assert content["labels"] == {"background": 0, "rv": 1, "myo": 2, "lv": 3}
    assert (
        content["numTraining"] == 4 and content["file_ending"] == ".nii.gz" and list(content["channel_names"]) == ["0"]
    )
    (split,) = json.loads((folder / "splits_final.json").read_text())
    assert split == {
        "train": ["heart 0_frame00", "heart 0_frame02"],
        "val": ["heart 1_frame00", "heart 1_frame02"],
    }
    for image in (folder / "imagesTr").iterdir():
        label = folder / "labelsTr" / image.name.replace("_0000", "")
        pair = [nibabel.load(path) for path in (image, label)]
        assert pair[0].shape == pair[1].shape and len(pair[0].shape) == 3
        assert np.allclose(pair[0].affine, pair[1].affine)
    assert len(list((folder / "imagesTr").iterdir())) == 4 and len(list((folder / "imagesTs").iterdir())) == 2


def test_labels_that_come_back_are_scored_as_perfect(studies: list[AnnotatedStudy], tmp_path: Path) -> None:
    folder = exported(studies, tmp_path)
    there, missing = with_predictions(studies, folder / "labelsTr")
    assert [s.patient for s in there] == ["heart 0", "heart 1"] and [s.patient for s in missing] == ["heart 2"]
    for score in evaluate_masks(there, predictions_reader(folder / "labelsTr")):
        assert score.mean("dice_lv") == score.mean("dice_rv") == 1.0
        assert score.measured["lv_ef_percent"] == pytest.approx(score.reference["lv_ef_percent"])


@pytest.mark.parametrize("stem", ["heart 0", "heart 0_seg"])
def test_one_file_of_the_whole_cine_is_taken_too(studies: list[AnnotatedStudy], tmp_path: Path, stem: str) -> None:
    one = studies[0]
    path = tmp_path / "masks" / f"{stem}.nii.gz"
    write_mask(one.labels[View.SAX], one.study.cine(View.SAX), path)
    assert prediction_files(one, path.parent) == [path]
    read = predictions_reader(path.parent)(one)
    assert np.array_equal(read, one.labels[View.SAX].array[..., [0, 2]])


def test_a_mask_of_another_grid_or_with_other_codes_is_refused(studies: list[AnnotatedStudy], tmp_path: Path) -> None:
    one = studies[0]
    cine, labels = one.study.cine(View.SAX), one.labels[View.SAX].array
    other = replace(cine, array=cine.array[1:], nifti_header=None, nifti_shape=None)
    write_mask(np.ascontiguousarray(labels[1:]), other, tmp_path / "small" / "heart 0.nii.gz")
    with pytest.raises(GeometryError, match="must be on its grid"):
        predictions_reader(tmp_path / "small")(one)
    odd = labels.copy()
    odd[0, 0, 0, 0] = 7
    write_mask(odd, cine, tmp_path / "odd" / "heart 0.nii.gz")
    with pytest.raises(InputError, match=r"holds the values \[7.0\]"):
        predictions_reader(tmp_path / "odd")(one)


def test_frames_of_which_one_lacks_are_no_prediction(studies: list[AnnotatedStudy], tmp_path: Path) -> None:
    folder = exported(studies, tmp_path) / "labelsTr"
    (folder / f"{frame_name('heart 0', 2)}.nii.gz").unlink()
    there, missing = with_predictions(studies[:2], folder)
    assert [s.patient for s in there] == ["heart 1"] and [s.patient for s in missing] == ["heart 0"]


def test_mistakes_are_told(studies: list[AnnotatedStudy], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        with_predictions(studies, tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no mask of any of 3 studies"):
        with_predictions(studies, tmp_path / "empty")
    with pytest.raises(UsageError, match="DatasetNNN_NAME"):
        write_nnunet([("train", studies)], tmp_path / "data", title="Hearts")
    with pytest.raises(InputError, match="0 labelled frames"):
        write_nnunet([("test", studies)], tmp_path / "Dataset502_Hearts", title="Hearts")
    assert not (tmp_path / "Dataset502_Hearts").exists()
    exported(studies, tmp_path)
    with pytest.raises(OutputExistsError):
        exported(studies, tmp_path)
