"""Scans and prepared studies come through one door."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from oracles import cine_of, heart

from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.population import prepare_population
from cinema_cmr.data.temporary_store import expand_stores, open_or_prepare
from cinema_cmr.io.nifti.image import write_cine


def test_a_scan_and_its_prepared_file_are_the_same_study(tmp_path: Path) -> None:
    scan = tmp_path / "scan.nii.gz"
    write_cine(cine_of(heart((12.0, 9.0), shape=(40, 38), centre=(24.0, 18.0))), scan)
    prepare_population([scan], tmp_path / "store")
    (prepared,) = expand_stores([tmp_path / "store"])
    assert prepared.name == "scan.cine" and expand_stores([scan]) == [scan]
    with open_or_prepare(scan, "scan") as one, open_or_prepare(prepared, "scan") as other:
        assert one.sha256 != other.sha256  # only the prepared one knows its source
        assert one.header.frames_sha256 == other.header.frames_sha256
        assert np.array_equal(one.frame(View.SAX, 1), other.frame(View.SAX, 1))
        temporary = one.path
    assert not temporary.exists() and prepared.exists()
