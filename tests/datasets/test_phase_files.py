"""ED and ES in files of their own become one cine of two frames; other grids, counts and absent files are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scans import SHAPE, image_of, labels_of, write_scan

from cinema_cmr.core.errors import GeometryError, InputError, MissingFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.datasets.phase_files import read_phases

CODES = {1: 3, 2: 2, 3: 1}


def write_pair(folder: Path) -> tuple[list[Path], list[Path | None]]:
    images = [write_scan(folder / f"{phase}.nii.gz", image_of(seed)) for seed, phase in enumerate(("ed", "es"))]
    masks = [write_scan(folder / f"{phase}_gt.nii.gz", labels_of(seed)) for seed, phase in enumerate(("ed", "es"))]
    return images, list(masks)


def test_frames_and_labels_are_joined_in_order(tmp_path: Path) -> None:
    cine, labels, _ = read_phases(*write_pair(tmp_path), view=View.LAX_4C, codes=CODES, name="a")
    assert cine.view is View.LAX_4C and cine.array.shape == (*SHAPE, 2)
    for frame in (0, 1):
        assert np.array_equal(cine.array[..., frame], image_of(frame))
        drawn = labels_of(frame)
        assert np.array_equal(labels.array[..., frame], np.select([drawn == 1, drawn == 2, drawn == 3], [3, 2, 1]))


def test_an_absent_label_map_is_empty(tmp_path: Path) -> None:
    images, masks = write_pair(tmp_path)
    _, labels, _ = read_phases(images, [masks[0], None], view=View.SAX, codes=CODES, name="a")
    assert labels.array[..., 0].any() and not labels.array[..., 1].any()


def test_a_single_file_may_hold_a_cycle(tmp_path: Path) -> None:
    image = write_scan(tmp_path / "cine.nii.gz", image_of(3, (*SHAPE, 5)))
    cine, labels, _ = read_phases([image], [None], view=View.SAX, codes=CODES, name="a")
    assert cine.n_frames == 5 and labels.array.shape == cine.array.shape


@pytest.mark.parametrize(
    ("shape", "spacing_mm", "message"),
    [
        ((20, 18, 5), (1.5, 1.5, 10.0), r"ES \(20, 18, 5, 1\)"),
        (SHAPE, (1.5, 1.5, 8.0), r"ES of \(1\.5, 1\.5, 8\.0\) mm"),
        ((*SHAPE, 2), (1.5, 1.5, 10.0), "expected one grid"),
    ],
)
def test_phases_on_different_grids_are_refused(
    tmp_path: Path, shape: tuple[int, ...], spacing_mm: tuple[float, ...], message: str
) -> None:
    images, masks = write_pair(tmp_path)
    write_scan(images[1], image_of(1, shape), spacing_mm)
    with pytest.raises(GeometryError, match=f"case 7: .*{message}"):
        read_phases(images, masks, view=View.SAX, codes=CODES, name="case 7")


def test_an_ed_file_with_several_frames_is_refused(tmp_path: Path) -> None:
    images, masks = write_pair(tmp_path)
    write_scan(images[0], image_of(0, (*SHAPE, 3)))
    with pytest.raises(InputError, match="the ED file has 3 frames"):
        read_phases(images, masks, view=View.SAX, codes=CODES, name="a")


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    images, masks = write_pair(tmp_path)
    images[1].unlink()
    with pytest.raises(MissingFileError, match=r"'es\.nii\.gz' is missing"):
        read_phases(images, masks, view=View.SAX, codes=CODES, name="a")
