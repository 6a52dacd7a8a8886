"""Masks of the Data Science Bowl: the cavity alone was drawn, volumes are facts, every tenth case is held out."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.datasets.readers.kaggle import DATASET, list_cases, read_case

SHAPE = (12, 10, 4)


def write(path: Path, array: np.ndarray, spacing: float) -> None:  # type: ignore[type-arg]
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array.astype(np.uint8), np.diag([-1.0, -1.0, spacing, 1.0])), path)


def write_stack(folder: Path, case: str, code: int = 3) -> None:
    for number, phase in enumerate("ab"):
        image = np.random.default_rng(number).integers(0, 255, SHAPE)
        mask = np.zeros(SHAPE)
        mask[3 : 8 - number, 3:7, 1:3] = code
        write(folder / f"{case}_{phase}.nii.gz", image, 10.0)
        write(folder / f"{case}_{phase}_seg.nii.gz", mask, 10.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stack and a plane of case 12, a stack of case 20; locations whose gaps were cut towards zero."""
    folder = tmp_path_factory.mktemp("masks")
    for case in ("0012", "0020"):
        write_stack(folder / "kaggle_sax", case)
    (folder / "kaggle_sax" / "facts.csv").write_text(
        "study,edv_ml,esv_ml,slice_locations_mm\n0012,200.0,80.0,-10 0 9 19\n0020,100,40,3 13 33 43\n"
    )
    for frame in ("01", "11"):
        plane = folder / "kaggle_4c" / f"0012_{frame}_lax_4c.nii.gz"
        write(plane, np.arange(81).reshape(9, 9, 1), 8.0)
        mask = np.zeros((9, 9, 1))
        mask[2:6, 2:6] = 3
        write(plane.with_name(f"0012_{frame}_lax_4c_seg.nii.gz"), mask, 8.0)
    return folder


def test_every_tenth_case_is_held_out_and_volumes_are_facts(root: Path) -> None:
    cases = list_cases(root)
    split = DATASET.predefined_split(cases)
    assert split is not None and split.parts == {"train": ("0012",), "validation": ("0020",)}
    assert cases[0].facts["lv_ef_percent"] == pytest.approx(60) and cases[1].facts["lv_edv_ml"] == 100


def test_both_frames_of_each_view_are_read_and_only_the_cavity_counts_as_drawn(root: Path) -> None:
    annotated = read_case(list_cases(root)[0])
    assert [cine.view for cine in annotated.study.cines] == [View.LAX_4C, View.SAX]
    assert not any(cine.orientation_known for cine in annotated.study.cines)
    assert annotated.labelled_frames == {View.SAX: (0, 1), View.LAX_4C: (0, 1)}
    assert all(labels.drawn == ("lv",) and not labels.is_complete for labels in annotated.labels.values())
    counts = (annotated.labels[View.SAX].array == 3).sum(axis=(0, 1, 2))
    assert counts.tolist() == [5 * 4 * 2, 4 * 4 * 2]
    assert "slice_locations_mm" not in annotated.facts and annotated.facts["lv_esv_ml"] == 80


def test_slices_lie_where_the_table_has_them_less_the_cut_at_zero(root: Path) -> None:
    cut, gap = (read_case(case).study.cine(View.SAX).slice_positions_mm for case in list_cases(root))
    assert cut.tolist() == [0, 10, 20, 30] and gap.tolist() == [0, 10, 30, 40]


def test_other_codes_and_locations_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    write_stack(tmp_path, "0001", code=1)
    with pytest.raises(InputError, match="code"):
        read_case(list_cases(tmp_path)[0])
    write_stack(tmp_path, "0001")
    (tmp_path / "facts.csv").write_text("study,edv_ml,esv_ml,slice_locations_mm\n0001,200,80,0 10 5 20\n")
    with pytest.raises(InputError, match="slice locations"):
        read_case(list_cases(tmp_path)[0])
