"""Studies are ordered by what they stand for and by doubt; what cannot be judged is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracles import cine_of, heart

from cinema_cmr.core.errors import CinemaError, InputError, UsageError
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.pipeline.ranking import rank


@pytest.fixture(scope="module")
def hearts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three large hearts and a small one."""
    folder = tmp_path_factory.mktemp("hearts")
    paths = []
    for number, radius in enumerate((20.0, 20.5, 21.0, 8.0)):
        path = folder / f"p{number}_sax.nii.gz"
        write_cine(cine_of(heart((radius, 0.7 * radius), n_slices=3)), path)
        paths.append(path)
    return paths


@pytest.mark.medium
def test_every_study_has_a_place_and_the_order_for_few_begins_it(hearts: list[Path]) -> None:
    order = rank(hearts[:3])
    assert [one.rank for one in order] == [1, 2, 3]
    assert {one.name for one in order} == {f"p{number}_sax" for number in range(3)}
    assert all(one.confidence is not None and 0 <= one.confidence <= 1 for one in order)
    assert sum(one.gain for one in order) == pytest.approx(1)


@pytest.mark.medium
def test_labelled_studies_stand_for_theirs(hearts: list[Path]) -> None:
    order = rank(hearts, model=None)
    first = order[0]
    assert rank(hearts, model=None, n=2) == order[:2]
    assert first.confidence is None and first.name in {f"p{number}_sax" for number in range(3)}
    others = rank(hearts[2:], model=None, labelled=hearts[:1])
    assert [one.name for one in others] == ["p3_sax", "p2_sax"]


def test_what_cannot_be_judged_is_named_and_the_others_are_ordered(hearts: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken_sax.nii.gz"
    broken.write_bytes(b"no image")
    failed: list[str] = []
    done: list[tuple[int, int]] = []
    order = rank(
        [broken, *hearts[:2]],
        model=None,
        failed=lambda name, error: failed.append(name),
        report=lambda n, total: done.append((n, total)),
    )
    assert failed == ["broken_sax"] and len(order) == 2 and done == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(CinemaError, match="broken_sax"):
        rank([broken], model=None)
    with pytest.raises(InputError, match="none of 1 studies"):
        rank([broken], model=None, failed=lambda name, error: None)


def test_a_study_twice_is_refused(hearts: list[Path]) -> None:
    with pytest.raises(UsageError, match="given twice"):
        rank(hearts[:2], labelled=hearts[:1], model=None)


def test_studies_of_a_table_have_its_names_and_the_order_is_written(hearts: list[Path], tmp_path: Path) -> None:
    table = tmp_path / "studies.csv"
    table.write_text("path,id\n" + "".join(f"{path},case-{n}\n" for n, path in enumerate(hearts[1:3])))
    order = rank(hearts[:1], manifest=table, model=None)
    assert {one.name for one in order} == {"p0_sax", "case-0", "case-1"}
    order.write(tmp_path / "next.csv")
    written = (tmp_path / "next.csv").read_text().splitlines()
    assert written[0] == "rank,name,path,gain,confidence" and len(written) == 4
    assert order._repr_html_().count("<tr>") == 4
    with pytest.raises(UsageError, match="no study to order"):
        rank(model=None)
