"""Masks drawn on a DICOM study by other programs lie on its cines, whatever the order and direction of their axes."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from interop_hearts import analysed, chambers_of, labels_of, long_axis_cine, stack_cine, write_study
from numpy.typing import NDArray

from cinema_cmr.core.errors import GeometryError, InputError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.interop.label_folder import convert_labels, read_labels
from cinema_cmr.io.dicom.writing.series import DicomShape
from cinema_cmr.io.read import read_study


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Study, NDArray[np.uint8]]:
    folder = write_study(tmp_path_factory.mktemp("masks") / "study", stack_cine(), shape=DicomShape.ENHANCED)
    return folder, read_study(folder), analysed(folder).predictions[View.SAX].labels.array


def save(path: Path, array: NDArray[np.uint8], affine: NDArray[np.float64]) -> Path:
    nibabel.save(nibabel.Nifti1Image(array, affine), path)
    return path


def reordered(array: NDArray[np.uint8], affine: NDArray[np.float64]) -> nibabel.Nifti1Image:
    """The same mask as another program stores it: rows from below, slices from the other end, axes exchanged."""
    axes = np.array([[1, -1], [0, 1], [2, -1], [3, 1]])[: array.ndim]
    image = nibabel.Nifti1Image(array, affine)
    return image.as_reoriented(axes[:3])


@pytest.mark.medium
@pytest.mark.parametrize("order", ["ours", "another"])
def test_a_mask_of_all_frames(scan: tuple[Path, Study, NDArray[np.uint8]], tmp_path: Path, order: str) -> None:
    folder, study, truth = scan
    kept = np.where(np.isin(np.arange(truth.shape[3]), (0, 4)), truth, 0).astype(np.uint8)
    if order == "ours":
        save(tmp_path / "mask.nii.gz", kept, study[View.SAX].affine)
    else:
        nibabel.save(reordered(kept, study[View.SAX].affine), tmp_path / "mask.nii.gz")
    (read,) = read_labels(tmp_path / "mask.nii.gz", study, folder)
    assert read.frames == (0, 4) and read.drawn == ("rv", "myo", "lv")
    np.testing.assert_array_equal(read.labels.array, kept)


@pytest.mark.medium
def test_masks_of_frames_with_other_codes_in_nrrd(scan: tuple[Path, Study, NDArray[np.uint8]], tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    folder, study, truth = scan
    foreign = np.array([0, 3, 2, 1], np.uint8)[truth]
    (tmp_path / "masks").mkdir()
    for frame in (0, 4):
        path = save(tmp_path / "one.nii.gz", foreign[..., frame], study[View.SAX].affine)
        sitk.WriteImage(sitk.ReadImage(str(path)), str(tmp_path / "masks" / f"p1_frame{frame:02d}.nrrd"))
    paths = convert_labels(tmp_path / "masks", folder, tmp_path / "lab", codes={1: 3, 2: 2, 3: 1})
    assert [path.name.rpartition("_sax_")[2] for path in paths] == ["ED_seg.nii.gz", "ES_seg.nii.gz"]
    for path, frame in zip(paths, (0, 4), strict=True):
        found = np.asarray(nibabel.load(path).dataobj).reshape(truth.shape[:3])
        np.testing.assert_array_equal(found, truth[..., frame])
    assert not (tmp_path / "lab" / "labels.json").exists()


@pytest.mark.medium
def test_what_lies_elsewhere_or_in_no_frame_is_refused(
    scan: tuple[Path, Study, NDArray[np.uint8]], tmp_path: Path
) -> None:
    folder, study, truth = scan
    affine = study[View.SAX].affine
    one = truth[..., 0]
    with pytest.raises(InputError, match="one with its frame"):
        read_labels(save(tmp_path / "p1_ED.nii.gz", one, affine), study, folder)
    with pytest.raises(InputError, match="one with its frame"):
        read_labels(save(tmp_path / "p1_frame08.nii.gz", one, affine), study, folder)
    moved = affine.copy()
    moved[:3, 3] += 0.4 * affine[:3, 0]
    with pytest.raises(GeometryError, match="on the pixels of no cine"):
        read_labels(save(tmp_path / "p2_frame00.nii.gz", one, moved), study, folder)
    image = nibabel.Nifti1Image(one, None)
    nibabel.save(image, tmp_path / "p3_frame00.nii.gz")
    with pytest.raises(GeometryError, match=r"states no position|on the pixels of no cine"):
        read_labels(tmp_path / "p3_frame00.nii.gz", study, folder)
    with pytest.raises(InputError, match=r"holds the values \[4\]"):
        read_labels(save(tmp_path / "p4_frame00.nii.gz", np.where(one == 3, 4, one), affine), study, folder)


@pytest.mark.medium
def test_two_masks_of_one_frame_are_refused(scan: tuple[Path, Study, NDArray[np.uint8]], tmp_path: Path) -> None:
    folder, study, truth = scan
    for name in ("reader1_frame00.nii.gz", "reader2_frame00.nii.gz"):
        save(tmp_path / name, truth[..., 0], study[View.SAX].affine)
    with pytest.raises(InputError, match=r"'reader1_frame00.nii.gz' and 'reader2_frame00.nii.gz' both draw"):
        read_labels(tmp_path, study, folder)


@pytest.mark.medium
@pytest.mark.parametrize("codes", [None, {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}])
def test_a_long_axis_mask_may_have_atria(tmp_path: Path, codes: dict[int, int] | None) -> None:
    folder = write_study(tmp_path / "study", stack_cine(), long_axis_cine(), shape=DicomShape.ENHANCED)
    study = read_study(folder)
    plane, stack = study[View.LAX_4C], study[View.SAX]
    truth = chambers_of(plane)
    save(tmp_path / "mask.nii.gz", truth.array, plane.affine)
    (read,) = read_labels(tmp_path / "mask.nii.gz", study, folder, codes=codes)
    assert (read.cine.view, read.labels.scheme) == (View.LAX_4C, "chambers")
    np.testing.assert_array_equal(read.labels.array, truth.array)
    save(tmp_path / "sax.nii.gz", np.where(labels_of(stack).array == 1, 4, labels_of(stack).array), stack.affine)
    if codes is None:
        with pytest.raises(InputError, match=r"holds the values \[4\].*no long axis"):
            read_labels(tmp_path / "sax.nii.gz", study, folder)
        return
    (read,) = read_labels(tmp_path / "sax.nii.gz", study, folder, codes=codes)
    assert read.labels.scheme == "cine" and set(np.unique(read.labels.array)) == {0, 2, 3}, "background in a short axis"
