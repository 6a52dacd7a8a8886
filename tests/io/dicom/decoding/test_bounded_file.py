"""A header that grows out of proportion is not read to its end; lengths that are not there allocate nothing."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from synthetic_dicom import new_image, save

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.io.dicom.decoding import bounded_file
from cinema_cmr.io.dicom.decoding.bounded_file import BoundedFile, read_dataset, read_pixel_bytes_and_header

PIXELS = np.arange(24, dtype=np.uint16).reshape(4, 6)


def test_reads_are_counted_and_never_longer_than_the_file() -> None:
    file = BoundedFile(io.BytesIO(b"x" * 100), max_bytes=150, max_reads=3)
    assert file.read(1 << 40) == b"x" * 100
    assert file.read(10) == b""
    with pytest.raises(UnreadableFileError, match="a DICOM header of more than 32 MB"):
        file.read(41)
    with pytest.raises(UnreadableFileError, match="more than 1500000 elements"):
        file.read(1)


def test_a_dataset_is_read_as_pydicom_reads_it(tmp_path: Path) -> None:
    save(new_image(PIXELS), tmp_path / "a.dcm")
    n_bytes, header = read_pixel_bytes_and_header(tmp_path / "a.dcm", ["Rows"])
    assert header.Rows == 4 and "Columns" not in header and "PixelData" not in header
    assert n_bytes == PIXELS.nbytes + 12
    assert read_dataset(tmp_path / "a.dcm", pixels=True) == dcmread(tmp_path / "a.dcm")


def deflated(path: Path, *, zeros: int = 0) -> Path:
    """Write a deflated file, with a private element of so many zeros."""
    plain = new_image(PIXELS)
    plain.add_new(0x00091001, "OB", b"\0" * zeros)
    save(plain, path)
    content = path.read_bytes()
    end = 144 + int.from_bytes(content[140:144], "little")
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packed.compress(content[end:]) + packed.flush()
    meta = content[144:end].replace(b"UI\x14\x001.2.840.10008.1.2.1\0", b"UI\x16\x001.2.840.10008.1.2.1.99")
    assert len(meta) == end - 144 + 2
    path.write_bytes(content[:140] + len(meta).to_bytes(4, "little") + meta + body)
    return path


def test_a_deflated_file_is_inflated_once_and_within_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = deflated(tmp_path / "a.dcm")
    np.testing.assert_array_equal(read_dataset(path, pixels=True).pixel_array, PIXELS)
    assert read_pixel_bytes_and_header(path)[0] == PIXELS.nbytes + 12
    monkeypatch.setattr(bounded_file, "_INFLATED_FREELY", 1 << 20)
    with pytest.raises(UnreadableFileError, match="over 100 times its size once inflated"):
        read_dataset(deflated(tmp_path / "bomb.dcm", zeros=3 << 20), ["Rows"])
