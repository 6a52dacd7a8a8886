"""A review keeps corrections as a small file, applies them to a mask, and is refused where it is damaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cinema_cmr.core.edits import Edits, EditStep, RuleChange
from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.report.record.review import REVIEW_FILE, Review, read_review, write_review


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
    assert Review().state(None) == "new"
    assert Review(looked_at="t").state(None) == "looked at"
    assert corrected().state(None) == "corrected"
    assert Review(signed_off="t").state(None) == "signed off"
    assert Review(signed_off="t").with_slice(View.SAX, 0, 0, np.zeros((2, 2), np.uint8)).state(None) == "corrected"
    assert not corrected().with_slice(View.SAX, 1, 2, None).is_corrected


def test_the_state_follows_what_was_done_elsewhere() -> None:
    """Results that `cinema remeasure` corrected are corrected, and a sign-off before that is of other labels."""
    rules = (RuleChange(name="es_frame", model=None, now=3),)
    edits = Edits(rules=rules, steps=(EditStep(time="2026-01-02", version=None),))
    assert Review(looked_at="t").state(edits) == "corrected"
    assert Review(signed_off="2026-01-01").state(edits) == "corrected"
    assert Review(signed_off="2026-01-03").state(edits) == "signed off"
    assert Review(looked_at="t", values={"lv_ef_percent": 50}).state(edits) == "looked at"  # taken back, not written
    assert Review(looked_at="t").state(replace(edits, rules=())) == "looked at"


def test_a_correction_of_another_mask_is_refused() -> None:
    with pytest.raises(InputError, match="slice 2 in frame 1"):
        corrected().apply(View.SAX, np.zeros((5, 4, 2, 2), np.uint8), n_codes=4)


@pytest.mark.parametrize("text", ["{", '{"slices": 3}', '{"unknown": 1}'])
def test_a_damaged_review_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / REVIEW_FILE).write_text(text)
    with pytest.raises(UnreadableFileError, match="expected a review of this program: move it away, or put an intact"):
        read_review(tmp_path)
