"""Cases, splits and studies of `NAME:FOLDER`: chosen by patient, in the order of the split, never redrawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scans import image_of, labels_of, write_scan

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy, Split, read_split, write_split
from cinema_cmr.data.training_set import TrainingData
from cinema_cmr.datasets.check import check_cases
from cinema_cmr.datasets.reading import (
    SPLIT_FILE,
    LabelledSource,
    _read_cycles,
    find_cases,
    find_split,
    open_training_data,
    read_cases,
    read_patients,
    write_run_split,
)
from cinema_cmr.io.nifti.image import read_nifti_cine

NAMES = ("a", "b", "c", "d", "e")
GROUPS = {"a": "NOR", "b": "DCM", "c": "NOR", "d": "DCM", "e": "NOR"}
SPLIT = Split(dataset="folder", parts={"train": ("a", "b", "c"), "validation": ("d",), "test": ("e",)}, rule="by hand")


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five patients in two groups; the fifth has no label map."""
    folder = tmp_path_factory.mktemp("scans")
    for number, name in enumerate(NAMES):
        write_scan(folder / f"{name}.nii.gz", image_of(number))
        if name != "e":
            write_scan(folder / f"{name}_seg.nii.gz", labels_of(number))
    (folder / "facts.csv").write_text("name,group\n" + "".join(f"{name},{group}\n" for name, group in GROUPS.items()))
    return folder


def patients_of(studies: list[AnnotatedStudy]) -> list[str]:
    return [annotated.patient for annotated in studies]


def opened(scans: Path, folder: Path, split: Split = SPLIT, **source: object) -> TrainingData[AnnotatedStudy]:
    file = folder / "given.json"
    write_split(split, file)
    return open_training_data(LabelledSource(data=str(scans), split=file, **source))  # type: ignore[arg-type]


@pytest.mark.parametrize("prefix", ["", "folder:"])
def test_cases_of_a_folder_are_found_with_or_without_a_name(scans: Path, prefix: str) -> None:
    dataset, cases = find_cases(f"{prefix}{scans}")
    assert dataset.card.name == "folder" and [case.name for case in cases] == list(NAMES)


def test_folder_with_a_colon_in_its_name_is_found(tmp_path: Path) -> None:
    write_scan(tmp_path / "visit:1" / "a.nii.gz", image_of(1))
    _, cases = find_cases(f"{tmp_path}/visit:1")
    assert [case.name for case in cases] == ["a"]


def test_missing_folder_and_unknown_dataset_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'none' is no folder; expected the folder of the dataset 'acdc'"):
        find_cases(f"acdc:{tmp_path}/none")
    with pytest.raises(UsageError, match="did you mean 'acdc'"):
        find_cases(f"adcd:{tmp_path}")


def test_remarks_on_unused_files_are_noted(tmp_path: Path) -> None:
    write_scan(tmp_path / "a.nii.gz", image_of(1))
    write_scan(tmp_path / "masks" / "z.nii.gz", labels_of(1))
    notes: list[str] = []
    find_cases(str(tmp_path), note=notes.append)
    assert any("z.nii.gz" in note for note in notes)


def test_split_of_a_file_is_returned_and_its_patients_checked(scans: Path, tmp_path: Path) -> None:
    dataset, cases = find_cases(str(scans))
    write_split(SPLIT, tmp_path / "split.json")
    assert find_split(tmp_path / "split.json", dataset, cases) == SPLIT
    with pytest.raises(InputError, match="not in the data"):
        find_split(tmp_path / "split.json", dataset, cases[:2])


def test_drawn_split_covers_all_patients_once(scans: Path) -> None:
    dataset, cases = find_cases(str(scans))
    drawn = find_split(None, dataset, cases)
    listed = [patient for part in ("train", "validation") for patient in drawn[part]]
    assert sorted(listed) == list(NAMES)
    assert find_split(None, dataset, list(reversed(cases))) == drawn


def test_a_subset_of_a_dataset_keeps_its_parts_and_is_noted(scans: Path) -> None:
    dataset, cases = find_cases(str(scans))
    notes: list[str] = []
    named = replace(dataset, split=lambda: replace(SPLIT, parts={"train": ("a", "x", "y"), "validation": ("b",)}))
    split = find_split(None, named, cases, note=notes.append)
    assert split.parts == {"train": ("a",), "validation": ("b",)}
    assert notes == ["2 of 4 patients of the split of 'folder' are in the data: they are used, each in its part"]
    empty = replace(dataset, split=lambda: replace(SPLIT, parts={"train": ("x", "y"), "validation": ("b",)}))
    drawn = find_split(None, empty, cases, note=notes.append)
    assert sorted(name for names in drawn.parts.values() for name in names) == sorted({case.patient for case in cases})
    assert "training and validation are drawn from those that are there" in notes[-1]


def test_studies_are_in_the_order_of_the_patients(scans: Path) -> None:
    dataset, cases = find_cases(str(scans))
    studies = read_patients(dataset, cases, ["c", "a"])
    assert patients_of(studies) == ["c", "a"]
    for annotated, number in zip(studies, (2, 0), strict=True):
        assert np.array_equal(annotated.study.cine(View.SAX).array[..., 0], image_of(number))
        assert np.array_equal(annotated.labels[View.SAX].array[..., 0], labels_of(number))


