"""Examples of part-labelled studies: what was not drawn is unknown to the loss, and a teacher's labels come along."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles import Oracle, annotated, heart, segmenter
from torch import Tensor

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.sample import IGNORE_INDEX, collate
from cinema_cmr.inference.soft_labels import predict_soft_labels
from cinema_cmr.tasks.segment import SegmentConfig, SegmentTask
from cinema_cmr.tasks.task import Loss

GRID = Grid(spacing_mm=1.5, size=(48, 44), percentiles=(0.0, 100.0))
LABELS = heart((15.0, 12.0, 10.0))


def task(**changes: object) -> SegmentTask:
    return SegmentTask(SegmentConfig(grid=GRID, **changes), Oracle())  # type: ignore[arg-type]


def only_lv(*, slices: list[int] | None = None, frames: tuple[int, ...] = (0, 1, 2)) -> AnnotatedStudy:
    """The cavity alone, in some slices; codes of the wall stay in the array, as in Sunnybrook's files."""
    study = annotated(LABELS, frames=frames)
    drawn = None
    if slices is not None:
        drawn = np.zeros(LABELS.shape[2:], dtype=bool)
        drawn[slices] = True
    return replace(study, labels={View.SAX: replace(study.labels[View.SAX], drawn=("lv",), drawn_slices=drawn)})


def taught(study: AnnotatedStudy) -> AnnotatedStudy:
    soft = predict_soft_labels(study.study.cine(View.SAX), segmenter(size=(64, 64)))
    return replace(study, soft_labels={View.SAX: soft})


def test_only_drawn_structures_are_targets() -> None:
    first, *_ = task().examples(only_lv())
    assert first.drawn == (True, False, False, True) and set(np.unique(first.labels)) == {0, 3}
    sample = task().sample(first, None)
    assert sample.values["drawn"].tolist() == [1, 0, 0, 1] and not sample.soft_labels


def test_the_loss_of_a_right_prediction_does_not_punish_undrawn_structures() -> None:
    its = task()
    part, whole = (collate([its.sample(its.examples(study)[0], None)]) for study in (only_lv(), annotated(LABELS)))
    as_background = part._replace(values={})
    assert float(its.loss(part).total.detach()) <= float(its.loss(whole).total.detach()) + 1e-6
    assert float(its.loss(as_background).total.detach()) > float(its.loss(part).total.detach()) + 0.3


def test_validation_scores_what_was_drawn_and_gives_nan_for_the_rest() -> None:
    its = task()
    scores = its.validate(collate([its.sample(its.examples(only_lv())[0], None)]))
    assert scores["dice_lv"][0] > 0.95 and np.isnan([scores["dice_rv"][0], scores["dice_myo"][0]]).all()


@pytest.mark.parametrize("seed", [None, 0, 1, 2, 3])
def test_slices_without_labels_are_ignored_wherever_the_draw_puts_them(seed: int | None) -> None:
    its = task(drop_ends=0.0, thin_stacks=0.0)
    example = its.examples(only_lv(slices=[0]))[0]
    labels = its.sample(example, None if seed is None else np.random.default_rng(seed)).labels["sax"]
    ignored = [(labels[..., z] == IGNORE_INDEX).all().item() for z in range(labels.shape[-1])]
    assert sorted(ignored) == [False, True, True] and ignored[1]


def test_frames_with_a_teacher_alone_are_examples_spread_over_the_cycle() -> None:
    study = taught(only_lv(frames=(1,)))
    examples = task().examples(study)
    assert [e.name.split()[-1] for e in examples] == ["1", "0", "2"]
    assert [e.name.split()[-1] for e in task(soft_frames=1).examples(study)] == ["1", "2"]
    assert [e.name.split()[-1] for e in task(soft_frames=0).examples(study)] == ["1"]
    bare = replace(study, labels={}, labelled_frames={})
    assert len(task(soft_frames=9).examples(bare)) == 3
    labels = task().sample(task().examples(bare)[0], None).labels["sax"]
    assert (labels == IGNORE_INDEX).all()


