"""Coverage of base and apex, against hearts whose valve, apex and missing length are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hearts import LENGTH_MM, context_of, heart

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.results import Flag
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.quality.context import QualityContext
from cinema_cmr.measure.quality.coverage import COVERAGE_CHECKS, apex_not_covered, base_not_covered

DESCENT_MM = 13.0
STEP_MM = 8.0


def stack_from(depth_mm: float, *, n_slices: int = 10, scales: tuple[float, ...] = (1.0, 0.7)) -> QualityContext:
    """Slices 8 mm apart, the middle of the first `depth_mm` below the mitral valve at ED."""
    positions = depth_mm + np.arange(n_slices) * STEP_MM
    return context_of(*heart(scales, positions_mm=positions, descent_mm=DESCENT_MM))


def with_landmarks(context: QualityContext, *, hinge_mm: float, apex_mm: float) -> QualityContext:
    """The context with 4-chamber landmarks at these positions along the normal of the stack, 2 frames.

    The first slice lies at 0 of the affine's origin, and slices run to the feet (RAS z falls).
    """

    def at(position_mm: float, across_mm: float) -> np.ndarray:
        return np.array([[-70.0 + across_mm, -60.0, -position_mm], [-70.0 + across_mm, -60.0, -position_mm - 0.0]])

    cine = replace(context.cine, orientation_known=True)
    points = {
        "mitral_septal": at(hinge_mm - 1, -15) - [[0, 0, 0], [0, 0, 12]],
        "mitral_lateral": at(hinge_mm + 1, 15) - [[0, 0, 0], [0, 0, 12]],
        "apex": at(apex_mm, 0),
    }
    return replace(context, cine=cine, landmarks={View.LAX_4C: Landmarks(view=View.LAX_4C, points=points)})


@pytest.mark.parametrize("check", COVERAGE_CHECKS, ids=lambda check: check.__name__)
def test_a_stack_from_valve_to_apex_is_silent(check) -> None:  # type: ignore[no-untyped-def]
    assert check(stack_from(2.0)) is None


def test_a_valve_that_passes_the_last_slice_in_systole_shows_the_base() -> None:
    """The slice is 9 mm below the valve at ED, and above it at ES."""
    context = stack_from(9.0)
    assert context.areas_mm2("lv", context.ed_frame)[0] > 0.9 * context.areas_mm2("lv", context.ed_frame).max()
    assert base_not_covered(context) is None


@pytest.mark.parametrize("depth_mm", [18.0, 30.0])
def test_a_base_beyond_the_stack_is_told_in_millimetres_whatever_the_length(depth_mm: float) -> None:
    flag = base_not_covered(stack_from(depth_mm))
    assert flag is not None and flag.evidence["slice"] == 0
    missing_mm = float(flag.evidence["missing_mm"] or 0)
    assert 5 <= missing_mm <= depth_mm - STEP_MM / 2
    assert "mm or more beyond it" in flag.message


def test_a_heart_that_hardly_contracts_leaves_the_base_open() -> None:
    """The valve hardly descends, so that a large last slice at ES shows nothing: an info, without millimetres."""
    flag = base_not_covered(stack_from(18.0, scales=(1.0, 0.95)))
    assert flag is not None and flag.severity == "info" and "missing_mm" not in flag.evidence


def test_a_smaller_stroke_volume_of_the_lv_makes_it_a_warning() -> None:
    context = stack_from(18.0, scales=(1.0, 0.95))
    values = dict(context.values)
    values["lv_sv_ml"], values["rv_sv_ml"] = (replace(values["lv_sv_ml"], value=value) for value in (47.0, 66.0))
    flag = base_not_covered(replace(context, values=values))
    assert flag is not None and flag.severity == "warning" and "47 ml for the LV and 66 ml for the RV" in flag.message


def test_a_ventricle_shorter_than_wide_lacks_its_base() -> None:
    flag = base_not_covered(stack_from(45.0, scales=(1.0,)))
    assert flag is not None and flag.severity == "warning" and "times as long as wide" in flag.message


def distance(flag: Flag | None) -> float:
    assert flag is not None and flag.evidence["missing_from"] == "landmarks"
    return float(flag.evidence["missing_mm"] or 0)


@pytest.mark.parametrize("reverse", [False, True])
def test_landmarks_give_the_millimetres(reverse: bool) -> None:
    """Hinge points 22 mm above the first slice and an apex 14 mm below the last; half a slice is covered by each."""
    context = with_landmarks(stack_from(22.0, n_slices=6), hinge_mm=-22, apex_mm=5 * STEP_MM + 14)
    if reverse:
        context = reversed_stack(context)
    assert distance(base_not_covered(context)) == pytest.approx(22 - STEP_MM / 2)
    assert distance(apex_not_covered(context)) == pytest.approx(14 - STEP_MM / 2)


def reversed_stack(context: QualityContext) -> QualityContext:
    """The same stack with its slices in the other order."""
    affine = context.cine.affine.copy()
    affine[:3, 3] += 5 * affine[:3, 2]
    affine[:3, 2] *= -1
    cine = replace(context.cine, affine=affine)
    turned = context_of(cine, LabelMap(array=np.ascontiguousarray(context.labels.array[:, :, ::-1])))
    assert turned.volumes.base == "last"
    return replace(turned, cine=cine, landmarks=context.landmarks)


def test_landmarks_overrule_the_areas() -> None:
    """A last slice with most of the largest area, and hinge points 7 mm above its middle: the base is covered."""
    assert base_not_covered(stack_from(18.0)) is not None
    assert base_not_covered(with_landmarks(stack_from(18.0), hinge_mm=-7, apex_mm=66)) is None


def test_landmarks_without_orientation_of_the_stack_are_not_used() -> None:
    context = with_landmarks(stack_from(18.0), hinge_mm=-7, apex_mm=66)
    unknown = replace(context, cine=replace(context.cine, orientation_known=False))
    flag = base_not_covered(unknown)
    assert flag is not None and flag.evidence["missing_from"] == "areas"


@pytest.mark.parametrize("flipped", [False, True])
def test_an_apex_beyond_the_stack_is_told_by_the_fall_of_the_areas(flipped: bool) -> None:
    """Slices at 0 to 48 mm of an ellipsoid of 80 mm, whose apex lies 32 mm below the last, 28 mm beyond its face."""
    cine, labels = heart(positions_mm=np.arange(7) * STEP_MM)
    if flipped:
        labels = LabelMap(array=labels.array[:, :, ::-1])
    flag = apex_not_covered(context_of(cine, labels))
    assert flag is not None and flag.evidence["slice"] == (0 if flipped else 6)
    assert float(flag.evidence["missing_mm"] or 0) == pytest.approx(LENGTH_MM - 48 - STEP_MM / 2, abs=3)


def test_nothing_labelled_raises_nothing() -> None:
    cine, labels = heart()
    context = context_of(cine, LabelMap(array=np.zeros_like(labels.array)))
    assert [check(context) for check in COVERAGE_CHECKS] == [None, None]


def test_a_far_smaller_stroke_volume_of_the_rv_confirms_a_base_that_the_descent_shows_to_be_missing() -> None:
    context = stack_from(18.0)
    values = dict(context.values)
    values["lv_sv_ml"], values["rv_sv_ml"] = (replace(values["lv_sv_ml"], value=value) for value in (39.0, 8.0))
    flag = base_not_covered(replace(context, values=values))
    assert flag is not None and flag.severity == "warning" and "8 ml for the RV" in flag.message
