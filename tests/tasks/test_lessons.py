"""Lessons beside the reconstruction: what is learned of labelled hearts, and when an answer counts as sure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import annotated, heart
from stored_hearts import NETWORK, TASK, stored_heart
from torch import nn

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.sample import collate, collate_by_views
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.baselines import UNet2d, UNet2dConfig
from cinema_cmr.models.blocks.mask_decoders import DecoderConfig
from cinema_cmr.models.mae import CineMA
from cinema_cmr.models.weights import save_model
from cinema_cmr.tasks.lessons import LessonConfig, Lessons, is_lesson
from cinema_cmr.tasks.mask_examples import SegmentExample
from cinema_cmr.tasks.pretrain import PretrainTask

MASKS = DecoderConfig(out_chans=4, dec_chans=(4, 6, 8, 8), dec_kernel=(3, 3, 1), dropout=0.0)
TAUGHT = replace(NETWORK, masks=MASKS)


def lesson() -> AnnotatedStudy:
    return annotated(heart((9.0, 7.0), n_slices=4), "p")


def task_with_lessons(**changes: float) -> PretrainTask:
    torch.manual_seed(0)
    return PretrainTask(replace(TASK, lessons=LessonConfig(**changes)), CineMA(TAUGHT))


class Painter(nn.Module):
    """Stands for a network: sure of every voxel by its intensity, as far as `scale` goes; what it saw is kept."""

    def __init__(self, scale: float = 100.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))
        self.seen: list[torch.Tensor] = []

    def forward(self, images: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Classes by quarters of the intensity."""
        self.seen.append(images["sax"])
        levels = torch.tensor([0.0, 0.3, 0.6, 0.9]).view(1, 4, 1, 1, 1)
        return {"sax": -self.scale * (images["sax"] - levels) ** 2}


def stripes(n: int = 2) -> torch.Tensor:
    """Images with a quarter of each class, and a blank last slice."""
    image = torch.tensor([0.0, 0.3, 0.6, 0.9]).repeat_interleave(8).view(1, 1, 32, 1, 1).expand(n, 1, 32, 32, 3).clone()
    image[..., 2] = 0
    return image


def test_a_labelled_study_gives_frames_and_a_stored_one_itself(tmp_path: Path) -> None:
    task, stored = task_with_lessons(), stored_heart(tmp_path, "a")
    frames = task.examples(lesson())
    assert len(frames) == 2 and all(isinstance(frame, SegmentExample) for frame in frames)
    assert list(task.examples(stored)) == [stored]
    with pytest.raises(UsageError, match="in memory"):
        PretrainTask(TASK, CineMA(NETWORK)).examples(lesson())


def test_lessons_and_masked_studies_share_a_pass_and_both_count(tmp_path: Path) -> None:
    task = task_with_lessons(agreement_weight=0.0)
    examples = [*task.examples(lesson()), stored_heart(tmp_path, "a")]
    samples = [task.sample(example, np.random.default_rng(i)) for i, example in enumerate(examples)]
    batches = collate_by_views(samples)
    assert [is_lesson(batch) for batch in batches] == [True, False]
    loss = task(*batches)
    alone = [task.loss(batch) for batch in batches]
    assert loss.total.item() == pytest.approx((2 * alone[0].total.item() + alone[1].total.item()) / 3, rel=1e-5)
    assert set(loss.parts) == {"lessons", "reconstruction"}
    loss.total.backward()
    weights = dict(task.network.named_parameters())
    assert all(
        weights[name].grad is not None for name in ("mask_decoders.pred_head_dict.sax.weight", "dec_linear.weight")
    )


def test_a_lesson_is_validated_by_the_dice_of_each_structure() -> None:
    task = task_with_lessons()
    scores = task.validate(collate([task.sample(task.examples(lesson())[0], None)]))
    assert set(scores) == {"lesson_dice_rv", "lesson_dice_myo", "lesson_dice_lv"}


def test_the_weight_of_the_reconstruction_can_be_nothing(tmp_path: Path) -> None:
    alone = replace(TASK, lessons=LessonConfig(agreement_weight=0.0), masked_weight=0.0)
    assert not alone.needs_store and replace(alone, masked_weight=0.1).needs_store and TASK.needs_store
    with pytest.raises(UsageError, match="reconstruction of weight 0"):
        replace(TASK, masked_weight=0.0)
    task = PretrainTask(alone, CineMA(TAUGHT))
    batch = collate([task.sample(stored_heart(tmp_path, "a"), np.random.default_rng(0))])
    loss = task.loss(batch).total
    loss.backward()
    assert loss.item() == 0 and all(float(p.grad.abs().sum()) == 0 for p in task.network.parameters())


def test_agreement_shows_what_it_is_sure_of_changed_and_turned() -> None:
    lessons, network = Lessons(LessonConfig(agreement_share=1.0), TASK.grids[View.SAX]), Painter()
    torch.manual_seed(3)
    loss = lessons.agreement(network, stripes())
    first, changed = network.seen
    assert loss.parts["agreeing"] == 1 and loss.total > 0 and loss.total.requires_grad
    assert not torch.equal(first, changed) and changed.min() >= 0 and changed.max() <= 1
    torch.manual_seed(3)
    assert lessons.agreement(network, stripes()).total == loss.total, "a function of torch's generator"