def test_a_draw_moves_the_teacher_s_labels_with_the_image() -> None:
    its = task(drop_ends=0.0)
    example = its.examples(taught(only_lv()))[0]
    for seed in range(4):
        sample = its.sample(example, np.random.default_rng(seed))
        soft, labels = sample.soft_labels["sax"], sample.labels["sax"]
        assert soft.shape == (4, *labels.shape) and float(soft.sum(0).max()) == pytest.approx(1, abs=0.02)
        agreed = ((soft.argmax(0) == 3) == (labels == 3)).float().mean()
        assert float(agreed) > 0.985, seed


def test_the_teacher_s_term_is_weighted_and_falls_when_the_prediction_follows_it() -> None:
    study = taught(only_lv())
    sample = task().sample(task().examples(study)[0], np.random.default_rng(0))
    batch = collate([sample])
    plain, double, none = (task(teacher_weight=w).loss(batch) for w in (1.0, 2.0, 0.0))
    assert "teacher" not in none.parts and plain.parts["teacher"] > 0
    gained = float((double.total - plain.total).detach())
    assert gained == pytest.approx(plain.parts["teacher"], rel=1e-3)
    wrong = SegmentTask(task().config, Oracle(lv_only=True)).loss(batch)
    assert wrong.parts["teacher"] > 3 * plain.parts["teacher"]


def test_the_heart_of_a_part_labelled_frame_is_the_teacher_s() -> None:
    whole, part, with_teacher = (task().examples(s)[0].heart for s in (annotated(LABELS), only_lv(), taught(only_lv())))
    assert abs(part[0] - whole[0]) > 4 and np.abs(np.subtract(with_teacher, whole)).max() <= 1


def test_a_teacher_of_another_scheme_and_negative_weights_are_refused() -> None:
    study = taught(only_lv())
    other = replace(study, soft_labels={View.SAX: replace(study.soft_labels[View.SAX], scheme="scar")})
    with pytest.raises(InputError, match="scheme 'scar'"):
        task().examples(other)
    with pytest.raises(UsageError, match="expected 0 or"):
        task(teacher_weight=-1.0)


def test_part_labelled_and_whole_samples_share_a_batch() -> None:
    its = task()
    samples = [its.sample(its.examples(study)[0], None) for study in (only_lv(), annotated(LABELS))]
    batch = collate(samples)
    alone = [float(its.loss(collate([sample])).total.detach()) for sample in samples]
    assert torch.equal(batch.values["drawn"].sum(1), torch.tensor([2.0, 4.0]))
    assert min(alone) - 1e-6 <= float(its.loss(batch).total.detach()) <= max(alone) + 1e-6


def test_frames_with_a_teacher_alone_ask_for_no_structure() -> None:
    its = task()
    study = taught(only_lv(frames=(0,)))
    examples = its.examples(study)
    assert [example.is_drawn for example in examples] == [True, *(False for _ in examples[1:])] and len(examples) > 1
    its.check_examples(examples)


def test_a_structure_that_should_be_there_and_never_is_stops_the_run() -> None:
    its = task()
    whole, part = its.examples(annotated(LABELS)), its.examples(only_lv())
    its.check_examples([*whole, *part])
    its.check_examples(part)
    claimed = [replace(example, drawn=()) for example in part]
    with pytest.raises(InputError, match=r"no label of 'rv' in 3 training frames.*labels\.json"):
        its.check_examples(claimed)
    task(label_scheme="scar").check_examples(claimed)


def test_a_loss_of_one_s_own_is_not_left_out_in_silence_where_labels_are_partial() -> None:
    class Own(SegmentTask):
        def criterion(self, logits: Tensor, labels: Tensor) -> Loss:
            return Loss(logits.sum() * 0 + 7)

    own = Own(SegmentConfig(grid=GRID), Oracle())
    whole, part = (collate([own.sample(own.examples(s)[0], None)]) for s in (annotated(LABELS), only_lv()))
    assert float(own.loss(whole).total.detach()) == 7
    with pytest.raises(UsageError, match="partial_criterion"):
        own.loss(part)
