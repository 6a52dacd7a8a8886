"""Which images of a folder are one patient's and one study's, by their names alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.datasets.readers.folder_layout import group_images, is_mask, pair_masks

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
        ("p0_t01", "p0"),
        ("Müller Ü p0 ED", "Müller Ü p0"),
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
        (("p2 ED", "p2 ES"), ("p2", "p2", ("p2 ED", "p2 ES"))),
        (("p2ED", "p2ES"), ("p2", "p2", ("p2ED", "p2ES"))),
        (("ED_p2", "ES_p2"), ("p2", "p2", ("ED_p2", "ES_p2"))),
        (("ED/p2", "ES/p2"), ("p2", "p2", ("ED/p2", "ES/p2"))),
        (("p2_diastole", "p2_systole"), ("p2", "p2", ("p2_diastole", "p2_systole"))),
        (("p2_EndDiastole", "p2_EndSystole"), ("p2", "p2", ("p2_EndDiastole", "p2_EndSystole"))),
        (("p2_end_diastolic", "p2_end_systolic"), ("p2", "p2", ("p2_end_diastolic", "p2_end_systolic"))),
        (("imagesTr/p2_ED_0000", "imagesTr/p2_ES_0000"), ("p2", "p2", ("imagesTr/p2_ED_0000", "imagesTr/p2_ES_0000"))),
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


def test_phases_in_subfolders_of_their_own_are_one_patient() -> None:
    """Else one of them would be held out while the other is learned from."""
    found = groups("p1_ED/image", "p1_ES/image", "p2_ED/image")
    assert {patient for patient, _ in found.values()} == {"p1", "p2"}


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        *(
            ("p_ED", f"p_ED{end}")
            for end in ("_seg", "_gt", "-label", "-seg", " Segmentation", ".seg", "_SEG", "_manual")
        ),
        ("p_ED", "seg_p_ED"),
        ("p/sa_ED", "p/label_sa_ED"),
        ("p_ED", "p_seg_ED"),
        ("p_image_ED", "p_mask_ED"),
        ("p/image", "p/label"),
        ("imagesTr/p_0000", "labelsTr/p"),
        ("imagesTs/p", "labelsTs/p"),
        ("Images/p", "Masks/p"),
        ("img/p", "msk/p"),
        ("images/p", "ground_truth/p"),
        ("images/train/p", "labels/train/p"),
    ],
)
def test_a_label_map_is_known_by_a_word_in_its_name_or_folder(image: str, mask: str) -> None:
    image_path, mask_path = (ROOT / f"{name}.nii.gz" for name in (image, mask))
    assert is_mask(mask_path.relative_to(ROOT)) and not is_mask(image_path.relative_to(ROOT))
    assert pair_masks(ROOT, [image_path], [mask_path]) == {image_path: [mask_path]}


@pytest.mark.parametrize(
    ("image", "mask"),
    [("p1", "p2_seg"), ("a/p", "b/p_seg"), ("p_ED", "p_ES_seg"), ("imagesTr/p", "labelsTs/p"), ("p", "p_lv_seg")],
)
def test_a_label_map_of_another_name_or_folder_is_not_the_image_s(image: str, mask: str) -> None:
    image_path, mask_path = (ROOT / f"{name}.nii.gz" for name in (image, mask))
    assert pair_masks(ROOT, [image_path], [mask_path]) == {image_path: []}
