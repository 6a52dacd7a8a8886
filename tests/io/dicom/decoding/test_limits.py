"""What a header claims about its pixels is held against the bytes that are there."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless
from synthetic_dicom import new_image

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.io.dicom.decoding.limits import check_claims, is_compressed

PIXELS = np.zeros((4, 6), np.uint16)
N_BYTES = PIXELS.nbytes


def image(**tags: object) -> Dataset:
    return new_image(PIXELS, **tags)


def test_images_as_scanners_write_them_pass() -> None:
    check_claims(image(), N_BYTES)
    check_claims(image(), 0)  # a single frame that is cut short is one broken image
    check_claims(image(NumberOfFrames=25), 25 * N_BYTES)
    check_claims(image(Rows=4096, Columns=4096), 1)


@pytest.mark.parametrize("tags", [{"Rows": 4097}, {"Columns": 65535}])
def test_no_matrix_beyond_any_scanner(tags: dict[str, int]) -> None:
    with pytest.raises(GeometryError, match="a matrix of"):
        check_claims(image(**tags), 1 << 40)


@pytest.mark.parametrize("frames", [-1, 20_001, 2**31 - 1])
def test_no_implausible_number_of_frames(frames: int) -> None:
    with pytest.raises(GeometryError, match="implausible number of frames"):
        check_claims(image(NumberOfFrames=frames), 1 << 40)


def test_no_more_frames_than_bytes() -> None:
    with pytest.raises(GeometryError, match="25 frames stated, more than the file has bytes for"):
        check_claims(image(NumberOfFrames=25), 25 * N_BYTES - 1)


def test_compressed_frames_have_a_fragment_each_and_a_plausible_ratio() -> None:
    compressed = image(NumberOfFrames=20, Rows=1024, Columns=1024)
    compressed.file_meta.TransferSyntaxUID = RLELossless
    assert is_compressed(compressed)
    check_claims(compressed, 1000)  # 40 MB from 1000 bytes: little enough, whatever the ratio
    with pytest.raises(GeometryError, match="20 frames stated"):
        check_claims(compressed, 159)
    compressed.NumberOfFrames = 4000
    check_claims(compressed, 4000 * 2 * 1024 * 1024 // 300 + 1)
    with pytest.raises(GeometryError, match="4000 frames stated"):
        check_claims(compressed, 4000 * 2 * 1024 * 1024 // 300)


def test_an_unknown_transfer_syntax_is_left_to_the_limited_process() -> None:
    unknown = image()
    unknown.file_meta.TransferSyntaxUID = "1.2.3.4"
    assert is_compressed(unknown) and not is_compressed(image())


def test_one_functional_group_a_frame() -> None:
    groups = image(NumberOfFrames=2)
    groups.PerFrameFunctionalGroupsSequence = [Dataset(), Dataset()]
    check_claims(groups, 2 * N_BYTES)
    groups.PerFrameFunctionalGroupsSequence.append(Dataset())
    with pytest.raises(GeometryError, match="3 functional groups for 2 frames"):
        check_claims(groups, 2 * N_BYTES)
