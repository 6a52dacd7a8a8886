"""Slices taken twice: the acquisition whose images fit their neighbours is used, whatever its order or description."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from cine_frames import SliceSpec, blood_ml, ef, true_blood_ml, usual, write
from numpy.typing import NDArray
from synthetic_dicom import Heart, Plane

from cinema_cmr.core.study import Issue, Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.study import read_dicom


@dataclass(frozen=True, kw_only=True)
class Ghosted(Heart):
    """The heart in images spoilt by breathing: copies along one direction."""

    def image(self, plane: Plane, phase: float) -> NDArray[np.uint16]:
        sound = super().image(plane, phase).astype(np.float64)
        return np.mean([np.roll(sound, k, axis=0) for k in range(0, 64, 16)], axis=0).astype(np.uint16)


@dataclass(frozen=True, kw_only=True)
class Phase(Heart):
    """The phase of the signal: noise where there is no flow."""

    def image(self, plane: Plane, phase: float) -> NDArray[np.uint16]:
        sound = super().image(plane, phase)
        seed = [round(1000 * phase), *np.abs(plane.position).round().astype(int)]
        return np.random.default_rng(seed).integers(0, 4096, sound.shape).astype(np.uint16)


pytestmark = pytest.mark.medium

BASE = [one.with_(series=7) for one in usual()]
TRUE_EF = ef(true_blood_ml(BASE))


def study(folder: Path, *, stack: list[SliceSpec], again: SliceSpec) -> Study:
    return read_dicom(write(folder, [*stack, again]))


def spoilt(k: int) -> list[SliceSpec]:
    return [one.with_(heart=Ghosted()) if j == k else one for j, one in enumerate(BASE)]


def repeated(study: Study) -> Issue:
    (issue,) = (one for one in study.issues if one.code == "slices-repeated")
    return issue


def described(k: int) -> dict[str, object]:
    return {"TriggerTime": k * 40.0, "NominalInterval": 800.0, "SeriesDescription": "cine sa repeat"}


@pytest.mark.parametrize(
    "again",
    [BASE[2].with_(heart=Ghosted()), BASE[2].with_(tagged=True), BASE[2].with_(heart=Ghosted(), tags=described)],
    ids=["ghosts", "lines", "described"],
)
def test_a_spoilt_retake_does_not_replace_the_slice(tmp_path: Path, again: SliceSpec) -> None:
    found = study(tmp_path, stack=BASE, again=again.with_(series=20))
    assert ef(blood_ml(found.cine(View.SAX))) == pytest.approx(TRUE_EF, abs=1)
    issue = repeated(found)
    assert (issue.severity, issue.evidence["kept"], issue.evidence["left_out"]) == ("warning", "series 7", "series 20")
    assert issue.evidence["decided_by"] == "images"


@pytest.mark.parametrize("series", [3, 20], ids=["earlier", "later"])
def test_a_good_acquisition_replaces_the_spoilt_one_before_or_after_it(tmp_path: Path, series: int) -> None:
    found = study(tmp_path, stack=spoilt(2), again=BASE[2].with_(series=series))
    assert ef(blood_ml(found.cine(View.SAX))) == pytest.approx(TRUE_EF, abs=1)
    assert repeated(found).evidence["kept"] == f"series {series}"


def test_of_two_good_ones_the_order_decides(tmp_path: Path) -> None:
    issue = repeated(study(tmp_path, stack=BASE, again=BASE[2].with_(series=20)))
    assert (issue.evidence["kept"], issue.evidence.get("decided_by")) == ("series 20", None)


def test_a_spoilt_repeat_within_the_series_does_not_replace_the_slice(tmp_path: Path) -> None:
    found = study(tmp_path, stack=BASE, again=BASE[2].with_(heart=Ghosted()))
    assert ef(blood_ml(found.cine(View.SAX))) == pytest.approx(TRUE_EF, abs=1)
    assert "their other images were used" in repeated(found).message
    left = next(one.reason for one in found.decisions if one.series == "series 7")
    assert "deviate more from those of the neighbouring slices" in left


def test_without_a_slice_taken_once_the_order_decides(tmp_path: Path) -> None:
    """All three slices of a short stack again: no neighbour to compare with."""
    short = [one.with_(series=7) for one in usual(3)]
    found = read_dicom(write(tmp_path, [*short, *(one.with_(series=20, heart=Ghosted()) for one in short)]))
    assert not [one for one in found.issues if one.evidence.get("decided_by") == "images"]


def test_phase_images_that_nothing_marks_are_not_measured(tmp_path: Path) -> None:
    found = read_dicom(write(tmp_path, [*BASE, *(one.with_(heart=Phase()) for one in BASE)]))
    assert ef(blood_ml(found.cine(View.SAX))) == pytest.approx(TRUE_EF, abs=1)
    assert "mostly noise" in repeated(found).message
