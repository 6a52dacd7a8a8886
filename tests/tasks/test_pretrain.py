"""What a pre-training sample shows is a pure function of (seed, epoch, study), and every frame has its turn."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stored_hearts import GRIDS, NETWORK, TASK, moving_disc, stored_heart
from torch import nn

from cinema_cmr.core.errors import NoCineError, UsageError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.loader import EpochSampler, SampleSet, make_loader
from cinema_cmr.data.sample import Batch, Sample, collate, collate_by_views
from cinema_cmr.data.store import StoredStudy
from cinema_cmr.inference.study_tensors import frame_at_phase, view_tensor
from cinema_cmr.models.mae import CineMA
from cinema_cmr.tasks.pretrain import SMALL_DATA_AUGMENTATION, PretrainTask


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> list[StoredStudy]:
    folder = tmp_path_factory.mktemp("store")
    return [stored_heart(folder, f"heart {seed}", n_frames=8, seed=seed) for seed in range(3)]


def pretrain_task(network: nn.Module | None = None, **changes: Any) -> PretrainTask:
    return PretrainTask(replace(TASK, **changes), network or nn.Identity())


def drawn(study: StoredStudy, seed: int = 0, **changes: Any) -> Sample:
    return pretrain_task(**changes).sample(study, np.random.default_rng(seed))


def same(one: Sample | Batch, other: Sample | Batch) -> bool:
    pairs = [(getattr(one, part), getattr(other, part)) for part in ("images", "labels")]
    return all(a.keys() == b.keys() and all(torch.equal(a[view], b[view]) for view in a) for a, b in pairs)


def frame_shown(sample: Sample, study: StoredStudy, view: View) -> list[int]:
    """The frames of a study that look like the sample's image."""
    frames = range(study.cine(view).n_frames)
    return [t for t in frames if torch.equal(sample.images[str(view)], view_tensor(study, view, t, GRIDS[view]))]


def test_a_sample_is_one_moment_in_all_views(studies: list[StoredStudy]) -> None:
    for seed in range(6):
        sample = drawn(studies[0], seed, p_zoom=0.0)
        assert {view: tuple(x.shape) for view, x in sample.images.items()} == {
            "sax": (1, 32, 32, 3),
            "lax_4c": (1, 48, 32),
        }
        (sax,), (lax,) = (frame_shown(sample, studies[0], view) for view in GRIDS)
        assert sax == lax


def test_an_augmented_sample_differs_each_time_and_is_a_function_of_its_draw(studies: list[StoredStudy]) -> None:
    plain, first, again, other = (
        drawn(studies[0], seed, p_zoom=0.0, augmentation=augmentation)
        for seed, augmentation in (
            (0, None),
            (0, SMALL_DATA_AUGMENTATION),
            (0, SMALL_DATA_AUGMENTATION),
            (1, SMALL_DATA_AUGMENTATION),
        )
    )
    assert same(first, again)
    for view, image in first.images.items():
        assert image.shape == plain.images[view].shape and image.min() >= 0 and image.max() <= 1
        assert not torch.equal(image, plain.images[view]) and not torch.equal(image, other.images[view])
    held_out = pretrain_task(augmentation=SMALL_DATA_AUGMENTATION).sample(studies[0], None)
    assert same(held_out, pretrain_task().sample(studies[0], None)), "what is held out is shown as it is"


def test_views_of_different_length_share_the_part_of_the_cycle(tmp_path: Path) -> None:
    study = stored_heart(tmp_path, "x", n_frames=10)
    assert [frame_at_phase(study, View.SAX, phase) for phase in (0.0, 0.099, 0.1, 0.55, 0.999)] == [0, 0, 1, 5, 9]


def test_the_mask_hides_the_stated_share_and_differs_by_view_and_sample(studies: list[StoredStudy]) -> None:
    task = pretrain_task()
    batch = collate([drawn(studies[0], seed) for seed in range(4)])
    masks = task.masks(batch)
    for view, n_tokens in (("sax", 2 * 2 * 3), ("lax_4c", 3 * 2)):
        mask = masks[view]
        n_visible = int(n_tokens * 0.25)
        assert mask.visible.shape == (4, n_visible) and mask.masked.shape == (4, n_tokens - n_visible)
        both = torch.cat([mask.visible, mask.masked], dim=1).sort(dim=1).values
        assert torch.equal(both, torch.arange(n_tokens).expand(4, -1))
        assert (mask.masked.diff(dim=1) > 0).all()
        assert len({tuple(row) for row in mask.visible.tolist()}) > 1


