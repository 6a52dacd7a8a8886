"""A heart at the edge of the image is reported once, by what is lost: LV, RV, or next to nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hearts import LV, MYO, RV, cine_of, context_of, heart

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.quality.context import QualityContext
from cinema_cmr.measure.quality.image_edge import EDGE_CHECKS, heart_exceeds_image, is_cut, is_lv_cut


def with_strokes(context: QualityContext, lv_ml: float, rv_ml: float) -> QualityContext:
    values = dict(context.values)
    for name, value in (("lv_sv_ml", lv_ml), ("rv_sv_ml", rv_ml)):
        values[name] = replace(values[name], value=value)
    return replace(context, values=values)


def cropped(margin: int) -> tuple[Cine, LabelMap]:
    """A heart whose image begins `margin` pixels of 1.5 mm before the RV; negative: within it."""
    _, labels = heart()
    first = int(np.flatnonzero((labels.array == RV).any(axis=(1, 2, 3)))[0]) - margin
    array = np.ascontiguousarray(labels.array[first:])
    return cine_of(array.shape), LabelMap(array=array)


def test_nothing_is_raised_of_a_heart_within_the_image() -> None:
    context = with_strokes(context_of(*heart()), 80, 20)
    assert [check(context) for check in EDGE_CHECKS] == [None] and not is_cut(context)
    empty = context_of(heart()[0], LabelMap(array=np.zeros_like(heart()[1].array)))
    assert heart_exceeds_image(empty) is None


@pytest.mark.parametrize(("margin", "rv_ml", "fires"), [(1, 30, True), (3, 30, True), (4, 30, False), (1, 60, False)])
def test_an_rv_beside_the_edge_that_ejects_too_little_is_cut(margin: int, rv_ml: float, fires: bool) -> None:
    """A network leaves the outermost pixels empty; 4 pixels are 6 mm."""
    flag = heart_exceeds_image(with_strokes(context_of(*cropped(margin)), 80, rv_ml))
    assert (flag is not None) is fires
    if flag is not None:
        assert flag.severity == "warning" and "RV lies at the edge" in flag.message
        assert flag.evidence == {"voxels": 0, "lv_sv_ml": 80, "rv_sv_ml": 30, "rv_to_edge_mm": margin * 1.5}


@pytest.mark.parametrize(("pixels", "severity"), [(3, "info"), (30, "warning")])
def test_a_touch_with_equal_strokes_is_an_info_and_a_long_contact_a_warning(pixels: int, severity: str) -> None:
    cine, labels = heart()
    labels.array[0, 20 : 20 + pixels, 3] = MYO
    context = with_strokes(context_of(cine, labels), 80, 75)
    flag = heart_exceeds_image(context)
    assert flag is not None and flag.severity == severity and is_cut(context) is (severity == "warning")
    assert flag.evidence["voxels"] == 2 * pixels


def test_a_touch_without_stroke_volumes_is_a_warning() -> None:
    cine, labels = heart((1.0,))
    labels.array[0, 20:23, 3] = MYO
    flag = heart_exceeds_image(context_of(cine, labels))
    assert flag is not None and flag.severity == "warning"


def test_an_lv_that_the_edge_cuts_is_an_error() -> None:
    _, labels = heart()
    at = int(np.argwhere(labels.array == LV)[:, 0].mean())
    array = np.ascontiguousarray(labels.array[:at])
    context = context_of(cine_of(array.shape), LabelMap(array=array))
    flag = heart_exceeds_image(context)
    assert is_lv_cut(context) and flag is not None and flag.severity == "error" and "do not use" in flag.message
