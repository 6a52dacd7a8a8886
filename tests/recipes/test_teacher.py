"""A run with a teacher: its labels go to training studies that are not drawn in full, and are kept with the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from oracles import annotated, heart
from small_runs import data, small
from torch import nn

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.training_set import TrainingData
from cinema_cmr.models.cards import embedded_folder, read_card
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.recipes.finetune import finetune
from cinema_cmr.recipes.registry import recipe
from cinema_cmr.recipes.teacher import SOFT_LABELS_FOLDER, chosen_teacher, needs_teacher, with_teacher
from cinema_cmr.recipes.training_options import FinetuneOptions


def partly(study: AnnotatedStudy) -> AnnotatedStudy:
    return replace(study, labels={View.SAX: replace(study.labels[View.SAX], drawn=("lv",))})


def part_labelled() -> TrainingData[AnnotatedStudy]:
    whole = data()
    return replace(whole, train=[partly(whole.train[0]), whole.train[1]], val=[partly(whole.val[0])])


def test_a_teacher_is_needed_for_undrawn_structures_and_for_frames_without_labels() -> None:
    study = annotated(heart((12.0, 10.0)))
    assert not needs_teacher(study, View.SAX, other_frames=True)
    assert needs_teacher(partly(study), View.SAX, other_frames=False)
    one = replace(study, labelled_frames={View.SAX: (0,)})
    assert [needs_teacher(one, View.SAX, other_frames=flag) for flag in (True, False)] == [True, False]
    assert needs_teacher(replace(study, labels={}), View.SAX, other_frames=True)


def test_atria_that_a_data_set_does_not_have_need_a_teacher() -> None:
    study = annotated(heart((12.0, 10.0)))
    assert needs_teacher(study, View.SAX, other_frames=False, scheme="chambers")
    card, config = read_card(embedded_folder("cinema-lax-masks")), recipe("lax-mask-unet").task
    plane = replace(study.study.cine(View.SAX), view=View.LAX_4C).select(slices=0)
    labels = study.labels[View.SAX]
    long_axis = replace(
        study,
        study=replace(study.study, cines=(plane,)),
        labels={View.LAX_4C: replace(labels, array=labels.array[:, :, :1])},
        labelled_frames={View.LAX_4C: (0,)},
    )
    start = LoadedModel(model=nn.Identity(), card=replace(card, label_scheme="chambers"))
    assert chosen_teacher(FinetuneOptions(), recipe("lax-mask-unet"), [long_axis], start=start) is start
    assert config.label_scheme == "cine"
    start = LoadedModel(model=nn.Identity(), card=replace(card, label_scheme="cine"))
    assert chosen_teacher(FinetuneOptions(), recipe("lax-mask-unet"), [long_axis], start=start) is None


def test_a_model_teaches_the_next_one_what_was_not_drawn(tmp_path: Path) -> None:
    teacher = finetune(small(), data(), tmp_path / "teacher").model
    notes: list[str] = []
    taught = with_teacher(part_labelled(), str(teacher), small(), tmp_path / "run", tta=1, note=notes.append)
    assert [bool(study.soft_labels) for study in taught.train] == [True, False] and not taught.val[0].soft_labels
    assert len(list((tmp_path / "run" / SOFT_LABELS_FOLDER).iterdir())) == 1
    assert notes == ["teacher's labels: 2 of 2 studies"]
    result = finetune(small(), part_labelled(), tmp_path / "run", teacher=str(teacher), teacher_tta=1)
    assert result.card.training["validation"]["dice_rv"] is None  # not drawn in any held-out study
    assert result.card.training["validation"]["dice_lv"] >= 0
    assert "rv" in result.card.training["not_drawn_in_validation"]


def test_a_teacher_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a recipe of the task 'segment'"):
        with_teacher(data(), "cinema-sax", recipe("lax-unet"), tmp_path)
    with pytest.raises(UsageError, match="predicts labels of scheme 'scar'; expected 'cine'"):
        with_teacher(data(), "cinema-scar", small(), tmp_path)


@pytest.mark.medium
def test_the_start_teaches_what_was_not_drawn_unless_another_is_given() -> None:
    whole, notes = recipe("sax-unet").with_train(accelerator="cpu"), list[str]()
    started = replace(whole, start="cinema-sax")
    studies = part_labelled().train
    assert chosen_teacher(FinetuneOptions(), started, studies, note=notes.append) == "cinema-sax"
    assert notes == ["teacher: cinema-sax, the start, for what was not drawn (--teacher none: nothing is)"]
    assert chosen_teacher(FinetuneOptions(teacher="none"), started, studies) is None
    assert chosen_teacher(FinetuneOptions(teacher="cinema-scar"), started, studies) == "cinema-scar"
    assert chosen_teacher(FinetuneOptions(), whole, studies) is None
    assert chosen_teacher(FinetuneOptions(), started, data().train) is None
    assert chosen_teacher(FinetuneOptions(), replace(started, start="cinema-small"), studies) is None


def test_the_start_teaches_studies_in_memory_too_as_those_of_a_folder(tmp_path: Path) -> None:
    first = finetune(small(), data(), tmp_path / "first")
    notes: list[str] = []
    for name, start in (("path", str(first.model)), ("loaded", first.load())):
        run = finetune(small(), part_labelled(), tmp_path / name, start=start, teacher_tta=1, note=notes.append)
        assert len(list((run.folder / SOFT_LABELS_FOLDER).iterdir())) == 1
    assert notes[0].startswith(f"teacher: {first.card.name}, the start") and len(notes) == 4
    alone = finetune(small(), part_labelled(), tmp_path / "alone", start=first.load(), teacher="none")
    assert not (alone.folder / SOFT_LABELS_FOLDER).exists()
    whole = finetune(small(), data(), tmp_path / "whole", start=first.load())
    assert not (whole.folder / SOFT_LABELS_FOLDER).exists()


def test_the_card_of_the_start_is_enough_to_choose_it(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_bytes((embedded_folder("cinema-sax") / "card.json").read_bytes())
    started = replace(recipe("sax-unet").with_train(accelerator="cpu"), start=str(tmp_path))
    assert chosen_teacher(FinetuneOptions(), started, part_labelled().train) == str(tmp_path)
