"""Positions that an anonymiser removed or made equal: slices by their location, or a refusal with the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cine_frames import blood_ml, ef, true_blood_ml, usual, write
from synthetic_dicom import HEART, StudyWriter, codes, long_axis_plane, short_axis_planes

from cinema_cmr.core.errors import InputError, NoCineError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.study import read_dicom

EQUAL = {"ImagePositionPatient": [0.0, 0.0, 0.0]}
NONE = {"ImagePositionPatient": None}


def written(folder: Path, *, sign: int = 1, located: bool = True, long_axis: bool = True, **tags: Any) -> Path:
    """A stack, a series a slice, and a long axis; each series with its slice location unless `located` is False."""
    planes = short_axis_planes(HEART, n=6, gap_mm=9.0)
    writer = StudyWriter(folder=folder)
    for k, plane in enumerate(planes):
        at = sign * float(np.array(plane.centre) @ plane.normal)
        writer.add([plane], series=k + 1, **tags, **({"SliceLocation": round(at, 3)} if located else {}))
    if long_axis:
        writer.add([long_axis_plane(HEART, 0)], series=9, **tags, **({"SliceLocation": 12.0} if located else {}))
    return folder


@pytest.mark.parametrize("tags", [EQUAL, NONE], ids=["equal", "absent"])
@pytest.mark.parametrize("sign", [1, -1])
def test_slices_lie_where_their_location_states(tmp_path: Path, tags: dict[str, Any], sign: int) -> None:
    study = read_dicom(written(tmp_path, sign=sign, **tags))
    (cine,) = study.cines
    assert cine.view is View.SAX and cine.n_slices == 6
    assert np.diff(cine.slice_positions_mm) == pytest.approx(9.0, abs=0.01)
    curve, truth = blood_ml(cine), true_blood_ml(usual(), 12)
    assert curve == pytest.approx(truth, rel=0.02) and ef(curve) == pytest.approx(ef(truth), abs=0.5)
    issue = next(one for one in study.issues if one.code == "positions-lost")
    assert issue.severity == "warning" and issue.evidence["n_slices"] == 6
    assert "unusable-images" in codes(study)


def test_equal_positions_that_nothing_distinguishes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"6 cines of one orientation .* SliceLocation"):
        read_dicom(written(tmp_path, located=False, long_axis=False, **EQUAL))


@pytest.mark.parametrize("tags", [EQUAL, NONE], ids=["equal", "absent"])
def test_an_index_in_place_of_the_location_is_refused(tmp_path: Path, tags: dict[str, Any]) -> None:
    writer = StudyWriter(folder=tmp_path)
    for k, plane in enumerate(short_axis_planes(HEART, n=6, gap_mm=9.0)):
        writer.add([plane], series=k + 1, SliceLocation=k + 1, SliceThickness=8, **tags)
    with pytest.raises(InputError, match=r"6 slices of 8 mm .* 1 mm apart, as of an index"):
        read_dicom(tmp_path)


def test_absent_positions_without_location_are_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(NoCineError, match="export again with ImagePositionPatient or SliceLocation"):
        read_dicom(written(tmp_path, located=False, **NONE))


def test_stated_positions_are_never_replaced_by_locations(tmp_path: Path) -> None:
    slices = [
        one.with_(tags=lambda k, at=at: {"TriggerTime": 40.0 * k, "NominalInterval": 800, "SliceLocation": at})
        for one, at in zip(usual(), (5, 1, 4, 2, 3, 0), strict=True)
    ]
    study = read_dicom(write(tmp_path, slices))
    assert study.cines[0].n_slices == 6 and codes(study) == []
