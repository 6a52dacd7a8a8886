"""Volumes of shapes whose volume is known, on even and uneven slices, and the rule for the basal slice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hearts import LV, MYO, RV, acdc_patient, cine_of, heart, heart_slice

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import GeometryError, InputError, UsageError
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.volumes import CLEAR_RIM, enclosed_fractions, measure_volumes


def ellipsoid(semi_axes_mm: tuple[float, ...], spacing_mm: tuple[float, ...], code: int) -> LabelMap:
    grids = np.meshgrid(
        *(
            np.arange(-half - 2 * step, half + 2 * step, step) + 0.3 * step
            for half, step in zip(semi_axes_mm, spacing_mm, strict=True)
        ),
        indexing="ij",
    )
    inside = sum((grid / half) ** 2 for grid, half in zip(grids, semi_axes_mm, strict=True)) < 1
    return LabelMap(array=(inside[..., None] * code).astype(np.uint8))


@pytest.mark.parametrize(("name", "code"), [("lv_ml", LV), ("rv_ml", RV), ("myo_ml", MYO)])
@pytest.mark.parametrize("spacing", [(1.4, 1.4, 8.0), (0.7, 1.9, 5.0), (2.0, 1.2, 2.5)])
def test_ellipsoid(name: str, code: int, spacing: tuple[float, ...]) -> None:
    semi_axes = (25.0, 30.0, 45.0)
    labels = ellipsoid(semi_axes, spacing, code)
    volumes = measure_volumes(cine_of(labels.array.shape, spacing), labels, basal_rule="all-slices")
    assert getattr(volumes, name)[0] == pytest.approx(4 / 3 * np.pi * np.prod(semi_axes) / 1000, rel=0.01)


def column(n_slices: int) -> LabelMap:
    return LabelMap(array=np.repeat(heart_slice(20, 8, 15, (1, 1), (70, 70))[..., None, None], n_slices, axis=2))


def test_a_missing_slice_is_counted_as_the_gap_it_leaves() -> None:
    full, holed = column(10), column(9)
    positions = np.delete(np.arange(10) * 8.0, 4)
    whole = measure_volumes(cine_of(full.array.shape, (1, 1, 8)), full)
    with_gap = measure_volumes(cine_of(holed.array.shape, (1, 1, 8), positions_mm=positions), holed)
    for name in ("lv_ml", "rv_ml", "myo_ml"):
        assert getattr(with_gap, name) == pytest.approx(getattr(whole, name), rel=1e-9)


def test_distances_come_from_positions_and_not_from_the_affine() -> None:
    labels = column(6)
    even = measure_volumes(cine_of(labels.array.shape, (1, 1, 5)), labels)
    apart = measure_volumes(cine_of(labels.array.shape, (1, 1, 5), positions_mm=np.arange(6) * 18.0), labels)
    assert apart.lv_ml == pytest.approx(even.lv_ml * 18 / 5)


def test_volume_follows_the_header_voxel_size() -> None:
    labels = column(6)
    one = measure_volumes(cine_of(labels.array.shape, (1, 1, 8)), labels)
    two = measure_volumes(cine_of(labels.array.shape, (2, 2, 16)), labels)
    assert two.lv_ml == pytest.approx(8 * one.lv_ml)


def test_a_frame_without_a_structure_has_no_volume_instead_of_zero() -> None:
    cine, labels = heart((1.0, 0.9, 0.8))
    labels.array[..., 1][labels.array[..., 1] == RV] = 0
    volumes = measure_volumes(cine, labels)
    assert np.isnan(volumes.rv_ml).tolist() == [False, True, False]
    assert np.isfinite(volumes.lv_ml).all()


def open_slice(labels: LabelMap, index: int, share: float) -> None:
    """Take the wall away on one side, so that `share` of it stays."""
    plane = labels.array[:, :, index, 0]
    y = np.arange(plane.shape[1])[None, :] - plane.shape[1] // 2
    reach = np.quantile(np.where(plane == LV, y, 0)[plane == LV], share)
    plane[(plane == MYO) & (y > reach)] = 0


def test_a_basal_slice_without_half_a_wall_is_not_counted() -> None:
    cine, labels = heart((1.0,))
    whole = measure_volumes(cine, labels)
    open_slice(labels, 0, 0.15)
    assert enclosed_fractions(cine, labels)[0, 0] < 0.4
    cut, every = measure_volumes(cine, labels), measure_volumes(cine, labels, basal_rule="all-slices")
    assert np.flatnonzero(cut.lv_excluded[:, 0]).tolist() == [0]
    assert every.lv_ml == pytest.approx(whole.lv_ml)
    lost = np.count_nonzero(labels.array[:, :, 0, 0] == LV) * cine.voxel_volumes_ml[0]
    assert cut.lv_ml[0] == pytest.approx(whole.lv_ml[0] - lost)


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_a_basal_slice_with_most_of_its_wall_or_nearly_half_is_counted(share: float) -> None:
    cine, labels = heart((1.0,))
    open_slice(labels, 0, share)
    assert enclosed_fractions(cine, labels)[0, 0] == pytest.approx(share, abs=0.2)
    assert enclosed_fractions(cine, labels)[0, 0] > 0.4
    assert not measure_volumes(cine, labels).lv_excluded.any()


def test_min_myocardial_rim_moves_the_limit_of_the_basal_rule() -> None:
    cine, labels = heart((1.0,))
    open_slice(labels, 0, 0.3)
    share = float(enclosed_fractions(cine, labels)[0, 0])
    below, above = (measure_volumes(cine, labels, min_myocardial_rim=share + step) for step in (-0.01, 0.01))
    assert not below.lv_excluded.any() and np.flatnonzero(above.lv_excluded[:, 0]).tolist() == [0]
    assert above.min_myocardial_rim == pytest.approx(share + 0.01)


def beating(n_frames: int, counting: dict[int, float]) -> tuple[Cine, LabelMap]:
    """Frames alike, whose first slice is open, but in the frames of `counting`: there its wall has that share."""
    cine, labels = heart((1.0,) * n_frames)
    for frame in range(n_frames):
        one = LabelMap(array=labels.array[..., frame : frame + 1])
        open_slice(one, 0, counting.get(frame, 0.1))
    times = np.arange(n_frames) * 40.0
    return replace(cine, frame_times_ms=times, rr_interval_ms=40.0 * n_frames), labels


@pytest.mark.parametrize("frame", [0, 7, 19])
def test_a_basal_slice_that_counts_in_one_frame_alone_does_not(frame: int) -> None:
    """The first frame follows the last where the times cover the cycle."""
    cine, labels = beating(20, {frame: 0.35})
    assert 0.4 < enclosed_fractions(cine, labels)[0, frame] < CLEAR_RIM
    volumes = measure_volumes(cine, labels)
    assert volumes.lv_excluded[0].all() and not volumes.lv_excluded[1:].any()
    beside = (frame + 1) % 20
    assert volumes.lv_ml[frame] == pytest.approx(volumes.lv_ml[beside])
    assert np.argwhere(volumes.lone).tolist() == [[0, frame]]
    wall = np.count_nonzero(labels.array == MYO, axis=(0, 1))
    assert volumes.myo_ml[frame] == pytest.approx(cine.voxel_volumes_ml[1:] @ wall[1:, frame])
    assert volumes.myo_ml[beside] == pytest.approx(cine.voxel_volumes_ml @ wall[:, beside])
    flipped = LabelMap(array=labels.array[:, :, ::-1])
    assert measure_volumes(cine, flipped).lv_ml == pytest.approx(volumes.lv_ml)


@pytest.mark.parametrize(
    ("n_frames", "counting", "rr_ms"),
    [
        (20, {7: 0.35, 8: 0.35}, 800.0),  # two frames beside each other
        (20, {19: 0.35, 0: 0.35}, 800.0),  # the last and the first
        (20, {19: 0.35}, 1600.0),  # half a cycle: the last frame has no neighbour after it
        (20, {7: 1.0}, 800.0),  # all of the wall is there
        (10, {7: 0.35}, 400.0),  # few frames
    ],
)
def test_other_basal_slices_count_as_their_rim_is(n_frames: int, counting: dict[int, float], rr_ms: float) -> None:
    cine, labels = beating(n_frames, counting)
    volumes = measure_volumes(replace(cine, rr_interval_ms=rr_ms), labels)
    assert np.flatnonzero(volumes.lv_counted[0]).tolist() == sorted(counting)


def test_a_frame_whose_neighbours_have_no_label_is_no_exception() -> None:
    """As of a study with labels at ED and ES alone."""
    cine, labels = beating(20, {7: 0.35})
    labels.array[..., [6, 8]] = 0
    assert measure_volumes(cine, labels).lv_counted[0, 7]


@pytest.mark.parametrize("index", [4, 9])
def test_mid_and_apical_slices_are_always_counted(index: int) -> None:
    cine, labels = heart((1.0,))
    open_slice(labels, index, 0.1)
    assert not measure_volumes(cine, labels).lv_excluded.any()


def test_a_mask_without_wall_keeps_its_blood() -> None:
    cine, labels = heart((1.0,))
    labels.array[labels.array == MYO] = 0
    volumes = measure_volumes(cine, labels)
    assert not volumes.lv_excluded.any() and volumes.lv_ml[0] > 0


def test_what_cannot_be_measured_is_said() -> None:
    cine, labels = heart()
    with pytest.raises(GeometryError, match="must be on its image's grid"):
        measure_volumes(cine, LabelMap(array=labels.array[:-1]))
    with pytest.raises(InputError, match="scheme 'scar'"):
        measure_volumes(cine, LabelMap(array=labels.array, scheme="scar"))
    with pytest.raises(UsageError, match="basal rule 'smcr'; did you mean 'scmr'"):
        measure_volumes(cine, labels, basal_rule="smcr")  # type: ignore[arg-type]


@pytest.mark.realdata
@pytest.mark.parametrize("number", [1, 29, 47, 60, 90])
def test_experts_draw_the_lv_only_where_it_counts(real_data: Path, number: int) -> None:
    cine, labels, _ = acdc_patient(real_data, number)
    volumes = measure_volumes(cine, labels)
    assert volumes.base == "first"
    assert not volumes.lv_excluded.any()
