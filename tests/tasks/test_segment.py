"""What is learned from a labelled stack: whole planes once, then crops that move image and labels together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles import Oracle, annotated, cine_of, heart
from torch import nn

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import GeometryError, InputError, UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.sample import IGNORE_INDEX, Batch, collate
from cinema_cmr.image.augment import Augmentation
from cinema_cmr.tasks.segment import SegmentConfig, SegmentExample, SegmentTask

GRID = Grid(spacing_mm=1.5, size=(48, 44), percentiles=(0.0, 100.0))
STILL = Augmentation(
    p_right_angle_rotation=0,
    p_free_rotation=0,
    rotation_deg=0,
    p_flip=0,
    scaling=0,
    shift_mm=0,
    p_random_crop=0,
    p_intensity=0,
    contrast=0,
    noise=0,
)


def task(network: nn.Module | None = None, **changes: object) -> SegmentTask:
    return SegmentTask(SegmentConfig(grid=GRID, **changes), network or Oracle())  # type: ignore[arg-type]


def example(n_slices: int = 6, slice_mm: float = 8.0) -> SegmentExample:
    labels = heart((15.0,), n_slices=n_slices)
    study = annotated(labels)
    assert study.study.cines[0].spacing_mm[2] == 8.0
    (made,) = task().examples(study)
    return SegmentExample(name=made.name, view=made.view, planes=made.planes, labels=made.labels, slice_mm=slice_mm)


def test_each_labelled_frame_is_an_example_and_no_other() -> None:
    labels = heart((15.0, 12.0, 10.0))
    examples = task().examples(annotated(labels, frames=(0, 2)))
    assert [e.name for e in examples] == ["heart, frame 0", "heart, frame 2"]
    assert np.array_equal(examples[1].labels, labels[..., 2])
    assert examples[0].planes.dtype == np.float16 and float(examples[0].planes.max()) == 1.0


def test_planes_are_resampled_to_the_model_s_spacing_with_their_labels() -> None:
    labels = heart((15.0,), shape=(107, 98), spacing_mm=(1.0, 1.0), centre=(60.0, 45.0))
    study = annotated(labels)
    cine = cine_of(labels, (1.0, 1.0, 8.0))
    study = AnnotatedStudy(
        study=type(study.study)(name="fine", cines=(cine,)),
        patient="fine",
        labels=study.labels,
        labelled_frames={View.SAX: (0,)},
    )
    (made,) = task().examples(study)
    assert made.labels.shape == (72, 66, 3)
    area_mm2 = [(made.labels == 3).sum() * 1.5**2, (labels == 3).sum() * 1.0]
    assert area_mm2[0] == pytest.approx(area_mm2[1], rel=0.02)


def test_without_draws_the_crop_is_centred_on_the_labels() -> None:
    sample = task().sample(example(), None)
    codes = sample.labels["sax"].numpy()
    assert sample.images["sax"].shape == (1, 48, 44, 6) and codes.shape == (48, 44, 6)
    spots = np.argwhere(codes.any(axis=2))
    middle = (spots.min(axis=0) + spots.max(axis=0)) / 2
    assert np.abs(middle - [23.5, 21.5]).max() <= 1


def test_a_draw_moves_image_and_labels_together() -> None:
    """The oracle reads the labels off the moved image: where they came apart it would be wrong."""
    still_light = Augmentation(p_intensity=0, p_random_crop=0, scaling=0.2, shift_mm=6)
    its = task(augmentation=still_light, drop_ends=0)
    for seed in range(6):
        sample = its.sample(example(), np.random.default_rng(seed))
        batch = collate([sample])
        scores = its.validate(batch)
        assert min(scores["dice_lv"]) > 0.93 and min(scores["dice_rv"]) > 0.8, seed


def test_a_draw_is_a_function_of_its_generator() -> None:
    one, two, other = (task().sample(example(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.images["sax"], two.images["sax"]) and torch.equal(one.labels["sax"], two.labels["sax"])
    assert not (
        one.images["sax"].shape == other.images["sax"].shape and torch.equal(one.images["sax"], other.images["sax"])
    )


def test_labels_stay_codes_and_images_stay_in_range() -> None:
    for seed in range(8):
        sample = task().sample(example(), np.random.default_rng(seed))
        assert set(np.unique(sample.labels["sax"])) <= {0, 1, 2, 3}
        assert 0 <= float(sample.images["sax"].min()) and float(sample.images["sax"].max()) <= 1  # noqa: SIM300


def test_thin_stacks_are_thinned_and_ends_dropped_as_asked() -> None:
    thin = task(thin_stacks=1.0, drop_ends=0.0, augmentation=STILL)
    assert thin.sample(example(10, 5.0), np.random.default_rng(0)).images["sax"].shape[-1] == 5
    assert thin.sample(example(10, 8.0), np.random.default_rng(0)).images["sax"].shape[-1] == 10
    short = task(thin_stacks=0.0, drop_ends=1.0, augmentation=STILL)
    sizes = {short.sample(example(10), np.random.default_rng(s)).images["sax"].shape[-1] for s in range(20)}
    assert min(sizes) >= 4 and max(sizes) <= 10 and len(sizes) > 2


def test_padding_counts_in_no_loss_and_no_score() -> None:
    its = task()
    short, tall = its.sample(example(3), None), its.sample(example(6), None)
    alone, padded = collate([short]), collate([short, tall])
    assert (padded.labels["sax"][0, ..., 3:] == IGNORE_INDEX).all()
    first = {name: values[0] for name, values in its.validate(padded).items()}
    assert first == {name: values[0] for name, values in its.validate(alone).items()}
    of_first = Batch(
        names=padded.names[:1],
        images={view: x[:1] for view, x in padded.images.items()},
        labels={view: x[:1] for view, x in padded.labels.items()},
    )
    assert its.loss(of_first).parts == pytest.approx(its.loss(alone).parts)


def test_a_right_answer_costs_less_than_a_wrong_one() -> None:
    its, batch = task(), collate([task().sample(example(), None)])
    right, wrong = its.loss(batch), task(Oracle(lv_only=True)).loss(batch)
    assert right.parts["dice_loss"] < 0.25 and wrong.parts["dice_loss"] > 0.5
    assert float(right.total.detach()) < 0.5 * float(wrong.total.detach())
    assert float(right.total.detach()) == pytest.approx(sum(right.parts.values()), abs=1e-5)


def test_what_cannot_be_learned_from_is_refused() -> None:
    labels = heart()
    study = annotated(labels)
    assert task(view=View.LAX_2C).examples(study) == []
    other = AnnotatedStudy(study=study.study, patient="p", labels={View.SAX: LabelMap(array=labels[:, :, :2])})
    with pytest.raises(GeometryError):
        task().examples(other)
    with pytest.raises(InputError, match="scheme"):
        task(label_scheme="scar").examples(study)
    with pytest.raises(UsageError):
        SegmentConfig(grid=GRID, label_scheme="bones")
    with pytest.raises(UsageError):
        SegmentConfig(grid=GRID, drop_ends=1.5)
    for slices in ({"slice_spacing_mm": 10.0}, {"n_slices": 12}):
        with pytest.raises(UsageError, match="learned slice by slice as acquired"):
            SegmentConfig(grid=replace(GRID, **slices))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="modality"):
        task(modality="lge").examples(study)
    with pytest.raises(UsageError, match="class 'scar'"):
        SegmentConfig(grid=GRID, rare=("scar",))
    with pytest.raises(UsageError, match="class weights"):
        SegmentConfig(grid=GRID, class_weights=(1.0, 2.0))


def test_several_views_are_learned_each_frame_an_example_of_its_own() -> None:
    short = annotated(heart((15.0, 12.0)))
    long_axis = replace(short.study.cine(View.SAX), view=View.LAX_4C)
    both = replace(
        short,
        study=replace(short.study, cines=(*short.study.cines, long_axis)),
        labels={**short.labels, View.LAX_4C: short.labels[View.SAX]},
        labelled_frames={**short.labelled_frames, View.LAX_4C: (1,)},
    )
    its = task(also=(View.LAX_4C, View.LAX_2C))
    examples = its.examples(both)
    assert [e.view for e in examples] == [View.SAX, View.SAX, View.LAX_4C]
    assert examples[-1].name == "heart, 4-chamber, frame 1"
    sample = its.sample(examples[-1], None)
    assert list(sample.images) == list(sample.labels) == ["lax_4c"]
    loss = its.loss(collate([sample]))
    assert loss.parts["dice_loss"] < 0.2
    assert its.validate(collate([sample]))["dice_lv"][0] > 0.95
    assert set(its.card_fields().grids) == {View.SAX, View.LAX_4C, View.LAX_2C}
    assert [e.view for e in its.examples(short)] == [View.SAX, View.SAX]
    assert task(view=View.LAX_4C).examples(short) == []
    with pytest.raises(UsageError, match="each once"):
        SegmentConfig(grid=GRID, also=(View.SAX,))


def test_rare_classes_are_drawn_more_often_and_cost_more() -> None:
    whole = example()
    without = SegmentExample(
        name="no rv",
        view=whole.view,
        planes=whole.planes,
        labels=np.where(whole.labels == 1, 0, whole.labels),
        slice_mm=8,
    )
    drawn = task(rare=("rv",), rare_times=3).oversampled([without, whole])
    assert [e.name for e in drawn] == ["no rv", whole.name, whole.name, whole.name]
    assert task().oversampled([without, whole]) == [without, whole]
    batch = collate([task().sample(whole, None)])
    plain, heavy = (task(class_weights=w).loss(batch).parts for w in ((), (1.0, 5.0, 1.0, 1.0)))
    assert heavy["cross_entropy"] > plain["cross_entropy"] and heavy["dice_loss"] == plain["dice_loss"]


def test_weights_are_chosen_by_the_mean_dice_of_what_was_drawn() -> None:
    score = task().validation_score({"dice_rv": float("nan"), "dice_myo": 0.6, "dice_lv": 0.9})
    assert score == pytest.approx(0.75)
    assert np.isnan(task().validation_score({"dice_lv": float("nan")}))
