"""The segmenter: turns that undo themselves, batches that change nothing, probabilities that are some."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from oracles import CPU, Oracle, cine_of, heart, segmenter
from torch import nn

from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.models.baselines import UNet2d, UNet2dConfig
from cinema_cmr.models.loaded import LoadedModel, join

CENTRE = (40.0, 30.0)


class Lopsided(nn.Module):
    """A network that knows left from right and up from down, as trained ones do."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv3d(1, 4, (5, 5, 1), padding=(2, 2, 0))

    def forward(self, images: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {view: 5 * self.conv(image) for view, image in images.items()}


class NoisyInTraining(Lopsided):
    def forward(self, images: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return super().forward({view: nn.functional.dropout(x, 0.5, self.training) for view, x in images.items()})


def probs(its: Segmenter, array: np.ndarray, frames: list[int]) -> list[np.ndarray]:  # type: ignore[type-arg]
    cine = cine_of(array)
    return [prob for _, prob in its.probabilities(cine, its.plan(cine, CENTRE), frames)]


def turned(array: np.ndarray, quarters: int, mirror: bool) -> np.ndarray:  # type: ignore[type-arg]
    array = np.rot90(array, quarters, (0, 1))
    return np.ascontiguousarray(array[::-1] if mirror else array)


def square_heart() -> np.ndarray:  # type: ignore[type-arg]
    return heart(shape=(61, 61), centre=(33.0, 26.0))


def whole(its: Segmenter, array: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    cine = cine_of(array)
    (_, prob), *_ = its.probabilities(cine, its.plan(cine, (30.0, 30.0)), [0])
    return prob


@pytest.mark.parametrize(("quarters", "mirror"), [(0, True), (1, False), (2, True), (3, False), (3, True)])
def test_the_mean_of_all_turns_turns_with_the_image(quarters: int, mirror: bool) -> None:
    its, array = segmenter(Lopsided(), tta=8), square_heart()
    assert np.allclose(
        whole(its, turned(array, quarters, mirror)), turned(whole(its, array), quarters, mirror), atol=1e-5
    )


def test_two_ways_are_the_image_and_its_mirror() -> None:
    its, array = segmenter(Lopsided(), tta=2), square_heart()
    assert np.allclose(whole(its, turned(array, 0, True)), turned(whole(its, array), 0, True), atol=1e-5)
    once = segmenter(Lopsided(), tta=1)
    expected = (whole(once, array) + turned(whole(once, turned(array, 0, True)), 0, True)) / 2
    assert np.allclose(whole(its, array), expected, atol=1e-5)


def test_a_card_says_how_many_turns_are_usual() -> None:
    usual = replace(segmenter().card, tta=8)
    assert Segmenter(LoadedModel(model=Lopsided(), card=usual), CPU).tta == 8
    assert Segmenter(LoadedModel(model=Lopsided(), card=usual), CPU, tta=1).tta == 1
    assert Segmenter(LoadedModel(model=Lopsided(), card=usual), CPU).localizer().tta == 1


@pytest.mark.parametrize(("tta", "size"), [(3, (49, 49)), (0, (49, 49)), (4, (49, 51))])
def test_turns_that_cannot_be_made_are_refused(tta: int, size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=rf"{tta} (turns|passes)"):
        segmenter(tta=tta, size=size)


def test_a_model_that_is_not_for_measuring_says_so() -> None:
    usual = segmenter(Oracle())
    assert usual.model_flags() == ()
    card = replace(usual.card, training={"experimental": "a start for few labels"})
    (flag,) = Segmenter(LoadedModel(model=Oracle(), card=card), CPU).model_flags()
    assert (flag.code, flag.severity) == ("masks-experimental", "warning")
    assert "a start for few labels: do not use these measurements" in flag.message


def test_an_offset_makes_its_class_likelier_by_its_odds() -> None:
    names = ("background", "rv", "myo", "lv")
    card = replace(segmenter().card, outputs=names, logit_offsets={"myo": 1.0})
    models = [LoadedModel(model=Lopsided(), card=one) for one in (segmenter().card, card)]
    plain, shifted = (whole(Segmenter(model, CPU), square_heart()) for model in models)
    odds = [prob[..., 2] / (1 - prob[..., 2]) for prob in (plain, shifted)]
    seen = (plain[..., 2] > 1e-3) & (plain[..., 2] < 0.999)
    assert seen.any() and np.allclose(odds[1][seen] / odds[0][seen], np.e, rtol=1e-2)


def test_members_are_averaged() -> None:
    array = square_heart()
    card = segmenter().card
    members = {"one": LoadedModel(model=Lopsided(), card=card), "two": LoadedModel(model=Oracle(), card=card)}
    together = whole(Segmenter(join(members, card), CPU), array)
    alone = [whole(Segmenter(member, CPU), array) for member in members.values()]
    assert np.allclose(together, (alone[0] + alone[1]) / 2, atol=1e-6)


def test_probabilities_sum_to_one_on_both_grids() -> None:
    its, cine = segmenter(Lopsided(), spacing_mm=2.0, size=(25, 31)), cine_of(heart())
    cut = its.plan(cine, CENTRE)
    ((_, prob),) = its.probabilities(cine, cut, [1])
    assert prob.shape == (25, 31, 3, 4) and np.allclose(prob.sum(axis=-1), 1, atol=1e-5)
    native = its.native(prob, cut)
    assert native.shape == (71, 65, 3, 4) and np.allclose(native.sum(axis=-1), 1, atol=1e-5)
    assert (native[0, 0] == [1, 0, 0, 0]).all()


def test_many_frames_at_once_are_each_alone() -> None:
    radii = np.linspace(15, 10, 20)
    array = heart(radii, n_slices=5)  # 100 planes: more than one pass
    its = segmenter(Lopsided())
    together = probs(its, array, list(range(20)))
    assert len(together) == 20
    for frame in (0, 9, 10, 19):
        # The scale is of all frames given; here every frame has all intensities, so that it is the same.
        assert np.allclose(together[frame], probs(its, array, [frame])[0], atol=1e-5)


@pytest.mark.parametrize("offset", [-1000.0, 1000.0])
def test_an_offset_of_all_intensities_changes_nothing_though_the_image_ends_inside_the_window(offset: float) -> None:
    its = segmenter(Lopsided(), size=(64, 64))
    cine = cine_of(heart(shape=(45, 41), centre=(20.0, 22.0)))
    moved = cine.with_array(cine.array + np.float32(offset))
    cut = its.plan(cine, (20.0, 22.0))
    (_, plain), (_, same) = (next(iter(its.probabilities(one, cut, [0, 1]))) for one in (cine, moved))
    assert np.abs(plain - same).max() < 1e-4


def test_frames_come_back_under_their_own_numbers() -> None:
    cine, its = cine_of(heart((15, 13, 11, 9))), segmenter()
    found = dict(its.probabilities(cine, its.plan(cine, CENTRE), [3, 1]))
    assert sorted(found) == [1, 3]
    assert found[3].argmax(axis=-1).astype(bool).sum() < found[1].argmax(axis=-1).astype(bool).sum()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_number_of_threads_changes_no_bit(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.inference.segmenter._PIXELS_PER_BATCH", {"cpu": 1})  # a frame each
    torch.manual_seed(1)
    net = UNet2d(UNet2dConfig(out_chans=4, chans=(8, 16, 32), across=2)).eval()
    runtime, before = Runtime(device="cpu", precision=precision), torch.get_num_threads()
    its = segmenter(net, size=(64, 64), runtime=runtime)
    found = []
    for n_threads in (1, 2, 3):
        torch.set_num_threads(n_threads)
        found.append(probs(its, heart((15, 13, 11, 9, 12)), [0, 1, 2, 3, 4]))
    torch.set_num_threads(before)
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_bfloat16_comes_out_as_float32() -> None:
    exact, coarse = (
        whole(segmenter(Lopsided(), runtime=Runtime(device="cpu", precision=p)), square_heart())
        for p in ("fp32", "bf16")
    )
    assert coarse.dtype == exact.dtype == np.float32
    assert np.allclose(coarse, exact, atol=0.03) and not np.array_equal(coarse, exact)


def test_a_network_left_in_training_mode_is_put_right() -> None:
    network = NoisyInTraining().train()
    its = segmenter(network)
    assert np.array_equal(whole(its, square_heart()), whole(its, square_heart()))


def test_slices_that_the_model_is_not_shown_are_background() -> None:
    array = heart(n_slices=6)
    its = segmenter(n_slices=4)
    cine = cine_of(array)
    cut = its.plan(cine, CENTRE)
    ((_, prob),) = its.probabilities(cine, cut, [0])
    labels = its.native(prob, cut).argmax(axis=-1)
    assert labels.shape[2] == 6 and not labels[:, :, [0, 5]].any() and labels[:, :, 1:5].any(axis=(0, 1)).all()


def test_its_grid_is_the_card_s() -> None:
    assert segmenter(spacing_mm=2.0).grid(View.SAX).spacing_mm == 2.0


@pytest.mark.parametrize("task", ["landmark", "pretrain", "classify"])
def test_a_model_of_another_task_is_refused(task: Literal["landmark", "pretrain", "classify"]) -> None:
    card = replace(segmenter().card, task=task)
    with pytest.raises(WeightsError, match=f"for the task '{task}'; expected a model for segment"):
        Segmenter(LoadedModel(model=Lopsided(), card=card), CPU)