def test_studies_without_labels_are_left_out_with_a_note(scans: Path) -> None:
    dataset, cases = find_cases(str(scans))
    notes: list[str] = []
    assert patients_of(list(read_cases(dataset, cases, {"d", "e"}, note=notes.append))) == ["d"]
    assert [note for note in notes if note.startswith("left")] == ["left out: e: it has no masks and no landmarks"]
    assert any("check: d: the short axis masks may not lie on the heart" in note for note in notes), "noise as image"
    assert patients_of(list(read_cases(dataset, cases, {"d", "e"}, labelled_only=False))) == ["d", "e"]


def test_broken_case_is_left_out_with_its_reason(tmp_path: Path) -> None:
    for number, name in enumerate("ab"):
        write_scan(tmp_path / f"{name}.nii.gz", image_of(number))
        write_scan(tmp_path / f"{name}_seg.nii.gz", labels_of(number))
    (tmp_path / "a.nii.gz").write_bytes(b"torn")
    notes: list[str] = []
    dataset, cases = find_cases(str(tmp_path))
    assert patients_of(list(read_cases(dataset, cases, "ab", note=notes.append))) == ["b"]
    (note,) = (note for note in notes if note.startswith("left out"))
    assert note.startswith("left out: a: ") and "a.nii.gz" in note


def test_training_data_are_the_parts_of_the_split(scans: Path, tmp_path: Path) -> None:
    data = opened(scans, tmp_path)
    assert (patients_of(list(data.train)), patients_of(list(data.val))) == (["a", "b", "c"], ["d"])
    assert data.split == SPLIT and data.source == {"data": str(scans), "n_train": None}
    held_out = opened(scans, tmp_path, val_part="test", labelled_only=False).val
    assert patients_of(list(held_out)) == ["e"]


@pytest.mark.parametrize("seed", range(4))
def test_small_training_sets_have_all_groups_and_are_nested(scans: Path, tmp_path: Path, seed: int) -> None:
    one, two = (patients_of(list(opened(scans, tmp_path, n_train=n, seed=seed).train)) for n in (1, 2))
    assert two[: len(one)] == one and {GROUPS[patient] for patient in two} == {"NOR", "DCM"}


def test_split_of_a_run_is_written_and_kept(scans: Path, tmp_path: Path) -> None:
    source = LabelledSource(data=str(scans))
    first = open_training_data(source, tmp_path)
    assert read_split(tmp_path / SPLIT_FILE) == first.split
    other = replace(SPLIT, parts={"train": ("a",), "validation": ("b",)})
    write_split(other, tmp_path / SPLIT_FILE)
    notes: list[str] = []
    assert open_training_data(source, tmp_path, note=notes.append).split == other
    assert any("3 patients, e.g. c, are in no part of this run's split.json" in note for note in notes)


def test_run_with_another_split_is_refused(scans: Path, tmp_path: Path) -> None:
    write_split(SPLIT, tmp_path / SPLIT_FILE)
    write_split(replace(SPLIT, parts={"train": ("a",), "validation": ("b",)}), tmp_path / "other.json")
    source = LabelledSource(data=str(scans), split=tmp_path / "other.json")
    with pytest.raises(UsageError, match=r"the run has a split\.json that differs from --split"):
        open_training_data(source, tmp_path)
    assert read_split(tmp_path / SPLIT_FILE) == SPLIT


def test_whole_cycles_of_training_patients_are_added_without_labels(tmp_path: Path) -> None:
    for number in (1, 2):
        write_scan(tmp_path / f"p{number}.nii.gz", image_of(number, (*image_of(1).shape, 2)))
    notes: list[str] = []
    cine, _ = read_nifti_cine(tmp_path / "p1.nii.gz")
    dataset, cases = find_cases(str(tmp_path))
    cycle = Study(name="p1", cines=(cine.with_array(np.repeat(cine.array, 4, axis=3)),))
    cyclic = replace(dataset, read_cycle=lambda case: cycle if case.name == "p1" else dataset.read_case(case).study)
    (added,) = _read_cycles(cyclic, cases, ["p1", "p2"], notes.append)
    assert added.patient == "p1" and added.study.name == "p1 cycle" and not added.labels
    assert notes == ["no whole cycle of p2 was found"]
    assert not list(_read_cycles(dataset, cases, ["p1"], notes.append))


def test_the_split_of_a_run_is_kept_and_another_one_refused(tmp_path: Path) -> None:
    write_run_split(SPLIT, tmp_path)
    write_run_split(SPLIT, tmp_path)
    with pytest.raises(UsageError, match="differs"):
        write_run_split(replace(SPLIT, parts={"train": ("a",)}), tmp_path)


def test_images_under_two_names_are_noted_on_both_sides_of_a_split(tmp_path: Path) -> None:
    for name, number in (("a", 0), ("b", 1), ("d", 0)):
        write_scan(tmp_path / "scans" / f"{name}.nii.gz", image_of(number))
        write_scan(tmp_path / "scans" / f"{name}_seg.nii.gz", labels_of(number))
    split = replace(SPLIT, parts={"train": ("a", "b"), "validation": ("d",)})
    write_split(split, tmp_path / "given.json")
    notes: list[str] = []
    open_training_data(LabelledSource(data=str(tmp_path / "scans"), split=tmp_path / "given.json"), note=notes.append)
    assert [note.partition(":")[0] for note in notes if "too:" in note] == ["check"]
    assert any(note.startswith("check: d: its images are those of a too:") for note in notes)
    dataset, cases = find_cases(str(tmp_path / "scans"))
    remarks = {one.name: one.remarks for one in check_cases(dataset, cases)}
    assert any("those of a too" in remark for remark in remarks["d"])
    assert not any("too:" in remark for name in "ab" for remark in remarks[name])
