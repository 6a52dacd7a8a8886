"""The user's decisions on image files."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from cinema_cmr.core.choices import StudyChoices
from cinema_cmr.core.errors import InputError, UnknownNameError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.read import read_study

AFFINE = np.array([[-1.2, 0.0, 0.0, 40.0], [0.0, 0.96, -6.4, -30.0], [0.0, -0.72, -4.8, 12.0], [0, 0, 0, 1.0]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two stacks, one of them named short axis, and a plane that nothing names."""
    for k, (name, shape) in enumerate((("sax", (20, 18, 5, 8)), ("late", (20, 18, 5, 8)), ("plane", (20, 18, 1, 8)))):
        array = np.random.default_rng(k).integers(50, 900, shape).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(array, AFFINE), tmp_path / f"{name}.nii")
    return tmp_path


def test_use_ignore_and_view(folder: Path) -> None:
    assert read_study(folder)[View.SAX].label == "sax"
    assert read_study(folder, choices=StudyChoices(use=("late",)))[View.SAX].label == "late"
    assert read_study(folder, choices=StudyChoices(ignore=("sax.nii",)))[View.SAX].label == "late"
    study = read_study(folder, choices=StudyChoices(view={"plane": View.LAX_3C}))
    assert study[View.LAX_3C].label == "plane"
    (note,) = (issue for issue in study.issues if issue.code == "user-decision")
    assert note.message == "'plane': used, view 3-chamber, as the user decided"


def test_what_cannot_be_carried_out_is_an_error(folder: Path) -> None:
    with pytest.raises(InputError, match="'plane' cannot be used: 1 slices, and its name does not contain a view"):
        read_study(folder, choices=StudyChoices(use=("plane",)))
    with pytest.raises(InputError, match="'late' cannot be used: sax was read as the short axis"):
        read_study(folder, choices=StudyChoices(use=("sax", "late")))
    with pytest.raises(UnknownNameError, match="did you mean 'plane'"):
        read_study(folder, choices=StudyChoices(use=("plain",)))


def test_one_frame_among_others_that_nothing_numbers_is_not_measured_alone(tmp_path: Path) -> None:
    for letter in ("", *"abcdefgh"):
        array = np.random.default_rng(0).integers(50, 900, (20, 18, 5)).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(array, AFFINE), tmp_path / f"cine_sax{letter}.nii")
    with pytest.raises(InputError, match="9 images of one frame on one grid"):
        read_study(tmp_path)
    assert read_study(tmp_path, choices=StudyChoices(use=("cine_sax",)))[View.SAX].n_frames == 1