def test_an_image_without_a_sure_structure_counts_for_nothing() -> None:
    lessons = Lessons(LessonConfig(agreement_share=1.0), TASK.grids[View.SAX])
    unsure = lessons.agreement(Painter(scale=0.1), stripes())
    assert unsure.total == 0 and unsure.parts["agreeing"] == 0
    half = stripes()
    half[1] = 0.3
    assert lessons.agreement(Painter(), half).parts["agreeing"] == 0.5


def test_a_share_of_the_images_is_taken() -> None:
    network = Painter()
    Lessons(LessonConfig(agreement_share=0.5), TASK.grids[View.SAX]).agreement(network, stripes(3))
    assert len(network.seen[0]) == 2


def saved_teacher(folder: Path, network: nn.Module, **changes: object) -> Path:
    """A model that can be a teacher; weights of each seed of torch's differ."""
    grids = {View.SAX: TASK.grids[View.SAX]}
    card = ModelCard(
        name="teacher", task="pretrain", architecture="cinema_mae", config=config_values(TAUGHT), grids=grids
    )
    save_model(folder, network, replace(card, **changes))  # type: ignore[arg-type]
    return folder


def test_agreement_is_with_the_mean_of_the_teachers_not_with_oneself(tmp_path: Path) -> None:
    torch.manual_seed(1)
    folders = [saved_teacher(tmp_path / str(n), CineMA(TAUGHT)) for n in range(2)]
    config = LessonConfig(teachers=tuple(map(str, folders)), agreement_share=1.0, confidence=0.01, min_voxels=0)
    lessons, network, images = Lessons(config, TASK.grids[View.SAX]), Painter(), stripes()
    loss = lessons.agreement(network, images)
    assert len(network.seen) == 1 and loss.total > 0, "the network sees the changed images alone"
    assert not any(weight.requires_grad for teacher in lessons.teachers for weight in teacher.parameters())
    alone = [teacher({"sax": images})["sax"].softmax(dim=1) for teacher in lessons.teachers]
    assert torch.allclose(lessons._probabilities(network, images), (alone[0] + alone[1]) / 2)


def test_a_network_of_masks_alone_learns_lessons_and_states_what_it_segments(tmp_path: Path) -> None:
    config = replace(TASK, lessons=LessonConfig(agreement_share=1.0, confidence=0.01, min_voxels=0), masked_weight=0.0)
    network = UNet2d(UNet2dConfig(out_chans=4, chans=(4, 8)))
    task = PretrainTask(config, network)
    batches = collate_by_views(
        [
            task.sample(task.examples(lesson())[0], np.random.default_rng(0)),
            task.sample(stored_heart(tmp_path, "a"), np.random.default_rng(0)),
        ]
    )
    loss = task(*batches)
    loss.total.backward()
    assert set(loss.parts) == {"lessons", "agreement", "agreeing"} and loss.parts["agreement"] > 0
    assert all(float(weight.grad.abs().sum()) > 0 for weight in network.parameters())
    fields = task.card_fields()
    grid = fields.grids[View.SAX]
    assert (fields.task, fields.label_scheme, grid.n_slices) == ("segment", "cine", None), "a stack of any length"
    assert grid.spacing_mm == TASK.grids[View.SAX].spacing_mm and fields.training["lessons"] is True
    assert fields.training["experimental"], "measurements of its masks get a warning"


def test_what_cannot_teach_is_refused(tmp_path: Path) -> None:
    grid = TASK.grids[View.SAX]
    other = saved_teacher(tmp_path / "a", CineMA(TAUGHT), grids={View.SAX: replace(grid, spacing_mm=9.0)})
    without = saved_teacher(tmp_path / "b", CineMA(NETWORK), config=config_values(NETWORK))
    for folder, words in ((other, "of 9 mm; expected the grid of the recipe"), (without, "without decoders")):
        with pytest.raises(WeightsError, match=words):
            Lessons(LessonConfig(teachers=(str(folder),)), grid)


def test_odd_configurations_and_networks_without_decoders_are_refused() -> None:
    for changes in ({"weight": -1.0}, {"agreement_share": 0.0}, {"confidence": 1.0}):
        with pytest.raises(UsageError):
            LessonConfig(**changes)
    with pytest.raises(WeightsError, match="without decoders"):
        PretrainTask(replace(TASK, lessons=LessonConfig()), CineMA(NETWORK))
    with pytest.raises(UsageError, match="without an encoder of tokens; expected an autoencoder"):
        PretrainTask(replace(TASK, lessons=LessonConfig()), Painter())
    with pytest.raises(UsageError, match="without the short axis"):
        replace(TASK, grids={View.LAX_4C: TASK.grids[View.LAX_4C]}, lessons=LessonConfig())
    with pytest.raises(UsageError, match="expected a square"):
        replace(TASK, grids={View.SAX: replace(TASK.grids[View.SAX], size=(32, 48))}, lessons=LessonConfig())
    with pytest.raises(UsageError, match="without a decoder"):
        CineMA(NETWORK).segment({"sax": torch.zeros(1, 1, 32, 32, 3)})


def test_weights_are_chosen_by_reconstruction_and_lessons_alike() -> None:
    task, dice = task_with_lessons(), {"lesson_dice_lv": 0.8, "lesson_dice_rv": float("nan")}
    assert task.validation_score({"reconstruction_loss": 0.3, **dice}) == pytest.approx(0.5)
    assert task.validation_score(dice) == pytest.approx(0.8)
    assert np.isnan(task.validation_score({}))