def padded(size: int = 3) -> dict[str, torch.Tensor]:
    """A stack of three slices, `size` of them with something in them, and a plane."""
    stack = torch.rand(1, 32, 32, 3) + 0.1
    stack[..., size:] = 0
    return {"sax": stack, "lax_4c": torch.zeros(1, 48, 32)}


def test_blank_slices_are_neither_shown_nor_asked_for() -> None:
    task = pretrain_task(skip_blank=True)
    samples = [task.masked(str(n), padded(n), np.random.default_rng(n)) for n in (1, 2, 3, 2, 0)]
    assert [len(sample.labels["sax"]) for sample in samples] == [4, 8, 12, 8, 12]  # of 2 x 2 tokens a slice
    assert all(len(sample.labels["lax_4c"]) == 6 for sample in samples)
    assert all((samples[n].labels["sax"] % 3 <= n).all() for n in range(2))  # z is fastest
    groups = collate_by_views(samples)
    assert [batch.names for batch in groups] == [("1",), ("2", "2"), ("3", "0")]
    mask = task.masks(groups[1])["sax"]
    assert mask.visible.shape == (2, 2) and mask.masked.shape == (2, 6)
    untouched = pretrain_task().masked("1", padded(1), np.random.default_rng(0))
    assert len(untouched.labels["sax"]) == 12


def test_training_asks_for_a_part_and_validation_for_all() -> None:
    task = pretrain_task(decoder_token_ratio=0.5)
    batch = collate([task.masked(str(n), padded(), np.random.default_rng(n)) for n in range(4)])
    whole, part = task.masks(batch)["sax"], task.masks(batch, decoder_token_ratio=0.5)["sax"]
    assert whole.masked.shape == (4, 9) and part.masked.shape == (4, 5)
    assert torch.equal(whole.visible, part.visible)
    assert len({tuple(row) for row in part.masked.tolist()}) == 4
    both = torch.cat([whole.visible, whole.masked], dim=1).sort(dim=1).values
    assert torch.equal(both, torch.arange(12).expand(4, -1))


@pytest.mark.medium
def test_the_loss_of_a_part_is_that_of_all_on_average() -> None:
    torch.manual_seed(0)
    task = pretrain_task(CineMA(NETWORK).eval(), decoder_token_ratio=0.4)
    image, losses, wholes = padded(), [], []
    for draw in range(60):
        batch = collate([task.masked("x", image, np.random.default_rng(draw))])
        with torch.no_grad():
            losses.append(float(task.loss(batch).total))
        wholes += task.validate(batch)["reconstruction_loss"]
    error = np.std(np.subtract(losses, wholes)) / np.sqrt(60)
    assert error > 0 and abs(np.mean(losses) - np.mean(wholes)) < 4 * error


def test_complementary_masks_share_a_pass(studies: list[StoredStudy]) -> None:
    torch.manual_seed(0)
    task = pretrain_task(CineMA(NETWORK).eval(), complementary_masks=3)
    sample = task.sample(studies[0], np.random.default_rng(0))
    assert sample.labels["sax"].shape == (3, 12) and task.sample(studies[0], None).labels["sax"].shape == (12,)
    batch = collate([sample, task.sample(studies[1], np.random.default_rng(1))])
    visible = task.masks(batch)["sax"].visible
    assert visible.shape == (6, 3)
    assert all(len(set(rows.flatten().tolist())) == 9 for rows in visible.split(3))
    with torch.no_grad():
        one_by_one = [{view: order[:, k] for view, order in batch.labels.items()} for k in range(3)]
        alone = [float(task.loss(batch._replace(labels=labels)).total) for labels in one_by_one]
        assert float(task.loss(batch).total) == pytest.approx(np.mean(alone), rel=1e-5)


def test_the_draws_are_a_function_of_the_generator_alone(studies: list[StoredStudy]) -> None:
    assert same(drawn(studies[0], 3), drawn(studies[0], 3))
    assert not same(drawn(studies[0], 3), drawn(studies[0], 4))
    zooms = [same(drawn(studies[0], seed), drawn(studies[0], seed, p_zoom=0.0)) for seed in range(30)]
    assert 5 <= sum(zooms) <= 25  # half of them are zoomed


def test_without_a_generator_the_sample_is_the_study_s_own(studies: list[StoredStudy]) -> None:
    task = pretrain_task()
    first, again, other = (task.sample(study, None) for study in (studies[0], studies[0], studies[1]))
    assert same(first, again) and not same(first, other)
    assert len(frame_shown(first, studies[0], View.SAX)) == 1  # nothing is zoomed


