"""Copies that lost their voxel size are told from images that happen to be alike."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.study import NOMINAL_SPACING
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nominal import nominal_spacing_issue


def stack(size: int = 256, mm: float = 1.458, top: float = 255.0) -> Cine:
    array = np.zeros((size, size, 2, 1), np.float32)
    array[0, 0] = top
    return Cine(
        array=array,
        affine=np.diag([-mm, -mm, 10.0, 1.0]),
        view=View.SAX,
        slice_positions_mm=np.array([0.0, 10.0]),
    )


def test_converted_copies_are_detected() -> None:
    issue = nominal_spacing_issue(stack())
    assert issue is not None and issue.code == NOMINAL_SPACING and issue.severity == "warning"


@pytest.mark.parametrize("changed", [{"size": 224}, {"mm": 1.46}, {"top": 900.0}])
def test_other_images_are_not(changed: dict[str, float]) -> None:
    assert nominal_spacing_issue(stack(**changed)) is None  # type: ignore[arg-type]
