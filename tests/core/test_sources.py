"""The images of a cine follow every selection of frames and slices, and are printed nowhere."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.core.sources import CineSources, SourceImage
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine


def sources(n_slices: int, n_frames: int) -> CineSources:
    images = tuple(tuple(SourceImage(instance_uid=f"1.2.{k}.{t}") for t in range(n_frames)) for k in range(n_slices))
    return CineSources(images=images, origins_mm=np.arange(n_slices)[:, None] * np.array([0.0, 0, 10]))


def test_a_selection_of_a_cine_keeps_its_images() -> None:
    cine = Cine(
        array=np.zeros((2, 2, 3, 4), np.float32),
        affine=np.diag([1.0, 1, 10, 1]),
        view=View.SAX,
        slice_positions_mm=np.array([0.0, 10, 20]),
        sources=sources(3, 4),
    )
    part = cine.select(frames=[3, 0], slices=[1, 2]).sources
    assert part is not None
    assert [[image.instance_uid for image in row if image] for row in part.images] == [
        ["1.2.1.3", "1.2.1.0"],
        ["1.2.2.3", "1.2.2.0"],
    ]
    np.testing.assert_array_equal(part.origins_mm[:, 2], [10, 20])
    assert "1.2." not in repr(cine) and "1.2." not in repr(part) and "1.2." not in repr(part.images[0][0])


def test_origins_must_match_the_slices() -> None:
    with pytest.raises(GeometryError, match="slice origins"):
        CineSources(images=((None,),), origins_mm=np.zeros((2, 3)))
