"""Masks of another program: found by name, on the image's grid, in its own codes; everything else is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from oracles import annotated, cine_of, heart

from cinema_cmr.core.errors import GeometryError, InputError, MissingFileError, UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.external_masks import open_predictions, parse_codes
from cinema_cmr.io.nifti.image import read_nifti_cine, write_cine, write_mask

LABELS = heart((15.0, 13.0, 11.0))
FRAMES = [0, 2]


@pytest.fixture
def study(tmp_path: Path) -> AnnotatedStudy:
    """A cine of three frames from a file, two of them labelled."""
    made = annotated(LABELS, "p 1", frames=(0, 2))
    write_cine(cine_of(LABELS), tmp_path / "images" / "p1.nii.gz")
    cine, _ = read_nifti_cine(tmp_path / "images" / "p1.nii.gz")
    return replace(made, study=replace(made.study, cines=(cine,)))


def save(path: Path, codes: np.ndarray, affine: np.ndarray | None = None) -> None:  # type: ignore[type-arg]
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(codes, np.diag([1.5, 1.5, 8.0, 1.0]) if affine is None else affine), path)


def test_masks_are_found_by_any_of_their_names(study: AnnotatedStudy, tmp_path: Path) -> None:
    truth = LABELS[..., FRAMES]
    written = {
        "all": {"p 1.nii.gz": LABELS},
        "labelled": {"p_1_seg.nii.gz": truth},
        "frames": {"a/p_1_frame00.nii.gz": truth[..., 0], "b/p 1_frame02_seg.nii": truth[..., 1]},
    }
    for folder, files in written.items():
        for name, codes in files.items():
            save(tmp_path / folder / name, codes)
        assert np.array_equal(open_predictions(tmp_path / folder).read(study), truth), folder
    files_own = replace(study, frame_names={View.SAX: ("x_frame01", "x_frame09")})
    for name, codes in zip(("x_frame01", "x_frame09"), np.moveaxis(truth, 3, 0), strict=True):
        save(tmp_path / "own" / f"{name}.nii.gz", codes)
    assert np.array_equal(open_predictions(tmp_path / "own").read(files_own), truth)


def test_other_codes_are_translated_and_unknown_ones_refused(study: AnnotatedStudy, tmp_path: Path) -> None:
    save(tmp_path / "p" / "p_1.nii.gz", np.array([0, 30, 20, 10], np.uint8)[LABELS])
    codes = parse_codes(["10=lv", "20=myo", "30=rv"])
    assert np.array_equal(open_predictions(tmp_path / "p", codes=codes).read(study), LABELS[..., FRAMES])
    with pytest.raises(InputError, match=r"holds the values \[10, 20, 30\]; expected the label codes"):
        open_predictions(tmp_path / "p").read(study)
    with pytest.raises(UsageError, match="unknown structure 'lvv'; did you mean 'lv'"):
        open_predictions(tmp_path / "p", codes={10: "lvv"}).read(study)
    for word in ("lv=1", "0=lv", "1"):
        with pytest.raises(UsageError, match="for example 1=lv 2=myo"):
            parse_codes([word])


def test_a_mask_on_another_grid_is_refused(study: AnnotatedStudy, tmp_path: Path) -> None:
    save(tmp_path / "shape" / "p_1.nii.gz", LABELS[:-1])
    save(tmp_path / "frames" / "p_1.nii.gz", LABELS[..., :1])
    save(tmp_path / "sizes" / "p_1.nii.gz", LABELS, np.diag([2.0, 1.5, 8.0, 1.0]))
    for folder, said in (("shape", "has shape"), ("frames", "has 1 frames, its image 3"), ("sizes", "has voxels of")):
        with pytest.raises(GeometryError, match=said):
            open_predictions(tmp_path / folder).read(study)


def test_position_is_compared_only_if_the_image_has_one(study: AnnotatedStudy, tmp_path: Path) -> None:
    moved = np.diag([1.5, 1.5, 8.0, 1.0])
    moved[:3, 3] = 40
    save(tmp_path / "p" / "p_1.nii.gz", LABELS, moved)
    assert not study.study.cine(View.SAX).orientation_known
    assert open_predictions(tmp_path / "p").read(study).shape == LABELS[..., FRAMES].shape
    known = replace(study.study.cine(View.SAX), orientation_known=True)
    with pytest.raises(GeometryError, match=r"lies up to \d+.\d mm from its image"):
        open_predictions(tmp_path / "p").read(replace(study, study=replace(study.study, cines=(known,))))


def test_a_study_that_came_from_no_nifti_has_its_geometry_checked(tmp_path: Path) -> None:
    made = annotated(LABELS, "p1")
    write_mask(LABELS, cine_of(LABELS), tmp_path / "p1.nii.gz")
    assert np.array_equal(open_predictions(tmp_path).read(made), LABELS)
    save(tmp_path / "p1.nii.gz", LABELS, np.diag([1.5, 1.5, 10.0, 1.0]))
    with pytest.raises(GeometryError, match="has voxels of"):
        open_predictions(tmp_path).read(made)


def test_missing_and_duplicate_masks_are_reported_by_name(study: AnnotatedStudy, tmp_path: Path) -> None:
    save(tmp_path / "half" / "p_1_frame02.nii.gz", LABELS[..., 2])
    with pytest.raises(MissingFileError, match=r"no mask for 1 of 2 frames of 'p 1'; expected p_1_frame00.nii.gz"):
        open_predictions(tmp_path / "half").read(study)
    save(tmp_path / "half" / "p_1.nii.gz", LABELS)
    with pytest.raises(InputError, match="expected one"):
        open_predictions(tmp_path / "half").read(study)
    save(tmp_path / "two" / "p_1.nii.gz", LABELS)
    save(tmp_path / "two" / "p_1_seg.nii.gz", LABELS)
    with pytest.raises(InputError, match="are masks of the same frames"):
        open_predictions(tmp_path / "two").read(study)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no NIfTI file"):
        open_predictions(tmp_path / "empty")
    with pytest.raises(InputError, match="is not a folder"):
        open_predictions(tmp_path / "nowhere")


def test_masks_that_belong_to_no_study_are_named(study: AnnotatedStudy, tmp_path: Path) -> None:
    save(tmp_path / "p" / "p_1.nii.gz", LABELS)
    save(tmp_path / "p" / "p_2.nii.gz", LABELS)
    found = open_predictions(tmp_path / "p")
    found.read(study)
    assert found.unused() == ["p_2"]
