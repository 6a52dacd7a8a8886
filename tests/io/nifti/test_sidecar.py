"""Times and slice distance from the JSON file beside an image."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nifti.sidecar import Sidecar, distance_issues, read_sidecar, with_sidecar_times


def cine(n_frames: int = 20, times: np.ndarray | None = None) -> Cine:
    array = np.zeros((4, 4, 1, n_frames), np.float32)
    return Cine(array=array, affine=np.eye(4), view=View.SAX, slice_positions_mm=np.zeros(1), frame_times_ms=times)


@pytest.mark.parametrize(
    ("content", "sidecar"),
    [
        ('{"TriggerDelayTime": 37.5, "RepetitionTime": 0.04}', Sidecar(trigger_ms=37.5, repetition_ms=40)),
        ('{"FrameTime": 0.03, "NominalInterval": 900}', Sidecar(step_ms=30, cycle_ms=900)),
        ('{"SpacingBetweenSlices": 10}', Sidecar(slice_distance_mm=10)),
        ('{"RepetitionTime": "fast"}', Sidecar()),
        ("[1]", Sidecar()),
        ("{broken", Sidecar()),
        ("[" * 100_000 + "]" * 100_000, Sidecar()),
        ('{"FrameTime": 1' + "0" * 400 + "}", Sidecar()),
        ('{"FrameTime": 1' + "0" * 6000 + "}", Sidecar()),
        ('{"FrameTime": Infinity}', Sidecar()),
    ],
    ids=range(10),
)
def test_what_a_sidecar_states(tmp_path: Path, content: str, sidecar: Sidecar) -> None:
    (tmp_path / "sax.json").write_text(content)
    assert read_sidecar(tmp_path / "sax.nii.gz") == sidecar
    assert read_sidecar(tmp_path / "other.nii.gz") == Sidecar()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_no_sidecar(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "sax.json")
    assert read_sidecar(tmp_path / "sax.nii.gz") == Sidecar()


def test_a_repetition_time_is_a_step_with_a_warning_and_a_stated_step_without() -> None:
    timed, (warning,) = with_sidecar_times(cine(), Sidecar(repetition_ms=40))
    assert warning.severity == "warning" and timed.rr_interval_ms == 800
    timed, (note,) = with_sidecar_times(cine(), Sidecar(step_ms=30, cycle_ms=900))
    assert note.severity == "info" and timed.rr_interval_ms == 900
    assert timed.frame_times_ms is not None and timed.frame_times_ms[1] == 30


def test_a_repetition_time_of_the_sequence_and_known_times_change_nothing() -> None:
    untimed, issues = with_sidecar_times(cine(), Sidecar(repetition_ms=3))
    assert untimed.frame_times_ms is None and issues == []
    known = cine(times=np.arange(20.0) * 25)
    assert with_sidecar_times(known, Sidecar(repetition_ms=40))[1] == []
    assert with_sidecar_times(cine(1), Sidecar(step_ms=30))[1] == []


def test_a_header_step_that_is_the_repetition_time_is_a_warning() -> None:
    """dcm2niix writes the repetition time as the header's time step: of retrospective gating that is another time."""
    known = cine(times=np.arange(20.0) * 40)
    same, (warning,) = with_sidecar_times(known, Sidecar(repetition_ms=40.0))
    assert same is known and (warning.code, warning.severity) == ("frame-step-from-sidecar", "warning")
    assert with_sidecar_times(known, Sidecar(repetition_ms=40.0, step_ms=40.0))[1] == []


def test_a_stated_cycle_is_used_beside_known_times() -> None:
    known = cine(times=np.arange(20.0) * 40)
    assert with_sidecar_times(known, Sidecar(cycle_ms=1000))[0].rr_interval_ms == 1000
    assert with_sidecar_times(known, Sidecar(cycle_ms=1))[0] is known


@pytest.mark.parametrize(("stated", "fires"), [(10.0, True), (8.2, False), (None, False), (2.0, True)])
def test_another_slice_distance_beside_the_image_is_a_warning(stated: float | None, fires: bool) -> None:
    stack = Cine(
        array=np.zeros((4, 4, 3, 1), np.float32),
        affine=np.diag([1.0, 1.0, 8.0, 1.0]),
        view=View.SAX,
        slice_positions_mm=8.0 * np.arange(3),
    )
    issues = distance_issues(stack, Sidecar(slice_distance_mm=stated))
    assert [issue.code for issue in issues] == ["spacing-disagrees"] * fires
    assert distance_issues(cine(), Sidecar(slice_distance_mm=stated)) == []
