"""One body on two grids: alike pixel for pixel only where the pixels are of one size."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.views.slice_scale import scale_evidence


def body(pixel_mm: float, *, moved_mm: float = 0.0) -> np.ndarray:
    x, y = np.meshgrid(*[(np.arange(96) - 47.5) * pixel_mm] * 2, indexing="ij")
    chest = 300.0 * (np.hypot((x - moved_mm) / 140, y / 95) < 1) + 500 * (np.hypot(x - 30 - moved_mm, y + 10) < 35)
    return (chest - 200 * (np.hypot(x + 60 - moved_mm, y) < 40))[..., None].astype(np.float32)


@pytest.mark.parametrize("ratio", [0.7, 0.85, 1.2, 1.4])
def test_the_loss_shows_whether_the_sizes_differ(ratio: float) -> None:
    plain, loss = scale_evidence(body(3.0, moved_mm=9.0), body(3.0), ratio)
    assert plain > 0.95 and loss > 0.05
    _, loss = scale_evidence(body(3.0 * ratio, moved_mm=9.0), body(3.0), ratio)
    assert loss < -0.05
    assert scale_evidence(body(3.0), body(3.0), 1.0)[1] == pytest.approx(0)
