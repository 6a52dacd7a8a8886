"""M&Ms-2 as it is laid out, with what is irregular in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import N_FRAMES, labels_of_heart, lv_ml, mnms2_tree

from cinema_cmr.core.errors import MissingFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.datasets.readers.mnms2 import DATASET, list_cases, read_case


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return mnms2_tree(tmp_path).root


def test_both_views_have_their_labels_in_our_codes(root: Path) -> None:
    annotated = read_case(list_cases(root)[0])
    assert annotated.labelled_frames == {View.SAX: (0, 1), View.LAX_4C: (0, 1)}
    for view, labels in annotated.labels.items():
        cine = annotated.study.cine(view)
        assert lv_ml(labels.array, cine) == pytest.approx(lv_ml(labels_of_heart(view), cine), rel=1e-3)


def test_the_parts_go_by_number_and_empty_rows_of_the_table_by_nothing(root: Path) -> None:
    cases = list_cases(root)
    assert [(case.name, case.facts["part"]) for case in cases] == [("001", "train"), ("161", "validation")]
    assert DATASET.predefined_split(cases) is not None


def test_an_absent_view_is_an_issue_and_an_absent_case_is_missing(root: Path) -> None:
    case = list_cases(root)[0]
    for path in case.folder.glob("001_LA_*"):
        path.unlink()
    annotated = read_case(case)
    assert set(annotated.labels) == {View.SAX} and "view-absent" in [i.code for i in annotated.study.issues]
    for path in case.folder.glob("001_SA_E*"):
        path.unlink()
    with pytest.raises(MissingFileError, match="'001' has no images"):
        read_case(case)
    assert DATASET.study(case).cine(View.SAX).n_frames == N_FRAMES


def test_the_whole_cycle_is_read_without_labels(root: Path) -> None:
    study = DATASET.study(list_cases(root)[1])
    assert [(cine.view, cine.n_frames) for cine in study.cines] == [(View.SAX, N_FRAMES), (View.LAX_4C, N_FRAMES)]
