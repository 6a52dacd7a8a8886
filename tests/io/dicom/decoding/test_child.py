"""The limited process: a line in, a line and the values out; its memory and its time have limits."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import JPEGExtended12Bit, RLELossless
from synthetic_dicom import new_image, save

PIXELS = np.arange(24, dtype=np.uint16).reshape(4, 6)
START = "from cinema_cmr.io.dicom.decoding import child; {}; child.main()"


def answers(requests: list[dict[str, object]], before: str = "") -> subprocess.CompletedProcess[bytes]:
    lines = b"".join(json.dumps(one).encode() + b"\n" for one in requests)
    code = START.format(before or "pass")
    return subprocess.run([sys.executable, "-c", code], input=lines, capture_output=True, check=False)


@pytest.mark.medium
def test_frames_and_reasons(tmp_path: Path) -> None:
    image = new_image(PIXELS)
    image.compress(RLELossless)
    save(image, tmp_path / "a.dcm")
    image.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"  # a film in MPEG-2
    save(image, tmp_path / "b.dcm")
    image.file_meta.TransferSyntaxUID = JPEGExtended12Bit
    image.BitsStored, image.HighBit = 12, 11
    save(image, tmp_path / "c.dcm")
    requests = [{"path": str(tmp_path / name), "frame": 0} for name in ("a.dcm", "b.dcm", "c.dcm", "absent.dcm")]
    first, rest = answers(requests).stdout.split(b"\n", 1)
    assert json.loads(first) == {"shape": [4, 6], "dtype": "<u2"}
    assert rest[: PIXELS.nbytes] == PIXELS.tobytes()
    assert [json.loads(line)["reason"] for line in rest[PIXELS.nbytes :].splitlines()] == [
        "unsupported",
        "unsupported",
        "failed",
    ]


@pytest.mark.medium
def test_memory_and_time_are_limited(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"")
    request = [{"path": str(tmp_path / "a.dcm"), "frame": 0}]
    allocate = "child._dataset = lambda _: bytearray(2 << 30)"
    assert json.loads(answers(request, allocate).stdout) == {"reason": "failed"}
    endless = "child._CPU_SECONDS = 0.1; child._dataset = lambda _: [0 for _ in iter(int, 1)]"
    assert answers(request, endless).returncode < 0
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != 1 << 30
