"""An R-R interval that the images contradict, by any of its tags, never doubles cardiac output without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cine_frames import RR_MS, N, SliceSpec, blood_ml, ef, true_blood_ml, usual, write
from synthetic_dicom import codes

from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.study import read_dicom

STEP_MS = RR_MS / N


def read(folder: Path, slices: list[SliceSpec], **stated: Any) -> Study:
    tagged = [one.with_(tags=lambda k: {"TriggerTime": k * STEP_MS, **stated}) for one in slices]
    return read_dicom(write(folder, tagged))


@pytest.mark.parametrize(
    "stated",
    [
        {"NominalInterval": RR_MS / 2},
        {"HeartRate": 120000 / RR_MS},
        {"NominalInterval": RR_MS / 2, "HeartRate": 120000 / RR_MS},
    ],
    ids=["interval", "rate", "both"],
)
def test_half_a_beat_is_no_beat(tmp_path: Path, stated: dict[str, float]) -> None:
    slices = usual()
    study = read(tmp_path, slices, **stated)
    (cine,) = study.cines
    assert cine.view is View.SAX and cine.n_frames == N
    assert cine.rr_interval_ms is None and study.subject.heart_rate_bpm is None
    warning = next(one for one in study.issues if one.code == "heart-rate-differs")
    assert warning.severity == "warning" and "--heart-rate" in warning.message
    assert warning.evidence["rr_interval_ms"] == RR_MS / 2
    assert "frames-rephased" not in codes(study)
    assert ef(blood_ml(cine)) == pytest.approx(ef(true_blood_ml(slices)), abs=1)


def test_frames_that_run_into_the_next_beat_confirm_the_interval(tmp_path: Path) -> None:
    slices = [one.with_(phases=tuple(np.arange(round(1.5 * N)) / N)) for one in usual()]
    study = read(tmp_path, slices, NominalInterval=RR_MS)
    (cine,) = study.cines
    assert (cine.rr_interval_ms, cine.n_frames) == (RR_MS, N)
    assert codes(study) == ["frames-rephased"]


def test_two_beats_under_an_interval_of_half_a_beat_are_one_by_the_images(tmp_path: Path) -> None:
    slices = [one.with_(phases=tuple(np.arange(2 * N) / N)) for one in usual()]
    study = read(tmp_path, slices, NominalInterval=RR_MS / 2)
    (cine,) = study.cines
    assert cine.rr_interval_ms == pytest.approx(RR_MS, rel=0.05)
    assert "heart-rate-differs" in codes(study) and "window-longer" in codes(study)


@pytest.mark.parametrize("stated", [{"NominalInterval": 2 * RR_MS}, {"HeartRate": 30000 / RR_MS}])
def test_two_beats_are_reported_whichever_tag_states_them(tmp_path: Path, stated: dict[str, float]) -> None:
    assert "window-incomplete" in codes(read(tmp_path, usual(), **stated))


@pytest.mark.parametrize("beats", [2, 3])
def test_an_interval_of_several_beats_that_the_frames_fill_is_one_beat_by_the_images(
    tmp_path: Path, beats: int
) -> None:
    """As of missed R waves: interval, heart rate and times agree with each other, and cardiac output was a half."""
    slices = [one.with_(phases=tuple(np.arange(beats * N) / N)) for one in usual()]
    study = read(tmp_path, slices, NominalInterval=beats * RR_MS, HeartRate=60000 / (beats * RR_MS))
    (cine,) = study.cines
    assert cine.rr_interval_ms == pytest.approx(RR_MS, rel=0.05) and study.subject.heart_rate_bpm is None
    assert cine.n_frames == N and "window-longer" in codes(study)
    assert ef(blood_ml(cine)) == pytest.approx(ef(true_blood_ml(usual())), abs=1)


def test_one_stated_beat_is_left_as_it_is(tmp_path: Path) -> None:
    study = read(tmp_path, usual(), NominalInterval=RR_MS)
    assert study["sax"].rr_interval_ms == RR_MS and codes(study) == []
