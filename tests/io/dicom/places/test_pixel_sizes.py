"""Slices with a wrong pixel size on the same matrix are measured at the size of the others; true ones stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cine_frames import RR_MS, SliceSpec, blood_ml, ef, true_blood_ml, usual, write
from synthetic_dicom import codes

from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.study import read_dicom

N_FRAMES = 10


def stack(n: int = 6) -> list[SliceSpec]:
    return [
        one.with_(
            phases=np.arange(N_FRAMES) / N_FRAMES,
            tags=lambda k: {"TriggerTime": RR_MS / N_FRAMES * k, "NominalInterval": RR_MS},
        )
        for one in usual(n)
    ]


def misstated(one: SliceSpec, ratio: float, *, by_centre: bool) -> SliceSpec:
    """A slice of unchanged images whose header states pixels of another size."""
    size = one.plane.spacing * ratio
    place = (replace(one.plane, spacing=size) if by_centre else one.plane).position.round(5).tolist()
    return one.with_(tags=lambda k: {**one.tags(k), "PixelSpacing": [size, size], "ImagePositionPatient": place})


@pytest.mark.parametrize(
    ("which", "ratio", "by_centre"),
    [((2,), 1.3, True), pytest.param((2, 3), 0.75, False, marks=pytest.mark.medium)],
)
def test_a_false_size_is_replaced_by_that_of_the_others(
    tmp_path: Path, which: tuple[int, ...], ratio: float, by_centre: bool
) -> None:
    slices = stack()
    written = [misstated(one, ratio, by_centre=by_centre) if k in which else one for k, one in enumerate(slices)]
    study = read_dicom(write(tmp_path, written))
    cine = study.cine(View.SAX)
    truth, curve = true_blood_ml(slices, N_FRAMES), blood_ml(cine)
    assert cine.n_slices == 6 and "slices-regridded" not in codes(study)
    assert curve.max() == pytest.approx(truth.max(), rel=0.01)
    assert ef(curve) == pytest.approx(ef(truth), abs=0.5)
    (issue,) = (one for one in study.issues if one.code == "pixel-size-contradicted")
    assert issue.severity == "warning" and issue.evidence["n_slices"] == len(which)
    assert f"{3 * ratio:.3g}" in issue.message and "3 x 3 mm" in issue.message


@pytest.mark.medium
def test_where_half_state_another_size_which_is_true_is_unknown(tmp_path: Path) -> None:
    written = [misstated(one, 1.3, by_centre=True) if k > 2 else one for k, one in enumerate(stack())]
    study = read_dicom(write(tmp_path, written))
    assert [one.severity for one in study.issues if one.code == "pixel-size-contradicted"] == ["error"]


@pytest.mark.medium
@pytest.mark.parametrize("ratio", [0.8, 1.3])
def test_a_true_other_size_stays(tmp_path: Path, ratio: float) -> None:
    slices = stack()
    written = [
        one.with_(plane=replace(one.plane, spacing=3 * ratio)) if k in (1, 4) else one for k, one in enumerate(slices)
    ]
    study = read_dicom(write(tmp_path, written))
    assert "pixel-size-contradicted" not in codes(study) and "slices-regridded" in codes(study)
    assert blood_ml(study.cine(View.SAX)).max() == pytest.approx(true_blood_ml(slices, N_FRAMES).max(), rel=0.04)
