"""A stream that ends its decoder costs one image, not the program; what it says names no file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, RLELossless
from synthetic_dicom import new_image, save

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.io.dicom.decoding import decoder
from cinema_cmr.io.dicom.decoding.decoder import PixelDecoder

PIXELS = np.arange(24, dtype=np.uint16).reshape(4, 6)


def compressed(path: Path) -> Path:
    image = new_image(PIXELS)
    image.compress(RLELossless)
    save(image, path)
    return path


@pytest.mark.medium
def test_frames_and_refusals_by_one_process(tmp_path: Path) -> None:
    good = compressed(tmp_path / "good.dcm")
    junk = new_image(PIXELS)
    junk.file_meta.TransferSyntaxUID = JPEG2000Lossless
    junk.PixelData = encapsulate([b"\x5a" * 400])
    save(junk, tmp_path / "Jane Doe.dcm")
    reader = PixelDecoder()
    np.testing.assert_array_equal(reader.frame(good, 0), PIXELS)
    process = decoder._SHARED._process
    with pytest.raises(UnreadableFileError, match="its decoder refuses it") as found:
        reader.frame(tmp_path / "Jane Doe.dcm", 0)
    assert "Jane" not in str(found.value)
    np.testing.assert_array_equal(reader.frame(good, 0), PIXELS)
    assert decoder._SHARED._process is process


ENDS = {"abort": "import os; input(); os.abort()", "no answer": "input(); print('{}', flush=True); input()"}


@pytest.mark.medium
@pytest.mark.parametrize("start", ENDS.values(), ids=ENDS)
def test_a_crash_is_one_image_and_after_three_none_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    good = compressed(tmp_path / "good.dcm")
    reader = PixelDecoder()
    decoder._SHARED.end()
    with monkeypatch.context() as patch:
        patch.setattr(decoder, "_START", start)
        for _ in range(3):
            with pytest.raises(UnreadableFileError, match="crashed the decoder, or took it too long"):
                reader.frame(good, 0)
    with pytest.raises(UnreadableFileError, match="not tried, as 3 others"):
        reader.frame(good, 0)
    np.testing.assert_array_equal(PixelDecoder().frame(good, 0), PIXELS)


@pytest.mark.medium
def test_a_process_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder._SHARED.end()
    monkeypatch.setattr(decoder, "_WAIT_S", 0.2)
    monkeypatch.setattr(decoder, "_START", "import time; time.sleep(60)")
    with pytest.raises(UnreadableFileError, match="took it too long"):
        PixelDecoder().frame(tmp_path / "a.dcm", 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_fork_leaves_the_process_to_its_parent() -> None:
    shared = decoder._Shared()
    shared._process = kept = decoder._Process.__new__(decoder._Process)
    shared.leave_to_parent()
    assert shared._process is None and shared._inherited == [kept]
    assert sys.executable
