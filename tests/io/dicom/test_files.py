"""Files are sorted into images, other objects, broken ones and the rest, whatever their names and folders."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.misc import warn_and_log
from synthetic_dicom import Heart, StudyWriter, new_image, save, short_axis_planes

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.io.dicom.files import is_dicom, pixel_digests, quiet_pydicom, read_headers

PIXELS = np.arange(24, dtype=np.uint16).reshape(4, 6)


def test_files_without_extension_and_without_preamble_are_dicom(tmp_path: Path) -> None:
    path = save(new_image(PIXELS), tmp_path / "IM0001")
    bare = tmp_path / "bare"
    content = path.read_bytes()
    bare.write_bytes(content[content.index(b"\x08\x00\x08\x00") :])
    assert is_dicom(path) and is_dicom(bare)
    assert len(read_headers(bare).headers) == 1


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x00" + b"x" * 500, b"PK\x03\x04" + b"\0" * 300])
def test_other_files_are_not(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert not is_dicom(path)
    assert not is_dicom(tmp_path / "absent")
    assert read_headers(tmp_path).n_other_files == 1


def test_a_dcm_file_that_is_not_dicom_counts_as_broken(tmp_path: Path) -> None:
    (tmp_path / "scan7.dcm").write_bytes(b"junk")
    with pytest.raises(UnreadableFileError, match="file 1 in the order of names"):
        read_headers(tmp_path)
    save(new_image(PIXELS), tmp_path / "good")
    (tmp_path / "._good.dcm").write_bytes(b"junk")
    found = read_headers(tmp_path)
    assert found.broken == (3,) and found.n_other_files == 1


def test_series_that_share_a_number_get_a_letter(tmp_path: Path) -> None:
    for k, (number, uid) in enumerate([(5, "1.1"), (5, "1.2"), (6, "1.3"), (None, "1.4")]):
        save(new_image(PIXELS, SeriesNumber=number, SeriesInstanceUID=uid), tmp_path / f"{k}")
    assert list(read_headers(tmp_path).series) == [
        "series 5a",
        "series 5b",
        "series 6",
        "series without number",
    ]


def test_only_folder_names_that_cannot_be_a_name_are_kept(tmp_path: Path) -> None:
    for k, folder in enumerate(("Se6", "Smith", "series_12")):
        save(new_image(PIXELS, SeriesNumber=k), tmp_path / folder / "a.dcm")
    assert [series.folder for series in read_headers(tmp_path).series.values()] == ["Se6", None, "series_12"]


def test_one_malformed_value_does_not_cost_the_file(tmp_path: Path) -> None:
    path = save(new_image(PIXELS, PatientWeight=70.0, TriggerTime=20.0), tmp_path / "a.dcm")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"70.0", b"abcd"))
    found = read_headers(path)
    assert found.subject.weight_kg is None
    assert found.headers[0].trigger_ms == 20


def test_pixel_digests_tell_equal_pixels_apart_from_others(tmp_path: Path) -> None:
    for name, pixels in (("a", PIXELS), ("b", PIXELS), ("c", PIXELS + 1)):
        save(new_image(pixels), tmp_path / name)
    digests = pixel_digests(read_headers(tmp_path), [0, 1, 2])
    assert digests[0] == digests[1] != digests[2]


def test_pydicom_is_quiet_inside_and_as_before_outside(caplog: pytest.LogCaptureFixture) -> None:
    level = logging.getLogger("pydicom").level
    with quiet_pydicom():
        warn_and_log("Doe^Jane is no valid value")
    assert caplog.text == ""
    assert logging.getLogger("pydicom").level == level


def test_a_list_of_files_reads_like_their_folder(tmp_path: Path) -> None:
    paths = StudyWriter(folder=tmp_path).add(short_axis_planes(Heart(), n=1), series=2)
    assert read_headers(reversed(paths)).headers == read_headers(tmp_path).headers
    assert {dcmread(path).SeriesNumber for path in paths} == {2}
