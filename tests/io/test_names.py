"""Every input gets a name of its own, as short as it can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.io.names import name_from_path, unique_names


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/one.nii.gz", "a/two.nii.gz", "b"], ["one", "two", "b"]),
        (["SCD1/dicom.zip", "SCD2/dicom.zip"], ["SCD1", "SCD2"]),
        (["x/1/dicom/a.zip", "x/2/dicom/a.zip"], ["1", "2"]),
        (["a/1/s.nii", "a/2/s.nii", "b/1/s.nii"], ["a_1", "a_2", "b_1"]),
        (["p1/s.nii", "p2/s.nii", "p1.nii"], ["p1_s", "p2_s", "p1"]),
        (["p/s.nii", "p/s.nii.gz"], ["s_nii", "s_nii_gz"]),
        (["p1/S.nii", "p2/s.nii"], ["p1", "p2"]),
        (["s.nii", "p2/s.nii"], ["here", "p2"]),
        (["ill/1", "well/1", "ill/2", "well/2"], ["ill_1", "well_1", "ill_2", "well_2"]),
        (["p/s.nii", "p/s.nii.gz", "a/t.nii", "b/t.nii"], ["s_nii", "s_nii_gz", "a", "b"]),
        ([], []),
    ],
)
def test_names_distinguish_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paths: list[str], names: list[str]
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert unique_names([Path(path) for path in paths]) == names


def test_an_input_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'s\.nii' is given twice"):
        unique_names([Path("p/s.nii"), Path("q/../p/s.nii")])


def test_a_study_is_named_by_its_folder_or_file(tmp_path: Path) -> None:
    (tmp_path / "scan.1.5T").mkdir()
    assert name_from_path(tmp_path / "scan.1.5T") == "scan.1.5T"
    assert name_from_path("scans/patient 7/ü.zip") == "ü"
