"""Losses against values worked out by hand, and what must not count: ignored voxels."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from cinema_cmr.models.losses import cross_entropy, distillation, merge_undrawn, soft_dice

IGNORE_INDEX = 255


def logits_of(probs: list[list[float]]) -> Tensor:
    """Chances of each class by voxel -> logits (1, c, n)."""
    return torch.tensor(probs).log().T[None].contiguous()


def labels_of(codes: list[int]) -> Tensor:
    return torch.tensor([codes], dtype=torch.uint8)


def volumes(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (2, 5, 4, 3), generator=generator, dtype=torch.uint8)
    labels[1, :, :, 2] = IGNORE_INDEX
    return torch.randn(2, 4, 5, 4, 3, generator=generator, requires_grad=True), labels


def test_cross_entropy_by_hand() -> None:
    loss = cross_entropy(logits_of([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]), labels_of([0, 0, 1]))
    assert float(loss) == pytest.approx(-(math.log(0.5) + math.log(0.9) + math.log(0.8)) / 3, rel=1e-5)


def test_cross_entropy_is_the_mean_over_what_is_not_ignored() -> None:
    probs = [[0.5, 0.5], [0.01, 0.99], [0.2, 0.8]]
    loss = cross_entropy(logits_of(probs), labels_of([0, IGNORE_INDEX, 1]))
    assert float(loss) == pytest.approx(-(math.log(0.5) + math.log(0.8)) / 2, rel=1e-5)


def test_soft_dice_by_hand() -> None:
    loss = soft_dice(logits_of([[0.3, 0.7], [0.8, 0.2], [0.4, 0.6]]), labels_of([1, 0, 1]), smooth=1.0)
    assert float(loss) == pytest.approx(1 - (2 * (0.7 + 0.6) + 1) / ((0.7 + 0.2 + 0.6) + 2 + 1), rel=1e-5)


def test_soft_dice_is_the_mean_over_classes_and_samples() -> None:
    logits, labels = volumes()
    whole = float(soft_dice(logits.detach(), labels))
    prob = logits.detach().softmax(dim=1)
    parts = []
    for sample in range(2):
        counted = labels[sample] != IGNORE_INDEX
        for code in (1, 2, 3):
            truth = (labels[sample] == code)[counted].float()
            its = prob[sample, code][counted]
            parts.append(1 - (2 * (its * truth).sum() + 10) / (its.sum() + truth.sum() + 10))
    assert whole == pytest.approx(float(torch.stack(parts).mean()), rel=1e-5)


def test_over_the_batch_a_class_that_few_samples_hold_is_counted_once() -> None:
    logits = torch.cat([logits_of([[0.3, 0.7], [0.8, 0.2]]), logits_of([[0.9, 0.1], [0.6, 0.4]])])
    labels = torch.tensor([[1, 0], [0, 0]], dtype=torch.uint8)
    loss = soft_dice(logits, labels, smooth=1.0, over_batch=True)
    assert float(loss) == pytest.approx(1 - (2 * 0.7 + 1) / (0.7 + 0.2 + 0.1 + 0.4 + 1 + 1), rel=1e-5)


def test_a_perfect_answer_costs_nothing_and_a_wrong_one_costs_one() -> None:
    labels = torch.randint(0, 4, (1, 30, 30, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    right = torch.nn.functional.one_hot(labels.long(), 4).movedim(-1, 1).float() * 60
    assert float(soft_dice(right, labels)) < 1e-4 and float(cross_entropy(right, labels)) < 1e-4
    assert float(soft_dice(right.roll(1, dims=1), labels)) > 0.98


def test_an_absent_class_asks_for_an_empty_answer() -> None:
    labels = torch.zeros(1, 8, 8, dtype=torch.uint8)
    empty, full = torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 8, 8)
    empty[:, 0], full[:, 1] = 60, 60
    assert float(soft_dice(empty, labels)) == pytest.approx(0, abs=1e-5)
    assert float(soft_dice(full, labels)) > 0.8


@pytest.mark.parametrize("loss", [cross_entropy, soft_dice])
def test_ignored_voxels_count_in_nothing(loss: object) -> None:
    assert callable(loss)
    logits, labels = volumes()
    value = loss(logits, labels)
    value.backward()
    gradient = logits.grad
    assert gradient is not None and not gradient[1, ..., 2].any() and gradient[1, ..., :2].any()
    other = logits.detach().clone()
    other[1, ..., 2] = 50 * torch.randn(4, 5, 4)
    assert float(loss(other, labels)) == pytest.approx(float(value.detach()), rel=1e-6)


@pytest.mark.parametrize("loss", [cross_entropy, soft_dice])
def test_all_ignored_is_no_error_and_teaches_nothing(loss: object) -> None:
    assert callable(loss)
    logits, labels = volumes()
    value = loss(logits, torch.full_like(labels, IGNORE_INDEX))
    value.backward()
    assert float(value.detach()) == 0 and logits.grad is not None and not logits.grad.any()


def test_half_precision_logits_are_summed_in_full() -> None:
    logits, labels = volumes()
    for loss in (cross_entropy, soft_dice):
        assert loss(logits.bfloat16(), labels).dtype == torch.float32


def test_a_class_counts_by_its_weight_and_equal_weights_change_nothing() -> None:
    logits, labels = logits_of([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]), labels_of([0, 0, 1])
    weighted = cross_entropy(logits, labels, weights=(1.0, 3.0))
    assert float(weighted) == pytest.approx(-(math.log(0.5) + math.log(0.9) + 3 * math.log(0.8)) / 3, rel=1e-5)
    assert float(cross_entropy(logits, labels, weights=(1.0, 1.0))) == pytest.approx(
        float(cross_entropy(logits, labels))
    )


ONLY_THIRD = torch.tensor([[True, False, False, True]] * 2)


def only_third(labels: Tensor) -> Tensor:
    """The labels of an expert who drew class 3 alone."""
    return torch.where((labels == 3) | (labels == IGNORE_INDEX), labels, 0)


def test_where_all_is_drawn_the_losses_are_the_usual_ones() -> None:
    logits, labels = volumes()
    drawn = torch.ones(2, 4, dtype=torch.bool)
    for loss in (cross_entropy, soft_dice):
        assert float(loss(logits, labels, drawn=drawn).detach()) == pytest.approx(float(loss(logits, labels).detach()))
    assert torch.allclose(merge_undrawn(logits, drawn), logits)


def test_merged_background_has_the_probability_of_all_that_was_not_drawn() -> None:
    logits, _ = volumes()
    prob, merged = logits.softmax(1), merge_undrawn(logits, ONLY_THIRD).softmax(1)
    assert torch.allclose(merged[:, 0], prob[:, :3].sum(1), atol=1e-6) and torch.allclose(merged[:, 3], prob[:, 3])
    assert not merged[:, 1:3].any()


def test_undrawn_classes_may_change_places_at_no_cost_and_no_gradient_tells_them_apart() -> None:
    logits, labels = volumes()
    swapped = logits.detach()[:, [2, 0, 1, 3]]
    for loss in (cross_entropy, soft_dice):
        value = loss(logits, only_third(labels), drawn=ONLY_THIRD)
        assert float(loss(swapped, only_third(labels), drawn=ONLY_THIRD)) == pytest.approx(float(value.detach()))
        logits.grad = None
        value.backward()
        assert logits.grad is not None and logits.grad[:, 3].any()
        # By probability: the gradient is the same for each of the merged classes, so none gains on another.
        of_prob = logits.grad[:, :3] / logits.detach().softmax(1)[:, :3]
        assert torch.allclose(of_prob, of_prob[:, :1].expand_as(of_prob), atol=1e-5)


def test_a_structure_that_was_not_drawn_is_not_learned_as_background() -> None:
    labels = torch.zeros(1, 8, 8, dtype=torch.uint8)
    wall = torch.zeros(1, 4, 8, 8)
    wall[:, 2] = 60
    drawn = ONLY_THIRD[:1]
    assert float(cross_entropy(wall, labels, drawn=drawn)) < 1e-5 and float(cross_entropy(wall, labels)) > 10
    assert float(soft_dice(wall, labels, drawn=drawn)) < 1e-5 and float(soft_dice(wall, labels)) > 0.2


def test_samples_with_other_drawn_classes_share_a_batch() -> None:
    logits, labels = volumes()
    drawn = torch.tensor([[True] * 4, [True, False, False, True]])
    labels[1] = only_third(labels)[1]
    parts = [soft_dice(logits[:1], labels[:1]), soft_dice(logits[1:], labels[1:], drawn=drawn[1:])]
    expected = (3 * float(parts[0].detach()) + float(parts[1].detach())) / 4
    assert float(soft_dice(logits, labels, drawn=drawn).detach()) == pytest.approx(expected, rel=1e-5)


def test_dice_over_the_batch_leaves_out_samples_without_the_class() -> None:
    logits, labels = volumes()
    drawn = torch.tensor([[True] * 4, [True, False, False, True]])
    labels[1] = only_third(labels)[1]
    loss = soft_dice(logits, labels, drawn=drawn, over_batch=True)
    loss.backward()
    changed = logits.detach().clone()
    changed[1, [1, 2]] = changed[1, [2, 1]]
    assert float(soft_dice(changed, labels, drawn=drawn, over_batch=True)) == pytest.approx(float(loss.detach()))


def test_a_teacher_is_followed_where_nothing_was_drawn_and_nowhere_else() -> None:
    logits, labels = volumes()
    teacher = torch.randn(logits.shape, generator=torch.Generator().manual_seed(3)).softmax(1)
    complete = distillation(logits[:1], labels[:1], teacher[:1])
    assert float(complete.detach()) == 0
    part = distillation(logits, only_third(labels), teacher, drawn=ONLY_THIRD)
    part.backward()
    assert logits.grad is not None
    drawn = (labels == 3).unsqueeze(1).expand_as(logits)
    assert not logits.grad[drawn].any() and not logits.grad[:, 3][labels == 0].any()
    assert logits.grad[:, :3].any()


def test_without_labels_the_teacher_s_loss_is_the_cross_entropy_of_its_probabilities() -> None:
    logits, labels = volumes()
    teacher = torch.randn(logits.shape, generator=torch.Generator().manual_seed(3)).softmax(1)
    loss = distillation(logits.detach(), torch.full_like(labels, IGNORE_INDEX), teacher)
    expected = -(teacher * logits.detach().log_softmax(1)).sum(1).mean()
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_the_teacher_among_open_classes_by_hand() -> None:
    # The expert drew class 1 alone and not here; the teacher gives it 0.5, which does not count.
    logits, teacher = logits_of([[0.2, 0.4, 0.4]]), torch.tensor([[[0.1], [0.5], [0.4]]])
    loss = distillation(logits, labels_of([0]), teacher, drawn=torch.tensor([[True, True, False]]))
    assert float(loss) == pytest.approx(-(0.1 * math.log(0.2 / 0.6) + 0.4 * math.log(0.4 / 0.6)), rel=1e-5)


def test_the_background_of_a_teacher_of_fewer_classes_holds_the_further_ones() -> None:
    logits, teacher = logits_of([[0.1, 0.3, 0.6]]), torch.tensor([[[0.75], [0.25]]])
    unknown = labels_of([IGNORE_INDEX])
    expected = -(0.75 * math.log(0.1 + 0.6) + 0.25 * math.log(0.3))
    assert float(distillation(logits, unknown, teacher)) == pytest.approx(expected, rel=1e-5)
    drawn = torch.tensor([[True, False, True]])
    known = distillation(logits, labels_of([0]), teacher, drawn=drawn)  # the further class was drawn, and is not here
    assert float(known) == pytest.approx(-(0.75 * math.log(0.25) + 0.25 * math.log(0.75)), rel=1e-5)


def test_outside_the_teacher_s_field_of_view_it_teaches_nothing() -> None:
    logits, labels = volumes()
    loss = distillation(logits, torch.full_like(labels, IGNORE_INDEX), torch.zeros_like(logits))
    loss.backward()
    assert float(loss.detach()) == 0 and logits.grad is not None and not logits.grad.any()
