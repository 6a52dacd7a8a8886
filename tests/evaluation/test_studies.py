"""Which studies of a dataset a model is scored on: the held-out patients of its own run where there is one."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from oracles import cine_of, heart, segmenter

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import UsageError
from cinema_cmr.data.cases import Split, write_split
from cinema_cmr.evaluation.studies import StudySource
from cinema_cmr.io.nifti.image import write_cine, write_mask


def write_study(folder: Path, view: str, radius: float) -> None:
    """The images of a view, of a heart of its own size, with a mask beside them."""
    labels = heart((radius, radius - 5.0), n_slices=4)
    write_cine(cine_of(labels), folder / f"{view}.nii.gz")
    write_mask(labels, cine_of(labels), folder / f"{view}_seg.nii.gz")


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Two studies with short-axis masks, and one that has a mask of its 4-chamber plane alone."""
    for number in range(2):
        write_study(tmp_path / "lab" / f"p{number}", "sax", 15.0 + number)
    write_study(tmp_path / "lab" / "planes", "lax_4c", 18.0)
    return tmp_path / "lab"


CARD = segmenter().card
SPLIT = Split(dataset="folder", parts={"train": ("p0", "planes"), "validation": ("p1",)}, rule="by hand")


def run_of(folder: Path, split: Split) -> Path:
    """The model's folder of a run that learned with this split."""
    (folder / "model").mkdir(parents=True)
    write_split(split, folder / "split.json")
    return folder / "model"


def part_of(lab: Path, model: Path | str, card: ModelCard | None = CARD, **changes: Any) -> list[str]:
    source = StudySource(data=str(lab), model=str(model), **changes)
    name, studies = source.read(card, note=lambda text: print(text, file=sys.stderr))
    assert name == "folder"
    return [study.patient for study in studies]


def test_the_split_of_the_model_s_run_is_taken_and_told(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = run_of(tmp_path / "run", SPLIT)
    for place in (model, model / "card.json"):
        place.touch()
        assert part_of(lab, place) == ["p1"]
        assert capsys.readouterr().err == "split: of the run beside the model\n"
    known = replace(CARD, training={"split_sha256": SPLIT.sha256})
    assert part_of(lab, model, known, part="train") == ["p0", "planes"]
    monkeypatch.chdir(model)
    assert part_of(lab, ".") == ["p1"]


def test_what_the_user_gives_wins_over_the_split_of_the_run(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = run_of(tmp_path / "run", SPLIT)
    write_split(replace(SPLIT, parts={"train": ("p1",), "validation": ("p0",)}), tmp_path / "other.json")
    assert part_of(lab, model, split=tmp_path / "other.json") == ["p0"]
    assert part_of(lab, model, part="all") == ["p0", "p1", "planes"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("split", "learned_with", "why"),
    [
        (replace(SPLIT, dataset="acdc"), None, "it is of the dataset 'acdc', the data of 'folder'"),
        (replace(SPLIT, parts={"validation": ("p1", "x")}), None, "1 of its 2 patients are not in the data"),
        (SPLIT, "other", "the model was trained with another one"),
        (replace(SPLIT, parts={"train": ("p1",)}), None, "it has no part 'validation'"),
    ],
)
def test_a_split_that_does_not_fit_is_told_and_the_dataset_s_own_counts(
    lab: Path, capsys: pytest.CaptureFixture[str], split: Split, learned_with: str | None, why: str
) -> None:
    model = run_of(lab.parent / "run", split)
    card = replace(CARD, training={} if learned_with is None else {"split_sha256": learned_with})
    with pytest.raises(UsageError, match="has no part 'validation'; it has no split of its own"):
        part_of(lab, model, card)
    assert capsys.readouterr().err == f"split: split.json beside the model is not used: {why}\n"


def test_masks_of_others_and_models_by_name_have_no_run(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_split(SPLIT, tmp_path / "split.json")
    monkeypatch.chdir(tmp_path)
    for model, card in (("cinema-sax", CARD), (run_of(tmp_path / "run", SPLIT), None)):
        with pytest.raises(UsageError, match="it has no split of its own"):
            part_of(lab, model, card)
    (tmp_path / "run" / "split.json").write_text("torn")
    with pytest.raises(UsageError, match="it has no split of its own"):
        part_of(lab, tmp_path / "run" / "model")
    assert "is not used: 'split.json' is not a split file" in capsys.readouterr().err
