"""labels.json: codes by structure, what was drawn, and what is wrong with a file said plainly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scans import image_of, labels_of, write_scan

from cinema_cmr.core.errors import CinemaError, UnreadableFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.datasets.label_statement import LABELS_FILE, LabelStatement, read_label_statement
from cinema_cmr.datasets.readers.folder import list_cases, read_case


def write(folder: Path, **values: object) -> Path:
    (folder / LABELS_FILE).write_text(json.dumps(values))
    return folder


def test_without_the_file_our_codes_hold_and_all_is_drawn(tmp_path: Path) -> None:
    statement = read_label_statement(tmp_path)
    assert statement == LabelStatement() and not statement.file_codes and not statement.structures


def test_codes_name_the_structures_and_thereby_what_was_drawn(tmp_path: Path) -> None:
    statement = read_label_statement(write(tmp_path, codes={"1": "lv", "2": "myo", "3": "rv"}))
    assert statement.file_codes == {1: 3, 2: 2, 3: 1} and not statement.structures
    cavity = read_label_statement(write(tmp_path, codes={"255": "lv"}))
    assert cavity.file_codes == {255: 3} and cavity.structures == ("lv",)
    assert read_label_statement(write(tmp_path, drawn=["lv", "myo"])).structures == ("myo", "lv")


def test_what_is_no_structure_of_ours_is_background_and_capitals_do_not_count(tmp_path: Path) -> None:
    statement = read_label_statement(
        write(tmp_path, codes={"1": "LV", "2": "Myo", "4": "background", "5": "Background"})
    )
    assert statement.file_codes == {1: 3, 2: 2, 4: 0, 5: 0} and statement.structures == ("myo", "lv")
    assert LabelStatement().with_codes(["1=RV", "9=background"]).structures == ("rv",)
    labels = np.choose(labels_of(0), [9, 1, 2, 4]).astype(np.uint8)
    write_scan(tmp_path / "a.nii.gz", image_of(1))
    write_scan(tmp_path / "a_seg.nii.gz", labels)
    write(tmp_path, codes={"1": "rv", "2": "myo", "4": "lv", "9": "background"})
    read = read_case(list_cases(tmp_path)[0]).labels[View.SAX]
    assert np.array_equal(read.array[..., 0], labels_of(0)) and not read.drawn


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"codes": {"lv": 1}}, "expected the code first"),
        ({"drawn": ["background"]}, "structure 'background'"),
        ({"codes": {"1": "aorta"}}, "structure 'aorta'"),
        ({"codes": {"one": "lv"}}, "whole numbers"),
        ({"codes": {"1": "lv"}, "drawn": ["myo"]}, "have no code"),
        ({"code": {}}, "code"),
        ({"empty_slices": "maybe"}, "empty_slices"),
    ],
)
def test_a_statement_that_cannot_be_meant_is_refused(tmp_path: Path, values: dict[str, object], message: str) -> None:
    with pytest.raises(CinemaError, match=message):
        read_label_statement(write(tmp_path, **values))


def test_a_file_that_is_not_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / LABELS_FILE).write_text("lv only")
    with pytest.raises(UnreadableFileError, match=r"labels\.json' is not JSON"):
        read_label_statement(tmp_path)


def test_masks_of_a_folder_are_read_as_stated(tmp_path: Path) -> None:
    """Foreign codes, the cavity and the wall drawn, the last slice not looked at."""
    labels = np.choose(labels_of(0), [0, 0, 2, 1])
    labels[..., -1] = 0
    write_scan(tmp_path / "a.nii.gz", image_of(0))
    write_scan(tmp_path / "a_seg.nii.gz", labels.astype(np.uint8))
    write(tmp_path, codes={"1": "lv", "2": "myo"}, empty_slices="unknown")
    label_map = read_case(list_cases(tmp_path)[0]).labels[View.SAX]
    assert label_map.drawn == ("myo", "lv") and label_map.drawn_slices is not None
    assert label_map.drawn_slices[:, 0].tolist() == [True, True, True, False]
    assert ((label_map.array[..., 0] == 3) == (labels == 1)).all()
