"""Which of several short-axis stacks is measured, and what is reported of the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cine_frames import N, blood_ml, true_blood_ml, ungated, usual, write
from synthetic_dicom import HEART, short_axis_planes

from cinema_cmr.core.geometry import lps_to_ras
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.study import read_dicom
from cinema_cmr.views.candidate import Candidate, ViewDecision
from cinema_cmr.views.competing import describe_preference, left_out_issues, looks_tagged, preferred_stack


def stack(
    n: int = 10,
    *,
    rr_ms: float | None = 900.0,
    n_frames: int = 20,
    from_mm: float = 0.0,
    pixel_mm: float = 3.0,
    **facts: object,
) -> Candidate:
    plane = short_axis_planes(HEART, n=1)[0].moved(from_mm)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = plane.row * pixel_mm, plane.column * pixel_mm
    affine[:3, 2], affine[:3, 3] = plane.normal * 10.0, plane.position
    cine = Cine(
        array=np.zeros((64, 64, n, n_frames), dtype=np.float32),
        affine=lps_to_ras(affine),
        view=View.OTHER,
        slice_positions_mm=10.0 * np.arange(n),
        rr_interval_ms=rr_ms,
        label=f"{n} slices",
    )
    return Candidate(cine=cine, **facts)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (stack(9), stack(10, tagged=True)),
        (stack(9), stack(10, gated=False)),
        (stack(9, n_frames=20), stack(10, n_frames=60, gated=False, acquisition_order=(9.0,))),
        (stack(10, rr_ms=900), stack(10, rr_ms=600, acquisition_order=(9.0,))),
        (stack(10, rr_ms=None), stack(10, rr_ms=None, hints=("stress",), acquisition_order=(9.0,))),
        (stack(10, gated=False), stack(3)),
        (stack(10, acquisition_order=(2.0,)), stack(10, acquisition_order=(1.0,))),
        (stack(9), stack(10, pixel_mm=6.0, acquisition_order=(9.0,))),
    ],
    ids=[
        "tagged",
        "real-time",
        "more frames without gating",
        "rate",
        "stress",
        "too short to prefer",
        "later",
        "preview",
    ],
)
def test_the_kind_decides_between_stacks_of_comparable_length(better: Candidate, worse: Candidate) -> None:
    assert preferred_stack([0, 1], [better, worse]) == 0
    assert preferred_stack([0, 1], [worse, better]) == 1


def test_the_clearer_of_two_equal_stacks_is_measured_and_one_that_moves() -> None:
    rng = np.random.default_rng(0)
    earlier, later = stack(4, n_frames=8), stack(4, n_frames=8, acquisition_order=(9.0,))
    clear = 100 + 800 * rng.random((8, 8, 4, 8)).repeat(8, axis=0).repeat(8, axis=1)
    noisy = np.maximum(clear + rng.normal(0, 90, clear.shape), 0)
    alike = np.maximum(clear + rng.normal(0, 5, clear.shape), 0)
    still = np.repeat(clear[..., :1], 8, axis=3)

    def with_images(one: Candidate, images: np.ndarray) -> Candidate:
        return replace(one, cine=replace(one.cine, array=images.astype(np.float32)))

    for worse, why in ((noisy, "with more noise"), (still, "of one and the same image in all frames")):
        pair = [with_images(earlier, alike), with_images(later, worse)]
        assert preferred_stack([0, 1], pair) == 0 and describe_preference(pair[1], pair[0]) == why
    assert preferred_stack([0, 1], [with_images(earlier, clear), with_images(later, alike)]) == 1


def test_the_kind_is_described() -> None:
    assert describe_preference(stack(tagged=True), stack()) == "tagged"
    assert describe_preference(stack(gated=False), stack()) == "without gating"
    assert describe_preference(stack(rr_ms=500), stack(rr_ms=1000)) == "under stress, 120 beats per minute, not 60"
    assert describe_preference(stack(pixel_mm=6), stack()) == "with much larger pixels"
    assert describe_preference(stack(), stack()) == ""


KEPT = ViewDecision(view=View.SAX, kept=True, reason="")
LEFT = replace(KEPT, kept=False)


def test_a_rival_stack_is_one_flag_however_many() -> None:
    found = left_out_issues([stack(), stack(gated=False), stack(rr_ms=500)], [KEPT, LEFT, LEFT])
    assert [(one.code, one.severity) for one in found] == [("short-axis-left-out", "warning")]
    assert found[0].evidence["n_stacks"] == 2


def test_a_tagged_rival_changes_no_number() -> None:
    (issue,) = left_out_issues([stack(), stack(tagged=True)], [KEPT, LEFT])
    assert issue.severity == "info"


@pytest.mark.parametrize(("from_mm", "n"), [(100.0, 5), (-50.0, 5), (100.0, 1)])
@pytest.mark.parametrize("view", [View.SAX, View.OTHER])
def test_slices_that_continue_the_stack_are_an_error(from_mm: float, n: int, view: View) -> None:
    (issue,) = left_out_issues([stack(), stack(n, from_mm=from_mm)], [KEPT, replace(LEFT, view=view)])
    assert (issue.code, issue.severity) == ("short-axis-continues", "error")
    assert issue.evidence["beyond_mm"] == pytest.approx(10.0 * n)


@pytest.mark.parametrize("size", [0.5, 2.0])
def test_slices_whose_pixel_size_is_wrong_are_an_error(size: float) -> None:
    # Their first pixels lie where they should, their centres do not.
    rest = stack(5, from_mm=100.0)
    affine = rest.cine.affine.copy()
    affine[:3, :2] *= size
    wrong = replace(rest, cine=replace(rest.cine, affine=affine))
    (issue,) = left_out_issues([stack(), wrong], [KEPT, LEFT])
    assert (issue.code, issue.severity, issue.evidence["n_slices"]) == ("short-axis-continues", "error", 5)


def test_slices_far_away_do_not_continue_it() -> None:
    assert left_out_issues([stack(), stack(4, from_mm=250.0)], [KEPT, replace(LEFT, view=View.OTHER)]) == []


def test_tagging_lines_are_seen() -> None:
    one = stack(3)
    images = np.stack([HEART.image(plane, 0.0).T for plane in short_axis_planes(HEART, n=3)], axis=2)[..., None]
    noise = np.random.default_rng(0).normal(0, 20, images.shape)
    lines = (0.7 + 0.3 * np.cos(2 * np.pi * np.arange(64) * 3.0 / 8))[:, None, None, None]
    assert not looks_tagged(one.cine.with_array((images + noise).astype(np.float32)))
    assert looks_tagged(one.cine.with_array((images * lines + noise).astype(np.float32)))


@pytest.mark.medium
@pytest.mark.parametrize("kind", ["real-time", "stress", "tagged"])
def test_another_stack_beside_never_changes_a_number(tmp_path: Path, kind: str) -> None:
    slices = usual(4)
    facts = {
        "real-time": {"tags": ungated, "phases": np.arange(N) / N + 0.4},
        "stress": {"tags": lambda k: {"TriggerTime": 25.0 * k, "NominalInterval": 500.0}},
        "tagged": {"tagged": True},
    }[kind]
    study = read_dicom(write(tmp_path, [*slices, *(one.with_(series=20 + one.series, **facts) for one in slices)]))
    np.testing.assert_allclose(blood_ml(study["sax"]), true_blood_ml(slices), rtol=1e-5)
    (issue,) = (one for one in study.issues if one.code == "short-axis-left-out")
    assert issue.severity == ("info" if kind == "tagged" else "warning")
