"""A teacher's probabilities: on the native grid, smoothed over a closed cycle, predicted once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles import cine_of, heart, segmenter

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.inference import soft_labels
from cinema_cmr.inference.soft_labels import cached_soft_labels, predict_soft_labels, smooth_over_frames

LABELS = heart((15.0, 10.0))


def test_probabilities_of_a_sure_teacher_are_the_labels_and_nothing_outside_its_view() -> None:
    soft = predict_soft_labels(cine_of(LABELS), segmenter())
    assert soft.array.shape == (*LABELS.shape, 4) and soft.array.dtype == np.uint8 and soft.teacher == "oracle"
    inside = soft.array.sum(axis=-1, dtype=int) > 250
    assert 0.3 < inside.mean() < 0.7 and not soft.array[0, 0].any()
    assert (soft.array.argmax(axis=-1) == LABELS)[LABELS > 0].mean() > 0.97


def test_frames_are_averaged_with_their_neighbours_round_the_cycle() -> None:
    probs = np.zeros((1, 1, 1, 12, 1), np.float32)
    probs[..., 0, :] = 1
    smooth = smooth_over_frames(probs)[0, 0, 0, :, 0]
    assert smooth[[0, 1, 11]].tolist() == [0.5, 0.25, 0.25] and smooth.sum() == pytest.approx(1)
    assert smooth_over_frames(probs[..., :9, :]) is not None and smooth_over_frames(probs[..., :9, :])[0, 0, 0, 0] == 1


def test_labels_are_predicted_once_and_again_for_other_images_or_another_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cine, teacher = cine_of(LABELS), segmenter()
    first = cached_soft_labels(cine, teacher, tmp_path)
    darker = cine.with_array(cine.array * 0.5)
    other = segmenter()
    other.card = replace(other.card, weights_sha256="f" * 64)
    cached_soft_labels(darker, teacher, tmp_path)
    cached_soft_labels(cine, other, tmp_path)
    cached_soft_labels(cine, segmenter(tta=2), tmp_path)
    affine = cine.affine * np.array([1, 1, 2, 1])
    apart = replace(cine, affine=affine, slice_positions_mm=2 * cine.slice_positions_mm)
    cached_soft_labels(apart, teacher, tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 5
    monkeypatch.setattr(soft_labels, "predict_soft_labels", None)
    assert np.array_equal(cached_soft_labels(cine, teacher, tmp_path).array, first.array)


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "flipped", "other"])
def test_damaged_labels_are_named_with_the_way_out(damage: str, tmp_path: Path) -> None:
    cine, teacher = cine_of(LABELS), segmenter()
    cached_soft_labels(cine, teacher, tmp_path)
    [path] = tmp_path.glob("*.npz")
    whole = path.read_bytes()
    flipped = whole[:200] + bytes([whole[200] ^ 255]) + whole[201:]
    path.write_bytes({"empty": b"", "cut": whole[:-300], "text": b"labels", "flipped": flipped, "other": b""}[damage])
    if damage == "other":
        np.savez(path, probs=np.zeros(3))
    with pytest.raises(UnreadableFileError, match=rf"'{path.name}' are damaged .* delete the file"):
        cached_soft_labels(cine, teacher, tmp_path)