def batches(studies: list[StoredStudy], *, workers: int = 0, start: int = 0, n: int = 6) -> list[Batch]:
    samples = SampleSet(studies, pretrain_task().sample, seed=5)
    loader = make_loader(samples, EpochSampler(3, seed=5, start=start), batch_size=1, workers=workers)
    taken: list[Batch] = list(itertools.islice(iter(loader), n))  # type: ignore[arg-type]
    return taken


def test_workers_change_nothing(studies: list[StoredStudy]) -> None:
    alone, helped, later = batches(studies), batches(studies, workers=1), batches(studies, start=3, n=3)
    assert [b.names for b in alone] == [b.names for b in helped]
    assert all(same(a, b) for a, b in zip(alone, helped, strict=True))
    assert all(same(a, b) for a, b in zip(alone[3:], later, strict=True))
    assert len({b.names for b in alone}) == 6  # another moment each epoch


@pytest.mark.parametrize(("n_frames", "n_epochs"), [(50, 20), (50, 100), (12, 12)])
def test_every_frame_has_its_turn(tmp_path: Path, n_frames: int, n_epochs: int) -> None:
    """Over E epochs n(1-(1-1/n)^E) distinct frames of a study with n are expected; the mean of 40 studies is near."""
    study = stored_heart(tmp_path, "x", views=[View.SAX], n_frames=n_frames)
    n_studies = 40
    counts = []
    for index in range(n_studies):
        generators = (np.random.default_rng((0, epoch, index)) for epoch in range(n_epochs))  # as in SampleSet
        counts.append(len({frame_at_phase(study, View.SAX, float(rng.random())) for rng in generators}))
    expected = n_frames * (1 - (1 - 1 / n_frames) ** n_epochs)
    spread = np.sqrt(n_frames * (1 - 1 / n_frames) ** n_epochs)
    assert np.mean(counts) == pytest.approx(expected, abs=4 * spread / np.sqrt(n_studies))


def test_the_loader_shows_the_frames_that_the_formula_promises(studies: list[StoredStudy]) -> None:
    """The same through loader and task, told by the images: 10 epochs of 3 studies with 8 frames."""
    task = pretrain_task(p_zoom=0.0)
    samples, sampler = SampleSet(studies, task.sample, seed=1), iter(EpochSampler(3, seed=1))
    seen: dict[int, set[int]] = {0: set(), 1: set(), 2: set()}
    for epoch, index in itertools.islice(sampler, 30):
        seen[index].update(frame_shown(samples[(epoch, index)], studies[index], View.LAX_4C))
    expected = 8 * (1 - (7 / 8) ** 10)
    assert np.mean([len(frames) for frames in seen.values()]) == pytest.approx(expected, abs=1.5)


def test_the_loss_is_that_of_the_network_and_of_each_sample(studies: list[StoredStudy]) -> None:
    torch.manual_seed(0)
    task = pretrain_task(CineMA(NETWORK).eval())
    batch = collate([drawn(study) for study in studies])
    loss = task.loss(batch).total
    each = task.validate(batch)["reconstruction_loss"]
    assert loss.requires_grad and len(each) == 3
    assert float(loss.detach()) == pytest.approx(np.mean(each), rel=1e-5)


def test_studies_with_views_missing_are_taken_as_they_are(tmp_path: Path) -> None:
    stack = stored_heart(tmp_path, "stack", views=[View.SAX])
    assert list(drawn(stack).images) == ["sax"]
    with pytest.raises(NoCineError, match="none of the views sax, lax_4c"):
        drawn(stored_heart(tmp_path, "plane", views=[View.LAX_2C]))


def test_what_makes_no_task_is_refused() -> None:
    with pytest.raises(UsageError, match="number of slices open"):
        replace(TASK, grids={View.SAX: replace(GRIDS[View.SAX], n_slices=None)})
    for change in (
        {"mask_ratio": 0.0},
        {"mask_ratio": 1.0},
        {"zoom": 1.0},
        {"p_zoom": 2.0},
        {"decoder_token_ratio": 0.0},
        {"complementary_masks": 5},
    ):
        with pytest.raises(UsageError, match="expected"):
            replace(TASK, **change)
    with pytest.raises(UsageError, match="no view"):
        replace(TASK, grids={})
    study = Study(name="x", cines=(moving_disc(View.SAX, 2, 0),))
    with pytest.raises(UsageError, match="expected one of a store"):
        pretrain_task().examples(AnnotatedStudy(study=study, patient="x"))


def test_weights_are_chosen_by_the_reconstruction() -> None:
    assert pretrain_task(masked_weight=2.0, network=CineMA(NETWORK)).validation_score(
        {"reconstruction_loss": 0.1}
    ) == pytest.approx(-0.2)
