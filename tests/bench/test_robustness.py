"""A change's outcome, with a network that reads labels off the intensities: what it says can be told beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import Nothing, annotated, heart, segmenter

from cinema_cmr.bench.robustness import ESTIMATORS, outcome, scan_of
from cinema_cmr.core.vocabulary import View


@pytest.mark.medium
def test_an_oracle_is_right_about_what_is_unchanged_or_moved() -> None:
    study = annotated(heart(n_slices=6))
    for change in ("none", "turn-90", "mirrored"):
        found = outcome(study, segmenter(size=(63, 59)), change=change)
        assert found.patient == "heart" and found.change == change
        assert all(frame[name] == 1.0 for frame in found.dice for name in ("rv", "myo", "lv"))
        # Radii of 15 and 10 mm: the area falls to 4/9 of what it was.
        assert found.measured["lv_ef_percent"] == found.reference["lv_ef_percent"] == pytest.approx(55.6, abs=1)
        assert min(found.confidence) > 0.99
        for frame in found.estimators:
            assert set(frame) == set(ESTIMATORS)
            assert all(value > 0.99 for its in frame.values() for value in its.values())


@pytest.mark.medium
def test_missing_ends_change_what_is_measured_and_not_the_reference() -> None:
    study = annotated(heart((15.0, 10.0), n_slices=6))
    study.labels[View.SAX].array[:, :, [0, 5], 1] = 0
    whole, ends = (outcome(study, segmenter(size=(63, 59)), change=change) for change in ("none", "ends-missing"))
    assert whole.reference == ends.reference
    # ES lacks the outer two of six slices: 1 - 4/9 * 4/6; without those slices 1 - 4/9.
    assert ends.reference["lv_ef_percent"] == pytest.approx(100 * (1 - 4 / 9 * 4 / 6), abs=1.5)
    assert ends.measured["lv_ef_percent"] == pytest.approx(55.6, abs=1)
    assert "few-slices" in ends.flags and "few-frames" in ends.notes


def test_a_network_that_finds_nothing_is_flagged_and_has_no_confidence() -> None:
    found = outcome(annotated(heart(n_slices=6)), segmenter(Nothing()))
    assert all(value == 0.0 for frame in found.dice for value in frame.values())
    assert set(found.measured) == {"lv_ef_percent", "rv_ef_percent"}
    assert np.isnan(list(found.measured.values())).all()
    assert "structure-missing" in found.flags and np.isnan(found.confidence).all()


def test_a_scan_has_the_labelled_frames_alone() -> None:
    study = annotated(heart((15.0, 12.0, 10.0)), frames=(0, 2))
    scan = scan_of(study)
    assert scan.cine.n_frames == 2 and np.array_equal(scan.labels, study.labels[View.SAX].array[..., [0, 2]])
    assert np.array_equal(scan.cine.array, study.study.cine(View.SAX).array[..., [0, 2]])


def test_of_a_heart_larger_than_the_window_the_last_answers_count() -> None:
    found = outcome(annotated(heart(n_slices=6)), segmenter(size=(32, 32)))
    assert "heart-exceeds-fov" in found.notes
    assert len(found.estimators) == len(found.confidence) == 2
    assert all(frame["turned_dice"]["lv"] > 0.9 for frame in found.estimators)
