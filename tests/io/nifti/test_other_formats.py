"""MHA and NRRD are read like the NIfTI file of the same image."""

from __future__ import annotations

import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.read import read_study

AFFINE = np.array([[-1.2, 0.0, 0.0, 40.0], [0.0, 0.96, -6.4, -30.0], [0.0, -0.72, -4.8, 12.0], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_the_image_is_the_same_as_in_nifti(tmp_path: Path, suffix: str) -> None:
    sitk = pytest.importorskip("SimpleITK")
    array = np.random.default_rng(0).integers(50, 900, (20, 18, 5, 8)).astype(np.float32)
    image = sitk.JoinSeries([sitk.GetImageFromArray(array[..., t].transpose()) for t in range(8)])
    lps = np.diag([-1, -1, 1]) @ AFFINE[:3]
    spacing = np.linalg.norm(lps[:, :3], axis=0)
    directions = np.eye(4)
    directions[:3, :3] = lps[:, :3] / spacing
    image.SetSpacing([*spacing.tolist(), 1.0])
    image.SetOrigin([*lps[:, 3].tolist(), 0.0])
    image.SetDirection(directions.ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / f"sax{suffix}"))
    nibabel.save(nibabel.Nifti1Image(array, AFFINE), tmp_path / "sax_nifti.nii")
    one, other = (read_study(tmp_path / name)[View.SAX] for name in (f"sax{suffix}", "sax_nifti.nii"))
    np.testing.assert_array_equal(one.array, other.array)
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-5)
    assert one.orientation_known and one.frame_times_ms is None


def test_without_simpleitk_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    (tmp_path / "sax.nrrd").write_bytes(b"NRRD0004\n")
    with pytest.raises(InputError, match=r"pip install 'cinema-cmr\[formats\]'"):
        read_study(tmp_path / "sax.nrrd")


@pytest.mark.parametrize("name", ["sax.par", "sax.mha"])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, name: str) -> None:
    if name.endswith("mha"):
        pytest.importorskip("SimpleITK")
    (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(UnreadableFileError, match=f"'{name}': .*expected"):
        read_study(tmp_path / name)
