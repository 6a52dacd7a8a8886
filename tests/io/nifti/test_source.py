"""The NIfTI file behind a cine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nifti.image import read_nifti_cine, write_cine
from cinema_cmr.io.nifti.source import nifti_source, stored_header


def test_source_is_that_of_the_file_and_goes_with_the_grid(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(100, 30, (6, 5, 4, 1)).astype(np.float32)
    made = Cine(array=array, affine=np.diag([1.5, 1.5, 8, 1]), view=View.SAX, slice_positions_mm=8.0 * np.arange(4))
    assert nifti_source(made) is None and stored_header(made) is None
    write_cine(made, tmp_path / "a.nii.gz")
    read, _ = read_nifti_cine(tmp_path / "a.nii.gz")
    source = nifti_source(read)
    assert source is not None and source.shape == (6, 5, 4) and source.header == stored_header(read)
    assert nifti_source(read.with_array(read.array)) == source
    assert nifti_source(read.select(slices=slice(0, 2))) is None
