"""A review keeps corrections as a small file, applies them to a mask, and is refused where it is damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.serve.review import REVIEW_FILE, Review, read_review, write_review


def corrected() -> Review:
    plane = np.zeros((5, 4), np.uint8)
    plane[1:3, 1:3] = 3
    return Review().with_slice(View.SAX, 1, 2, plane)


def test_a_review_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    review = corrected().with_frames({"es_frame": 3}).acted("brush")
    write_review(review, tmp_path)
    assert read_review(tmp_path) == review
    assert read_review(tmp_path / "none") == Review()


def test_corrections_change_their_slices_alone_and_leave_the_mask_as_it_is() -> None:
    own = np.full((5, 4, 3, 2), 2, np.uint8)
    labels = corrected().apply(View.SAX, own, n_codes=4)
    assert (own == 2).all()
    assert (labels[..., 2, 1] == 3).sum() == 4 and (labels[..., 2, 1] == 0).sum() == 16
    labels[..., 2, 1] = 2
    np.testing.assert_array_equal(labels, own)
    np.testing.assert_array_equal(corrected().apply(View.LAX_2C, own, n_codes=4), own)


def test_the_state_follows_what_was_done() -> None:
    assert Review().state == "new"
    assert Review(looked_at="t").state == "looked at"
    assert corrected().state == "corrected"
    assert Review(signed_off="t").state == "signed off"
    assert Review(signed_off="t").with_slice(View.SAX, 0, 0, np.zeros((2, 2), np.uint8)).state == "corrected"
    assert not corrected().with_slice(View.SAX, 1, 2, None).is_corrected


def test_a_correction_of_another_mask_is_refused() -> None:
    with pytest.raises(InputError, match="slice 2 in frame 1"):
        corrected().apply(View.SAX, np.zeros((5, 4, 2, 2), np.uint8), n_codes=4)


@pytest.mark.parametrize("text", ["{", '{"slices": 3}', '{"unknown": 1}'])
def test_a_damaged_review_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / REVIEW_FILE).write_text(text)
    with pytest.raises(UnreadableFileError, match="review"):
        read_review(tmp_path)
