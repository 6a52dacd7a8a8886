"""Frames, slices and views in file names."""

from __future__ import annotations

import pytest

from cinema_cmr.io.nifti.file_names import is_mask_name, parse_name


@pytest.mark.parametrize(
    ("stem", "key", "frame", "is_time"),
    [
        ("patient001_frame12", "patient001", 12, False),
        ("Scan_ES", "scan", 1, False),
        ("ED_patient7", "patient7", 0, False),
        ("end_systole_patient7", "patient7", 1, False),
        ("Diastole_patient7", "patient7", 0, False),
        ("diastolic_patient7", "patient7", 0, False),
        ("patient7_diastole", "patient7", 0, False),
        ("patient7_sax_EndSystolic", "patient7_sax", 1, False),
        ("patient7_dia", "patient7", 0, False),
        ("12_cine_sax_t378", "12_cine_sax", 378, True),
        ("12_cine_sax_t378a", "12_cine_sax", 378, True),
        ("cine_ph07", "cine", 7, False),
        ("vol0004", "", 4, False),
        ("101_cine_t38_s3", "101_cine_s3", 38, True),
        ("cine_sax_4", "cine_sax_4", None, False),
        ("sax_4d", "sax", None, False),
    ],
)
def test_frames_in_names(stem: str, key: str, frame: int | None, is_time: bool) -> None:
    name = parse_name(stem)
    assert (name.key, name.frame, name.is_time) == (key, frame, is_time)


def test_slices_and_numbers_in_names() -> None:
    assert parse_name("cine_slice07").slice == 7 and parse_name("cine_z3").slice == 3
    assert parse_name("cine_sax_7").slice is None
    assert parse_name("101_cine_12").pattern == "#_cine_#"
    assert not parse_name("brain_t1").certain


def test_masks() -> None:
    assert is_mask_name("patient001_gt") and is_mask_name("labels") and not is_mask_name("labelled_sax")
