"""Folders as users keep them: every layout finds its label maps, what is missing is told and stops nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scans import SHAPE, image_of, labels_of, write_scan

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import GeometryError, InputError, UnreadableFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.datasets.readers.folder import list_cases, read_case, scan_folder
from cinema_cmr.phantom.cohort import CohortConfig, write_cohort

LAYOUTS = {
    "beside, seg": ("a.nii.gz", "a_seg.nii.gz"),
    "beside, gt": ("a.nii", "a_gt.nii.gz"),
    "masks folder, same name": ("a.nii.gz", "masks/a.nii.gz"),
    "labels folder, with an end": ("a.nii.gz", "labels/a_seg.nii"),
    "images and masks": ("images/a.nii.gz", "masks/a.nii.gz"),
    "one subfolder each": ("a/scan.nii.gz", "a/scan_mask.nii.gz"),
    "subfolder with folders": ("a/images/scan.nii.gz", "a/labels/scan.nii.gz"),
}


@pytest.mark.parametrize(("image", "mask"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_every_layout_finds_the_label_map(tmp_path: Path, image: str, mask: str) -> None:
    write_scan(tmp_path / image, image_of(1))
    write_scan(tmp_path / mask, labels_of(1))
    (case,) = list_cases(tmp_path)
    annotated = read_case(case)
    assert case.patient == annotated.patient == "a"
    assert np.array_equal(annotated.study.cine(View.SAX).array[..., 0], image_of(1))
    assert np.array_equal(annotated.labels[View.SAX].array[..., 0], labels_of(1))
    assert annotated.labelled_frames == {View.SAX: (0,)}


def test_images_of_a_subfolder_are_one_patient_s(tmp_path: Path) -> None:
    for frame in ("frame01", "frame09"):
        write_scan(tmp_path / "p1" / f"{frame}.nii.gz", image_of(1))
        write_scan(tmp_path / "p1" / f"{frame}_gt.nii.gz", labels_of(1))
    write_scan(tmp_path / "p2.nii.gz", image_of(2))
    write_scan(tmp_path / "p2_gt.nii.gz", labels_of(2))
    cases = list_cases(tmp_path)
    assert [case.name for case in cases] == ["p1-frame01", "p1-frame09", "p2"]
    assert [case.patient for case in cases] == ["p1", "p1", "p2"]


def test_a_folder_with_one_subfolder_of_all_studies_is_remarked(tmp_path: Path) -> None:
    for name in ("p1", "p2"):
        write_scan(tmp_path / "lab" / f"{name}.nii.gz", image_of(1))
    (text,) = scan_folder(tmp_path).remarks
    assert "one patient's, 'lab'" in text and "give that subfolder" in text
    assert scan_folder(tmp_path / "lab").remarks == ()


def test_a_missing_case_is_listed_and_stops_nothing(tmp_path: Path) -> None:
    write_scan(tmp_path / "a.nii.gz", image_of(1))
    write_scan(tmp_path / "a_seg.nii.gz", labels_of(1))
    write_scan(tmp_path / "b.nii.gz", image_of(2))
    write_scan(tmp_path / "masks" / "c.nii.gz", labels_of(2))
    write_scan(tmp_path / ".trash" / "d.nii.gz", image_of(3))
    (tmp_path / "notes.txt").write_text("no scan")
    listing = scan_folder(tmp_path)
    assert [(case.name, case.facts.get("part")) for case in listing.cases] == [("a", None), ("b", "unlabelled")]
    assert not read_case(listing.cases[1]).labels
    assert listing.without_mask == ("b.nii.gz",) and listing.without_image == ("masks/c.nii.gz",)


def test_an_image_with_facts_needs_no_label_map(tmp_path: Path) -> None:
    write_scan(tmp_path / "a.nii.gz", image_of(1))
    (tmp_path / "facts.csv").write_text("name,group\na,DCM\n")
    (case,) = list_cases(tmp_path)
    assert "part" not in case.facts and read_case(case).facts["group"] == "DCM"


def test_an_empty_folder_error_states_what_was_expected(tmp_path: Path) -> None:
    write_scan(tmp_path / "masks" / "a.nii.gz", labels_of(1))
    with pytest.raises(InputError, match="holds no image and 1 label maps"):
        list_cases(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        list_cases(tmp_path / "absent")


def test_two_label_maps_of_one_image_are_refused(tmp_path: Path) -> None:
    write_scan(tmp_path / "a.nii.gz", image_of(1))
    for name in ("a_seg.nii.gz", "masks/a.nii.gz"):
        write_scan(tmp_path / name, labels_of(1))
    with pytest.raises(InputError, match=r"two label maps.*expected one"):
        read_case(list_cases(tmp_path)[0])


def test_other_codes_are_translated_and_unknown_ones_refused(tmp_path: Path) -> None:
    write_scan(tmp_path / "a.nii.gz", image_of(1))
    write_scan(tmp_path / "a_seg.nii.gz", np.array([0, 200, 100, 50])[labels_of(1)].astype(np.int16))
    (case,) = list_cases(tmp_path)
    read = read_case(case, codes={200: 1, 100: 2, 50: 3}).labels[View.SAX].array[..., 0]
    assert np.array_equal(read, labels_of(1))
    with pytest.raises(InputError, match="expected the label codes"):
        read_case(case)


def test_only_frames_that_somebody_labelled_count(tmp_path: Path) -> None:
    labels = np.zeros((*SHAPE, 5), np.uint8)
    labels[..., 0], labels[..., 3] = labels_of(0), labels_of(3)
    write_scan(tmp_path / "a.nii.gz", image_of(1, (*SHAPE, 5)))
    write_scan(tmp_path / "a_seg.nii.gz", labels)
    (case,) = list_cases(tmp_path)
    assert read_case(case).labelled_frames == {View.SAX: (0, 3)}


def test_an_empty_label_map_and_one_on_another_grid_are_refused(tmp_path: Path) -> None:
    write_scan(tmp_path / "a.nii.gz", image_of(1))
    write_scan(tmp_path / "a_seg.nii.gz", np.zeros(SHAPE, np.uint8))
    (case,) = list_cases(tmp_path)
    with pytest.raises(InputError, match="'a' are empty"):
        read_case(case)
    write_scan(tmp_path / "a_seg.nii.gz", labels_of(1), (1.5, 1.5, 5.0))
    with pytest.raises(GeometryError, match="has voxels of"):
        read_case(case)


def test_facts_of_a_table_reach_the_case_and_the_subject(tmp_path: Path) -> None:
    write_scan(tmp_path / "a.nii.gz", image_of(1))
    write_scan(tmp_path / "a_seg.nii.gz", labels_of(1))
    (tmp_path / "facts.csv").write_text("name,group,height_cm,sex\na,DCM,171,M\nz,NOR,160,F\n")
    (case,) = list_cases(tmp_path)
    subject = read_case(case).study.subject
    assert case.facts["group"] == "DCM" and (subject.height_cm, subject.sex) == (171.0, "M")
    assert subject.weight_kg is None


def test_an_invalid_fact_stops_its_own_case_only(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_scan(tmp_path / f"{name}.nii.gz", image_of(1))
    (tmp_path / "facts.csv").write_text("name,height_cm\na,tall\nb,180\n")
    bad, good = list_cases(tmp_path)
    assert read_case(good).study.subject.height_cm == 180
    with pytest.raises(InputError, match="a: height_cm is no number"):
        read_case(bad)


def test_two_images_of_one_view_of_one_study_are_refused(tmp_path: Path) -> None:
    for folder in ("", "images/"):
        write_scan(tmp_path / "p" / f"{folder}sax.nii.gz", image_of(1))
        write_scan(tmp_path / "p" / f"{folder}sax_seg.nii.gz", labels_of(1))
    with pytest.raises(InputError, match="two images of one view"):
        read_case(list_cases(tmp_path)[0])


@pytest.mark.medium
def test_a_cohort_of_phantoms_is_such_a_folder(tmp_path: Path) -> None:
    config = CohortConfig(n=1, views=(View.LAX_2C, View.LAX_4C), n_frames=2)
    write_cohort(tmp_path, config)
    (case,) = list_cases(tmp_path)
    annotated = read_case(case)
    assert case.name == annotated.patient == "subject-0000" and case.facts["group"]
    assert set(annotated.labels) == {View.LAX_2C, View.LAX_4C}
    assert annotated.labelled_frames[View.LAX_4C] == (0, 1)
    assert set(np.unique(annotated.labels[View.LAX_4C].array)) == {0, 1, 2, 3, 4, 5}
    assert all(labels.scheme == "chambers" and labels.is_complete for labels in annotated.labels.values())
    assert annotated.study.subject.height_cm == pytest.approx(case.facts["height_cm"])
    truth = json.loads((tmp_path / "subject-0000" / "landmarks.json").read_text())["lax_4c"]
    assert annotated.landmarks[View.LAX_4C].points.keys() == truth.keys()
    name = next(iter(truth))
    assert annotated.landmarks[View.LAX_4C].points[name].shape == (2, 3)


def write_planes(folder: Path, codes: Sequence[int], *, view: str = "lax_4c") -> LabelMap:
    """Write an image of a view with blocks of these codes beside each other, and read its labels."""
    labels = np.zeros((20, 20, 1), np.uint8)
    for k, code in enumerate(codes):
        labels[3 * k : 3 * k + 3, 5:15] = code
    rng = np.random.default_rng(0)
    write_scan(folder / "one" / f"{view}.nii.gz", rng.random(labels.shape).astype(np.float32))
    write_scan(folder / "one" / f"{view}_seg.nii.gz", labels)
    return read_case(list_cases(folder)[0]).labels[View(view)]


@pytest.mark.parametrize(
    ("codes", "view", "scheme", "drawn"),
    [
        ((1, 2, 3), "lax_4c", "cine", ()),
        ((1, 2, 3, 4, 5), "lax_4c", "chambers", ()),
        ((1, 2, 3, 4), "lax_4c", "chambers", ("rv", "myo", "lv", "la")),
        ((2, 3, 4), "lax_2c", "chambers", ()),
    ],
)
def test_atria_count_where_a_long_axis_map_has_them(
    tmp_path: Path, codes: Sequence[int], view: str, scheme: str, drawn: tuple[str, ...]
) -> None:
    """A right atrium that was not drawn is unknown in the 4-chamber view, and none in the 2-chamber view."""
    read = write_planes(tmp_path, codes, view=view)
    assert (read.scheme, read.drawn) == (scheme, drawn)
    assert set(np.unique(read.array)) == {0, *codes}


def test_atria_are_named_in_the_statement_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text('{"codes": {"7": "lv", "9": "la"}}')
    read = write_planes(tmp_path, (7, 9))
    assert (read.scheme, read.drawn) == ("chambers", ("lv", "la")) and set(np.unique(read.array)) == {0, 3, 4}


def test_an_atrium_in_the_short_axis_is_background_if_it_was_stated_and_refused_if_not(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"values \[4\]"):
        write_planes(tmp_path, (3, 4), view="sax")
    (tmp_path / "labels.json").write_text('{"codes": {"3": "lv", "4": "la"}}')
    read = write_planes(tmp_path, (3, 4), view="sax")
    assert (read.scheme, read.drawn) == ("cine", ("lv",)) and set(np.unique(read.array)) == {0, 3}


def test_a_stack_counts_as_unlabelled_where_atria_alone_were_drawn(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text('{"codes": {"4": "la"}}')
    with pytest.raises(KeyError):
        write_planes(tmp_path, (4,), view="sax")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "labels.json").write_text('{"codes": {"4": "la"}}')
    assert write_planes(tmp_path / "other", (4,)).drawn == ("la",)


def test_landmarks_that_are_none_are_named(tmp_path: Path) -> None:
    write_scan(tmp_path / "a" / "sax.nii.gz", image_of(1))
    write_scan(tmp_path / "a" / "sax_seg.nii.gz", labels_of(1))
    (tmp_path / "a" / "landmarks.json").write_text("[1, 2]")
    with pytest.raises(UnreadableFileError, match=r"'a/landmarks.json' cannot be read"):
        read_case(list_cases(tmp_path)[0])


def write_phases(root: Path, name: str, **masks: bool) -> None:
    for seed, (phase, drawn) in enumerate(masks.items()):
        write_scan(root / f"{name}_{phase}.nii.gz", image_of(seed))
        if drawn:
            write_scan(root / f"{name}_{phase}_seg.nii.gz", labels_of(seed))


def test_ed_and_es_in_files_of_their_own_are_one_study_of_two_frames(tmp_path: Path) -> None:
    write_phases(tmp_path, "p0", ES=True, ED=True)
    (tmp_path / "facts.csv").write_text("name,height_cm\np0,170\n")
    (case,) = list_cases(tmp_path)
    annotated = read_case(case)
    assert (case.name, case.patient) == ("p0", "p0")
    assert np.array_equal(annotated.study.cine(View.SAX).array, np.stack([image_of(1), image_of(0)], axis=3))
    assert np.array_equal(annotated.labels[View.SAX].array, np.stack([labels_of(1), labels_of(0)], axis=3))
    assert annotated.labelled_frames == {View.SAX: (0, 1)} and annotated.frame_names == {View.SAX: ("p0_ED", "p0_ES")}
    assert annotated.study.subject.height_cm == 170


def test_an_unlabelled_phase_is_a_frame_without_labels(tmp_path: Path) -> None:
    write_phases(tmp_path, "p0", ED=False, ES=True)
    annotated = read_case(list_cases(tmp_path)[0])
    assert annotated.labelled_frames == {View.SAX: (1,)} and annotated.frame_names == {View.SAX: ("p0_ES",)}


def test_phases_on_other_grids_or_of_many_frames_are_refused(tmp_path: Path) -> None:
    write_phases(tmp_path, "a", ED=True)
    write_scan(tmp_path / "a_ES.nii.gz", image_of(2, (20, 18, 5)))
    for phase in ("ED", "ES"):
        write_scan(tmp_path / f"b_{phase}.nii.gz", image_of(3, (20, 18, 4, 3)))
    a, b = list_cases(tmp_path)
    with pytest.raises(GeometryError, match="a: ED has shape"):
        read_case(a)
    with pytest.raises(InputError, match="b: the ED file has 3 frames"):
        read_case(b)


def test_unused_rows_and_label_maps_are_reported(tmp_path: Path) -> None:
    write_phases(tmp_path, "p0", ED=True, ES=True)
    write_scan(tmp_path / "p9_seg.nii.gz", labels_of(1))
    (tmp_path / "facts.csv").write_text("name,group\np0,DCM\np0_ED,DCM\np7,NOR\n")
    masks, rows = scan_folder(tmp_path).remarks
    assert masks.startswith("1 label maps match no image, e.g. 'p9_seg.nii.gz'")
    assert rows.startswith("2 of 3 rows of the table of facts match no study, e.g. 'p0_ED'")


def test_two_pairs_of_phases_of_one_view_are_refused_and_those_of_two_views_are_not(tmp_path: Path) -> None:
    for name in ("ED", "ES", "sax_ED", "sax_ES"):
        write_scan(tmp_path / "p1" / f"{name}.nii.gz", image_of(1))
    for name in ("sax_ED", "sax_ES", "lax_4c_ED", "lax_4c_ES"):
        write_scan(tmp_path / "p2" / f"{name}.nii.gz", image_of(1))
    twice, apart = list_cases(tmp_path)
    assert twice.problem is not None and "two images of one view" in twice.problem
    assert apart.problem is None
    assert {cine.view: cine.n_frames for cine in read_case(apart).study.cines} == {View.SAX: 2, View.LAX_4C: 2}


@pytest.mark.parametrize("names", [("a.nrrd", "a.seg.nrrd"), ("a.mha", "masks/a.mha"), ("a.nii.gz", "a_seg.nrrd")])
def test_other_formats_are_read_as_the_same_images(tmp_path: Path, names: tuple[str, str]) -> None:
    sitk = pytest.importorskip("SimpleITK")
    for name, array in zip(names, (image_of(1), labels_of(1)), strict=True):
        write_scan(tmp_path / "other" / "one.nii.gz", array)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        sitk.WriteImage(sitk.ReadImage(str(tmp_path / "other" / "one.nii.gz")), str(tmp_path / name))
    (tmp_path / "other" / "one.nii.gz").unlink()
    (case,) = list_cases(tmp_path)
    annotated = read_case(case)
    assert case.name == "a" and np.array_equal(annotated.study[View.SAX].array[..., 0], image_of(1))
    assert np.array_equal(annotated.labels[View.SAX].array[..., 0], labels_of(1))
    moved = sitk.ReadImage(str(tmp_path / names[1]))
    moved.SetOrigin([value + 3.0 for value in moved.GetOrigin()])
    sitk.WriteImage(moved, str(tmp_path / names[1]))
    with pytest.raises(GeometryError, match="mm from its image"):
        read_case(case)


def test_a_subfolder_states_its_own_labels(tmp_path: Path) -> None:
    for name in ("p1", "p2"):
        write_scan(tmp_path / name / "sax.nii.gz", image_of(1))
        write_scan(tmp_path / name / "sax_seg.nii.gz", labels_of(1))
    (tmp_path / "p2" / "labels.json").write_text(json.dumps({"drawn": ["lv"]}))
    assert [case.drawn for case in list_cases(tmp_path)] == [(), ("lv",)]
