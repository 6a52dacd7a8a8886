"""Classification scores against hand counts, identities, and scikit-learn where it is installed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.score.classification import (
    Threshold,
    auroc,
    balanced_accuracy,
    calibration_error,
    choose_threshold,
    confusion_matrix,
    matthews_correlation,
    score_binary,
    score_classes,
)

HALF = Threshold(value=0.5, chosen_on="convention")


def several_classes(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels (90,) of 4 classes and probabilities that know something about them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, size=90)
    probs = rng.random((90, 4)) + 0.7 * np.eye(4)[labels]
    return labels, probs / probs.sum(axis=1, keepdims=True)


def test_binary_scores_by_hand() -> None:
    """True positives 2 of 3, true negatives 4 of 5."""
    labels = [1, 1, 1, 0, 0, 0, 0, 0]
    found = score_binary(labels, [0.9, 0.6, 0.4, 0.5, 0.3, 0.2, 0.1, 0.1], threshold=HALF)
    assert found.sensitivity == pytest.approx(2 / 3)
    assert found.specificity == pytest.approx(4 / 5)
    assert found.balanced_accuracy == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert found.matthews == pytest.approx((2 * 4 - 1 * 1) / math.sqrt(3 * 3 * 5 * 5))
    assert found.auroc == pytest.approx(14 / 15)
    assert found.n == 8


def test_at_the_threshold_counts_as_positive() -> None:
    assert score_binary([1, 0], [0.5, 0.49], threshold=HALF).sensitivity == 1


def test_row_is_the_truth() -> None:
    assert confusion_matrix([0, 0, 2], [0, 1, 2], n_classes=3).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_auroc_counts_pairs_with_ties_half() -> None:
    assert auroc([0, 1], [0.2, 0.8]) == 1
    assert auroc([1, 0], [0.2, 0.8]) == 0
    assert auroc([0, 1, 1], [0.5, 0.5, 0.9]) == pytest.approx(0.75)


def test_auroc_sees_only_the_order() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, size=50), rng.normal(size=50)
    assert auroc(labels, scores) == pytest.approx(auroc(labels, np.exp(3 * scores)))
    assert auroc(labels, -scores) == pytest.approx(1 - auroc(labels, scores))


def test_what_cannot_be_measured_is_not_a_number() -> None:
    found = score_binary([0, 0, 0], [0.1, 0.7, 0.2], threshold=HALF)
    assert math.isnan(found.sensitivity)
    assert math.isnan(found.auroc)
    assert math.isnan(found.matthews)
    assert found.specificity == pytest.approx(2 / 3)
    assert found.balanced_accuracy == pytest.approx(2 / 3)


def test_one_answer_for_all_is_chance() -> None:
    assert matthews_correlation(confusion_matrix([0, 1, 1], [1, 1, 1], n_classes=2)) == 0


def test_two_classes_give_the_same_either_way() -> None:
    rng = np.random.default_rng(1)
    labels, positive = rng.integers(0, 2, size=40), rng.random(40)
    binary = score_binary(labels, positive, threshold=HALF)
    classes = score_classes(labels, np.stack([1 - positive, positive], axis=1))
    assert classes.balanced_accuracy == pytest.approx(binary.balanced_accuracy)
    assert classes.matthews == pytest.approx(binary.matthews)
    assert classes.auroc == pytest.approx(binary.auroc)
    assert classes.calibration_error == pytest.approx(binary.calibration_error)


def test_renaming_the_classes_changes_nothing() -> None:
    labels, probs = several_classes(2)
    new_name = np.array([2, 0, 3, 1])
    renamed = np.empty_like(probs)
    renamed[:, new_name] = probs
    before, after = vars(score_classes(labels, probs)), vars(score_classes(new_name[labels], renamed))
    assert after == pytest.approx(before)


def test_calibration_error_by_hand() -> None:
    """Four patients at confidence 0.8, three of them right: off by 0.05. One at 0.6, wrong: off by 0.6."""
    probs = [[0.8, 0.2]] * 4 + [[0.4, 0.6]]
    assert calibration_error([0, 0, 0, 1, 0], probs) == pytest.approx((4 * 0.05 + 0.6) / 5)


def test_an_honest_classifier_has_hardly_any_calibration_error() -> None:
    rng = np.random.default_rng(3)
    positive = rng.random(40_000)
    labels = (rng.random(40_000) < positive).astype(int)
    probs = np.stack([1 - positive, positive], axis=1)
    assert calibration_error(labels, probs) < 0.012
    sure = np.where(probs > 0.5, 0.99, 0.01)
    assert calibration_error(labels, sure) > 0.2


def test_threshold_parts_the_classes() -> None:
    found = choose_threshold([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.9], split="validation")
    assert found.value == pytest.approx(0.25)
    assert found.chosen_on == "validation"


def test_threshold_is_the_best_of_all() -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, size=80)
    positive = np.clip(0.2 + 0.2 * labels + rng.normal(0, 0.15, size=80), 0, 1)
    chosen = choose_threshold(labels, positive, split="validation")
    best = score_binary(labels, positive, threshold=chosen).balanced_accuracy
    for value in np.linspace(0, 1, 201):
        other = score_binary(labels, positive, threshold=Threshold(value=value, chosen_on="convention"))
        assert other.balanced_accuracy <= best + 1e-12


@pytest.mark.parametrize("split", ["test", "train", "Validation "])
def test_threshold_is_never_chosen_on_the_test_split(split: str) -> None:
    with pytest.raises(UsageError, match="expected 'validation'"):
        choose_threshold([0, 1], [0.1, 0.9], split=split)


def test_threshold_needs_both_classes() -> None:
    with pytest.raises(InputError, match="patients of both"):
        choose_threshold([1, 1], [0.1, 0.9], split="validation")


@pytest.mark.parametrize(
    ("labels", "probs", "match"),
    [
        ([0, 1], [[0.5, 0.5]], "labels have shape"),
        ([], np.empty((0, 2)), "labels have shape"),
        ([0, 2], [[0.5, 0.5]] * 2, "expected codes of 2 classes"),
        ([0, 1], [[2.0, -1.0], [0.5, 0.5]], "outside 0 to 1"),
        ([0, 1], [[0.7, 0.7], [0.5, 0.5]], "summing to 1"),
        ([0, 1], [[np.nan, 0.5], [0.5, 0.5]], "NaN"),
    ],
)
def test_unusable_input_is_refused(labels: list[int], probs: list[list[float]], match: str) -> None:
    with pytest.raises(InputError, match=match):
        score_classes(labels, probs)


def test_agrees_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    labels, probs = several_classes(5)
    found, answers = score_classes(labels, probs), probs.argmax(axis=1)
    assert found.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(labels, answers))
    assert found.matthews == pytest.approx(metrics.matthews_corrcoef(labels, answers))
    assert found.auroc == pytest.approx(metrics.roc_auc_score(labels, probs, multi_class="ovr"))
    each = [metrics.recall_score(labels != index, answers != index) for index in range(4)]
    assert found.specificity == pytest.approx(np.mean(each))


def test_balanced_accuracy_gives_each_class_the_same_weight() -> None:
    assert balanced_accuracy([0, 0, 0, 1], [1, 1, 1, 0]) == 0.5
    assert balanced_accuracy([0, 0, 2], [1, 0, 1]) == 0.75
