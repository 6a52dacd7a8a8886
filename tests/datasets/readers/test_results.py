"""Results folders as a dataset: only frames that a reader corrected are labelled; errors name the way out."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from results_trees import results_tree
from trees import cine_of, labels_of_heart, save_nifti

from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.datasets.readers import folder, results
from cinema_cmr.datasets.reading import LabelledSource, find_cases, open_training_data


def test_only_the_corrected_frame_has_labels(tmp_path: Path) -> None:
    root = results_tree(tmp_path).root
    annotated = results.read_case(results.list_cases(root)[0])
    labels = annotated.labels[View.SAX].array
    assert annotated.labelled_frames == {View.SAX: (1,)} and not labels[..., 0].any()
    np.testing.assert_array_equal(labels[..., 1], labels_of_heart(View.SAX)[..., 1])
    every = results.read_case(results.list_cases(root)[0], every_frame=True)
    assert every.labelled_frames == {View.SAX: (0, 1)}


def test_a_long_axis_mask_may_have_atria(tmp_path: Path) -> None:
    root = results_tree(tmp_path).root
    plane = labels_of_heart(View.LAX_4C)
    plane = np.where(plane > 3, 0, plane).astype(np.uint8)
    chambers = plane.copy()
    chambers[:2, :2, :, 0] = 4
    chambers[-2:, :2, :, 0] = 5
    cine = cine_of(View.LAX_4C)
    save_nifti(root / "a" / "images" / "lax_4c.nii.gz", cine.array, cine)
    save_nifti(root / "a" / "segmentation" / "original" / "lax_4c.nii.gz", plane, cine)
    for mask, scheme in ((plane, "cine"), (chambers, "chambers")):
        save_nifti(root / "a" / "segmentation" / "lax_4c.nii.gz", mask, cine)
        every = results.read_case(results.list_cases(root)[0], every_frame=True)
        assert (every.labels[View.LAX_4C].scheme, every.labels[View.SAX].scheme) == (scheme, "cine")
        np.testing.assert_array_equal(every.labels[View.LAX_4C].array, mask)
    corrected = results.read_case(results.list_cases(root)[0])
    assert corrected.labels[View.LAX_4C].scheme == "chambers" and corrected.labelled_frames[View.LAX_4C] == (0,)


def test_a_short_axis_has_no_atria(tmp_path: Path) -> None:
    root = results_tree(tmp_path).root
    wrong = np.where(labels_of_heart(View.SAX) == 3, 4, 0).astype(np.uint8)
    save_nifti(root / "a" / "segmentation" / "sax.nii.gz", wrong, cine_of(View.SAX))
    with pytest.raises(InputError, match=r"holds the values \[4\]"):
        results.read_case(results.list_cases(root)[0])


def test_one_folder_or_many_without_a_name_are_read_as_results(tmp_path: Path) -> None:
    root = results_tree(tmp_path).root
    shutil.rmtree(root / "b")
    for data, name in ((root, "a"), (root / "a", "a")):
        dataset, cases = find_cases(str(data))
        assert (dataset.card.name, [case.name for case in cases]) == ("results", [name])
    notes: list[str] = []
    data = open_training_data(LabelledSource(data=f"results:{root}"), note=notes.append)
    assert [one.labelled_frames for one in (*data.train, *data.val)] == [{View.SAX: (1,)}]


def test_results_beside_other_images_are_left_out_with_a_remark(tmp_path: Path) -> None:
    root = results_tree(tmp_path).root
    shutil.copy(root / "a" / "images" / "sax.nii.gz", root / "p1.nii.gz")
    dataset, cases = find_cases(str(root))
    assert dataset.card.name == "folder" and [case.name for case in cases] == ["p1"]
    assert any("2 results folders" in remark for remark in folder.remarks(root))


def test_nothing_corrected_is_an_error_that_names_both_ways_out(tmp_path: Path) -> None:
    root = results_tree(tmp_path).root
    for name in ("a", "b"):
        shutil.copy(root / name / "segmentation" / "original" / "sax.nii.gz", root / name / "segmentation")
    with pytest.raises(InputError, match=r"no mask of the 2 results .*`cinema remeasure .*results_all:"):
        results.list_cases(root)
    cases = results.list_cases(root, every_frame=True)
    assert [case.facts.get("part") for case in cases] == [None, None]


def test_one_study_without_a_correction_is_unlabelled(tmp_path: Path) -> None:
    root = results_tree(tmp_path).root
    shutil.copy(root / "b" / "segmentation" / "original" / "sax.nii.gz", root / "b" / "segmentation")
    by_name = {case.name: case for case in results.list_cases(root)}
    assert by_name["b"].facts["part"] == "unlabelled" and not results.read_case(by_name["b"]).labels


def test_results_without_images_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    root = results_tree(tmp_path).root
    shutil.rmtree(root / "a" / "images")
    with pytest.raises(InputError, match="analyse the study again with --images"):
        results.read_case(results.list_cases(root)[0])
    (root / "a" / "measurements.json").write_text("[]")
    with pytest.raises(UnreadableFileError, match=r"'a/measurements\.json' cannot be read"):
        results.list_cases(root)
