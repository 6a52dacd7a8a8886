"""What the checks see of a stack."""

from __future__ import annotations

import numpy as np
import pytest
from hearts import LV, context_of, heart


def test_frames_and_areas() -> None:
    cine, labels = heart((0.7, 1.0, 0.8))
    context = context_of(cine, labels)
    assert (context.ed_frame, context.key_frames) == (1, (0, 1))
    area = np.count_nonzero(labels.array[:, :, 3, 1] == LV) * 1.5 * 1.5
    assert context.areas_mm2("lv", 1)[3] == pytest.approx(area)
    assert context.mask("lv", 1).sum() == np.count_nonzero(labels.array[..., 1] == LV)
    assert context.value("lv_edv_ml") == pytest.approx(context.volumes.lv_ml[1])
    assert context.value("unheard_of") is None


def test_one_frame_is_the_key_frame() -> None:
    context = context_of(*heart((1.0,)))
    assert (context.ed_frame, context.key_frames) == (0, (0,))
