"""Datasets of a call: read once, named apart, and divided by what a task requires."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from labelled_hearts import HEARTS, of
from oracles import cine_of, heart

from cinema_cmr.bench.data import BenchDataset, read_datasets
from cinema_cmr.bench.tasks import TASKS
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import Split, write_split
from cinema_cmr.io.nifti.image import write_cine, write_mask


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten labelled patients."""
    folder = tmp_path_factory.mktemp("lab")
    for number in range(10):
        labels = heart((10.0 + 0.2 * number,), n_slices=3)
        write_cine(cine_of(labels), folder / f"p{number}.nii.gz")
        write_mask(labels, cine_of(labels), folder / f"p{number}_seg.nii.gz")
    return folder


def test_datasets_are_named_apart_and_unreadable_ones_have_a_reason(lab: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    sources = [str(lab), f"folder:{lab}", str(tmp_path / "nowhere")]
    read = read_datasets(sources, tmp_path, split=None, part="validation", note=notes.append)
    assert [its.name for its in read] == [lab.name, f"{lab.name}-2", "nowhere"]
    assert read[2].dataset is None and "nowhere" in read[2].reason and "left out: nowhere" in notes[-1]
    assert (tmp_path / "splits" / lab.name / "split.json").exists()
    with pytest.raises(UsageError, match="one --split for 2 datasets"):
        read_datasets(sources[:2], tmp_path, split=tmp_path / "s.json", part="validation", note=notes.append)


def test_a_task_takes_the_studies_that_fit_or_says_why_not(lab: Path, tmp_path: Path) -> None:
    (read,) = read_datasets([str(lab)], tmp_path, split=None, part="validation", note=lambda text: None)
    assert read.dataset is not None
    fitting, why = read.dataset.fitting(TASKS["segment-sax"])
    assert why is None and len(fitting.data.train) + len(fitting.data.val) == 10
    whole, why = read.dataset.fitting(TASKS["vendor"])
    assert whole is read.dataset and why == "training patients with vendor: 0; at least 2 are needed"


def test_with_patience_the_validation_part_chooses_and_another_is_scored(lab: Path, tmp_path: Path) -> None:
    split = tmp_path / "split.json"
    parts = {"train": [f"p{n}" for n in range(6)], "validation": ["p6", "p7"], "test": ["p8", "p9"]}
    write_split(Split(dataset="folder", parts={name: tuple(its) for name, its in parts.items()}, rule="by hand"), split)
    call = {"split": split, "note": lambda text: None, "with_choosing": True}
    (read,) = read_datasets([str(lab)], tmp_path / "out", part="test", **call)  # type: ignore[arg-type]
    assert read.dataset is not None
    fitting, _ = read.dataset.fitting(TASKS["segment-sax"])
    assert [study.patient for study in fitting.choosing] == ["p6", "p7"]
    assert [study.patient for study in fitting.data.val] == ["p8", "p9"] and len(fitting.data.train) == 6
    few = fitting.select(fitting.data.train[:2], fitting.data.val)
    assert few.choosing == fitting.choosing
    with pytest.raises(
        UsageError, match="on which the weights are chosen; expected another part to score: --part test"
    ):
        read_datasets([str(lab)], tmp_path / "out", part="validation", **call)  # type: ignore[arg-type]


def test_training_patients_can_be_set_apart_to_choose_by(lab: Path, tmp_path: Path) -> None:
    call = {"split": None, "note": lambda text: None, "with_choosing": True, "part": "validation"}
    (read,) = read_datasets([str(lab)], tmp_path, choose_by=3, **call)  # type: ignore[arg-type]
    assert read.dataset is not None and len(read.dataset.data.train) == 8
    fitting, why = read.dataset.fitting(TASKS["segment-sax"])
    assert why is None and fitting.choose_by == 0
    train, val, choosing = (
        {study.patient for study in its} for its in (fitting.data.train, fitting.data.val, fitting.choosing)
    )
    assert (len(train), len(val), len(choosing)) == (5, 2, 3) and len(train | val | choosing) == 10
    assert set(fitting.data.split["choosing"]) == choosing and set(fitting.data.split["train"]) == train
    assert fitting.data.split.rule.endswith("; 3 of 8 training patients to choose by, stratified by group, seed 0")
    assert read.dataset.data.split["validation"] == fitting.data.split["validation"]
    again, _ = read.dataset.fitting(TASKS["segment-sax"])
    assert again.data.split == fitting.data.split
    for n, error in ((8, "8 of 8 training patients to choose by; expected at most 7"), (30, "30 of 8")):
        (read,) = read_datasets([str(lab)], tmp_path, choose_by=n, **call)  # type: ignore[arg-type]
        assert read.dataset is not None
        with pytest.raises(UsageError, match=error):
            read.dataset.fitting(TASKS["segment-sax"])
    (read,) = read_datasets([str(lab)], tmp_path, choose_by=7, **call)  # type: ignore[arg-type]
    assert read.dataset is not None
    _, why = read.dataset.fitting(TASKS["segment-sax"])
    assert why is not None and why.endswith("1; at least 2 are needed, beside the 7 set apart to choose by")


def test_those_set_apart_are_of_each_group() -> None:
    dataset = BenchDataset(name="d", data=of(HEARTS), choose_by=2)
    assert [study.facts["group"] for study in dataset.data.train] == ["NOR", "DCM"] * 2
    apart = dataset.set_apart()
    assert sorted(str(study.facts["group"]) for study in apart.choosing) == ["DCM", "NOR"]
    assert sorted(apart.groups.values()) == ["DCM", "NOR"]
    with pytest.raises(UsageError, match="has a part 'choosing' already"):
        replace(apart, choose_by=1).set_apart()


def test_a_dataset_of_which_one_structure_was_drawn_makes_the_curve_of_that_one(lab: Path, tmp_path: Path) -> None:
    (read,) = read_datasets([str(lab)], tmp_path / "out", part="validation", split=None, note=lambda text: None)
    assert read.dataset is not None
    whole = read.dataset.data
    drawn = [replace(study, labels={View.SAX: replace(study.labels[View.SAX], drawn=("lv",))}) for study in whole.train]
    only, why = read.dataset.select(drawn[:3], drawn[3:5]).fitting(TASKS["segment-sax"])
    assert why is None and (len(only.data.train), len(only.data.val)) == (3, 2)
    _, why = read.dataset.select(drawn, whole.val).fitting(TASKS["segment-sax"])
    assert why is not None and "training patients" in why, "where some are drawn whole, they alone count"
