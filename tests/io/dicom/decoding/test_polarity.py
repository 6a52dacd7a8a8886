"""Blood is bright whatever photometric interpretation a header states, rightly or wrongly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cine_frames import SliceSpec, usual, write
from numpy.typing import NDArray
from synthetic_dicom import Heart, Plane, codes

from cinema_cmr.io.dicom.decoding.polarity import looks_inverted
from cinema_cmr.io.dicom.study import read_dicom

RANGE = 4095
NEGATIVE = {"PhotometricInterpretation": "MONOCHROME1"}
TWELVE_BITS = {"BitsStored": 12, "HighBit": 11}


@dataclass(frozen=True, kw_only=True)
class Chest(Heart):
    """The heart in lung and air, as most of an image is."""

    inverted: bool = False

    def image(self, plane: Plane, phase: float) -> NDArray[np.uint16]:
        pixels = super().image(plane, phase)
        pixels[np.linalg.norm(plane.points() - np.array(self.centre), axis=-1) > 60] = 20
        return (RANGE - pixels).astype(np.uint16) if self.inverted else pixels


def stack(inverted: list[bool], stated: list[dict[str, Any]]) -> list[SliceSpec]:
    return [
        one.with_(heart=Chest(inverted=bad), tags=lambda k, one=one, own=own: {**one.tags(k), **own, **TWELVE_BITS})
        for one, bad, own in zip(usual(), inverted, stated, strict=True)
    ]


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.float32]:
    study = read_dicom(write(tmp_path_factory.mktemp("truth"), stack([False] * 6, [{}] * 6)))
    assert codes(study) == []
    return study.cines[0].array


@pytest.mark.parametrize(
    ("inverted", "stated", "n_corrected"),
    [
        ([True] * 6, [NEGATIVE] * 6, 0),
        ([False] * 6, [NEGATIVE] * 6, 120),
        ([True] * 6, [{}] * 6, 120),
        ([False] * 6, [NEGATIVE, {}, {}, NEGATIVE, {}, {}], 40),
        ([True, False, False, True, False, False], [NEGATIVE, {}, {}, NEGATIVE, {}, {}], 0),
    ],
    ids=["true", "false", "unstated", "false in some", "true in some"],
)
def test_blood_is_bright(
    tmp_path: Path, truth: NDArray[np.float32], inverted: list[bool], stated: list[dict[str, Any]], n_corrected: int
) -> None:
    study = read_dicom(write(tmp_path, stack(inverted, stated)))
    np.testing.assert_array_equal(study.cines[0].array, truth)
    found = [one for one in study.issues if one.code == "inverted-intensities"]
    assert [one.evidence["images"] for one in found] == ([n_corrected] if n_corrected else [])


def test_an_image_of_neither_kind_is_left_as_it_is() -> None:
    even = np.linspace(0, 100, 3600, dtype=np.float32).reshape(60, 60)
    for images in ([], [np.zeros((30, 30), np.float32)], [even], [100 - even]):
        assert not looks_inverted(images)
