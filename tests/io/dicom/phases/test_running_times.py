"""Trigger times that count on from slice to slice, beyond the R waves between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cine_frames import RR_MS, N, SliceSpec, blood_ml, true_blood_ml, usual, write

from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.read import read_study


def counted_on(starts_ms: list[float]) -> list[SliceSpec]:
    """A stack whose slices start at these times by their tags, each at the R wave in truth."""
    return [
        one.with_(tags=lambda k, start=start: {"TriggerTime": start + k * RR_MS / N, "NominalInterval": RR_MS})
        for one, start in zip(usual(), starts_ms, strict=True)
    ]


@pytest.mark.medium
@pytest.mark.parametrize(
    ("step_ms", "flagged"), [(12 * RR_MS, []), (12.31 * RR_MS, ["times-run-on"])], ids=["whole beats", "others"]
)
def test_times_that_count_on_are_those_of_the_first_frame(tmp_path: Path, step_ms: float, flagged: list[str]) -> None:
    slices = counted_on([k * step_ms for k in range(6)])
    study = read_study(write(tmp_path, slices))
    np.testing.assert_allclose(blood_ml(study.cine(View.SAX)), true_blood_ml(slices), rtol=0.02)
    assert [one.code for one in study.issues if one.severity != "info"] == flagged


@pytest.mark.medium
def test_times_past_the_next_r_wave_that_the_images_confirm_stay(tmp_path: Path) -> None:
    starts = [0.0, 0.3, 1.5, 0.0, 2.4, 3.2]
    slices = [
        one.with_(phases=tuple(start + np.arange(N) / N))
        for one, start in zip(counted_on([RR_MS * start for start in starts]), starts, strict=True)
    ]
    study = read_study(write(tmp_path, slices))
    np.testing.assert_allclose(blood_ml(study.cine(View.SAX)), true_blood_ml(slices), rtol=0.05)
    assert not [one.code for one in study.issues if one.severity != "info"]
