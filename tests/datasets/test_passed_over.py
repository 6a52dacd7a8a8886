"""Files of a folder that are not read are counted by kind, with what to do; what belongs to a read file is not."""

from __future__ import annotations

from pathlib import Path

from cinema_cmr.datasets.passed_over import passed_over
from cinema_cmr.datasets.readers.folder_layout import is_image


def found(*names: str) -> tuple[str, ...]:
    return passed_over([Path(name) for name in names], is_image)


def test_all_that_is_read_is_no_remark() -> None:
    assert not found("a.nii.gz", "b.nrrd", "facts.csv", "labels.json", "p1/Info.cfg", ".DS_Store", ".git/x.txt")
    assert not found("a.mhd", "a.raw", "b.nhdr", "b.raw.gz", "c.par", "c.rec", "d.mhd", "d.zraw")


def test_kinds_are_counted_with_the_advice_for_them() -> None:
    (text,) = found("a.nii.gz", "p1/IM0001.dcm", "p1/IM0002.dcm", "notes.docx")
    assert text.startswith("3 files are not read (.dcm 2, .docx 1), e.g. 'IM0001.dcm'; ")
    assert "for DICOM images see `cinema datasets convert --study DICOM`" in text
    (text,) = found("c/IM-0001-0048-icontour-manual.txt")
    assert text.startswith("1 file is not read (.txt 1)") and "for contours see" in text
    (text,) = found("a.mat", "b.raw")
    assert text.endswith("expected NIfTI, NRRD or MHA images and label maps, and a table *.csv")
