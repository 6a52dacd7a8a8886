"""Which images of a folder are one patient's and one study's, by their names alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.datasets.readers.folder_layout import group_images

ROOT = Path("data")


def groups(*names: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    found = group_images(ROOT, [ROOT / f"{name}.nii.gz" for name in names])
    return {
        case: (
            group.patient,
            tuple(image.relative_to(ROOT).as_posix().removesuffix(".nii.gz") for image in group.images),
        )
        for case, group in found.items()
    }


@pytest.mark.parametrize(
    ("stem", "patient"),
    [
        ("p0_ED", "p0"),
        ("patient001_frame12", "patient001"),
        ("p0-es", "p0"),
        ("p0_phase_3", "p0"),
        ("p0_sax_ED", "p0"),
        ("p0_lax_4c", "p0"),
        ("p0_LAX_4ch_ES", "p0"),
        ("A0S9V9_sa", "A0S9V9"),
        # What only looks like one of the endings is part of the name.
        ("case_01", "case_01"),
        ("series", "series"),
        ("site_series", "site_series"),
        ("ED", "ED"),
        ("frame01", "frame01"),
        ("_ed", "_ed"),
    ],
)
def test_the_patient_of_an_image_directly_in_the_folder(stem: str, patient: str) -> None:
    assert groups(stem) == {stem: (patient, (stem,))}


def test_frames_and_views_of_a_patient_stay_together() -> None:
    found = groups("p0_frame01", "p0_frame09", "p0_lax_2c", "p1_frame01")
    assert {case: patient for case, (patient, _) in found.items()} == {
        "p0_frame01": "p0",
        "p0_frame09": "p0",
        "p0_lax_2c": "p0",
        "p1_frame01": "p1",
    }


@pytest.mark.parametrize(
    ("names", "case"),
    [
        (("p0_ES", "p0_ED"), ("p0", "p0", ("p0_ED", "p0_ES"))),
        (("p1/ES", "p1/ED"), ("p1", "p1", ("p1/ED", "p1/ES"))),
        (("p1/p1_es", "p1/p1_ed"), ("p1", "p1", ("p1/p1_ed", "p1/p1_es"))),
        (("p1/images/a_ED", "p1/images/a_ES"), ("p1-a", "p1", ("p1/images/a_ED", "p1/images/a_ES"))),
        (("images/p2_ED", "images/p2_ES"), ("p2", "p2", ("images/p2_ED", "images/p2_ES"))),
    ],
)
def test_ed_and_es_are_one_study_ed_first(names: tuple[str, ...], case: tuple[str, str, tuple[str, ...]]) -> None:
    name, patient, images = case
    assert groups(*names) == {name: (patient, images)}


def test_the_phases_of_every_view_of_a_subfolder_are_one_study() -> None:
    views = ("lax_4c_ED", "lax_4c_ES", "sax_ED", "sax_ES")
    assert groups(*(f"p1/{name}" for name in views)) == {"p1": ("p1", tuple(f"p1/{name}" for name in views))}


def test_a_phase_alone_and_one_beside_its_cine_are_separate_studies() -> None:
    assert groups("p0_ED") == {"p0_ED": ("p0", ("p0_ED",))}
    assert sorted(groups("p0", "p0_ED", "p0_ES")) == ["p0", "p0_ED", "p0_ES"]
