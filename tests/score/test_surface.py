"""Surface distances against shapes whose distance is known, and against MONAI where it is installed."""

from __future__ import annotations

import numpy as np
import pytest
from blobs import PAIRS, SHAPE
from scipy import ndimage

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.score.surface import surface_distances, surface_distances_by_class


def mask_with(*voxels: tuple[int, int, int], shape: tuple[int, int, int] = (12, 12, 4)) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(np.transpose(voxels))] = True
    return mask


def ball(centre: tuple[float, float, float], radius_mm: float, step_mm: tuple[float, float, float]) -> np.ndarray:
    grid = np.meshgrid(*(np.arange(n) * step for n, step in zip((40, 48, 9), step_mm, strict=True)), indexing="ij")
    squared = sum((axis - at) ** 2 for axis, at in zip(grid, centre, strict=True))
    return np.asarray(squared <= radius_mm**2)


def test_the_same_mask_is_at_distance_zero() -> None:
    mask = ball((20, 24, 36), 14, (1, 1, 8))
    assert surface_distances(mask, mask, pixel_mm=(1, 1), slice_positions_mm=np.arange(9) * 8.0) == (0, 0)


@pytest.mark.parametrize(
    ("voxel", "expected_mm"),
    [
        ((5, 2, 1), 3 * 1.5),
        ((2, 5, 1), 3 * 0.5),
        ((2, 2, 2), 8.0),
        ((2, 2, 3), 23.0),
        ((5, 2, 3), np.hypot(4.5, 23)),
    ],
)
def test_one_voxel_each_is_as_far_as_it_really_is(voxel: tuple[int, int, int], expected_mm: float) -> None:
    """Unequal pixels, and a slice missing between the third and the fourth."""
    found = surface_distances(
        mask_with((2, 2, 1)),
        mask_with(voxel),
        pixel_mm=(1.5, 0.5),
        slice_positions_mm=np.array([0.0, 8.0, 16.0, 31.0]),
    )
    assert found == pytest.approx((expected_mm, expected_mm))


def test_a_box_moved_along_x_has_its_face_moved() -> None:
    """Two faces of 1 x 6 x 2 voxels move by 3 x 1.5 mm; the rest slides along itself."""
    predicted, reference = np.zeros((2, 20, 12, 4), dtype=bool)
    predicted[2:10, 3:9, 1:3] = True
    reference[5:13, 3:9, 1:3] = True
    found = surface_distances(predicted, reference, pixel_mm=(1.5, 1), slice_positions_mm=np.arange(4) * 8.0)
    assert found.hausdorff_95_mm == pytest.approx(4.5)
    each_way = 6 * (1.5 + 3 + 4.5)
    voxels = 8 * 6
    assert found.average_mm == pytest.approx(each_way / voxels)


def test_hausdorff_95_forgives_one_stray_voxel_in_forty() -> None:
    line = np.zeros((60, 30, 1), dtype=bool)
    line[5:45, 2] = True
    stray = line.copy()
    stray[20, 25] = True
    found = surface_distances(stray, line, pixel_mm=(1, 1), slice_positions_mm=np.zeros(1))
    assert found.hausdorff_95_mm == 0
    assert found.average_mm == pytest.approx(23 / (41 + 40))


def test_concentric_discs_are_apart_by_the_difference_of_radii() -> None:
    x, y = np.meshgrid(np.arange(-40, 41) * 0.5, np.arange(-80, 81) * 0.25, indexing="ij")
    inner, outer = (np.hypot(x, y)[:, :, None] <= radius_mm for radius_mm in (12, 16))
    found = surface_distances(inner, outer, pixel_mm=(0.5, 0.25), slice_positions_mm=np.zeros(1))
    assert found == pytest.approx((4, 4), abs=0.4)


def test_a_single_slice_is_compared_by_outline() -> None:
    """Taken as a volume, every voxel of the one slice would be surface and the hole would hardly count."""
    outer, ring = np.zeros((2, 21, 21, 1), dtype=bool)
    outer[2:19, 2:19] = True
    ring[2:19, 2:19] = True
    ring[10, 10] = False
    found = surface_distances(ring, outer, pixel_mm=(1, 1), slice_positions_mm=np.zeros(1))
    outline, hole = 4 * 16, 4
    assert found.average_mm == pytest.approx(hole * 7 / (2 * outline + hole))


def test_order_of_the_masks_and_mirror_do_not_matter() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.random((2, 9, 8, 5)) > 0.7
    positions = np.array([0.0, 6.0, 13.0, 19.0, 31.0])
    straight = surface_distances(a, b, pixel_mm=(1.2, 0.9), slice_positions_mm=positions)
    assert surface_distances(b, a, pixel_mm=(1.2, 0.9), slice_positions_mm=positions) == pytest.approx(straight)
    mirrored = surface_distances(
        a[::-1, :, ::-1], b[::-1, :, ::-1], pixel_mm=(1.2, 0.9), slice_positions_mm=31.0 - positions[::-1]
    )
    assert mirrored == pytest.approx(straight)


def test_empty_masks_follow_the_rule() -> None:
    empty, full = np.zeros((4, 4, 2), dtype=bool), np.ones((4, 4, 2), dtype=bool)
    positions = np.array([0.0, 4.0])
    assert np.isnan(surface_distances(empty, empty, pixel_mm=(1, 1), slice_positions_mm=positions)).all()
    diagonal = np.sqrt(3**2 + 3**2 + 4**2)
    for pair in ((empty, full), (full, empty)):
        assert surface_distances(*pair, pixel_mm=(1, 1), slice_positions_mm=positions) == pytest.approx((diagonal,) * 2)


def test_classes_are_measured_apart() -> None:
    predicted, reference = np.zeros((2, 6, 6, 1), dtype=np.uint8)
    predicted[1, 1], reference[1, 1], predicted[4, 4], reference[4, 2] = 1, 1, 3, 3
    found = surface_distances_by_class(predicted, reference, pixel_mm=(1, 2), slice_positions_mm=np.zeros(1))
    assert found["rv"] == (0, 0)
    assert found["lv"] == (4, 4)
    assert np.isnan(found["myo"]).all()


def test_shapes_that_do_not_fit_are_refused() -> None:
    mask = np.ones((4, 4, 3), dtype=bool)
    with pytest.raises(GeometryError, match="2 slice positions"):
        surface_distances(mask, mask, pixel_mm=(1, 1), slice_positions_mm=np.array([0.0, 8.0]))
    with pytest.raises(GeometryError, match="expected the same grid"):
        surface_distances(mask, mask[:3], pixel_mm=(1, 1), slice_positions_mm=np.arange(3.0))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_agrees_with_monai(seed: int) -> None:
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    rng = np.random.default_rng(seed)
    step_mm = (1.4, 1.1, 8.0)
    predicted, reference = (ball(tuple(rng.uniform((20, 20, 25), (30, 30, 45))), 15, step_mm) for _ in range(2))
    given = [torch.tensor(mask[None, None]) for mask in (predicted, reference)]
    hausdorff = metrics.compute_hausdorff_distance(*given, percentile=95, spacing=step_mm)
    average = metrics.compute_average_surface_distance(*given, symmetric=True, spacing=step_mm)
    ours = surface_distances(predicted, reference, pixel_mm=step_mm[:2], slice_positions_mm=np.arange(9) * step_mm[2])
    assert ours == pytest.approx((float(hausdorff), float(average)), rel=1e-5)


SPACINGS_MM = [(1.0, 1.0, 1.0), (1.25, 1.25, 10.0), (0.7, 1.9, 6.5)]


def outline(mask: np.ndarray) -> np.ndarray:
    """Voxels with a face neighbour outside, by a padded shift along each axis instead of an erosion."""
    padded = np.pad(mask, 1)
    shifted = [np.roll(padded, step, axis) for axis in range(3) for step in (-1, 1)]
    return np.asarray((padded & ~np.logical_and.reduce(shifted))[1:-1, 1:-1, 1:-1])


def distances_by_transform(first: np.ndarray, second: np.ndarray, spacing: tuple[float, ...]) -> tuple[float, float]:
    edges = outline(first), outline(second)
    fields = [ndimage.distance_transform_edt(~edge, sampling=spacing) for edge in edges]
    there, back = fields[1][edges[0]], fields[0][edges[1]]
    return max(np.percentile(there, 95), np.percentile(back, 95)), np.concatenate([there, back]).mean()


@pytest.mark.parametrize("spacing", SPACINGS_MM)
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_distances_are_those_of_a_distance_transform(
    first: np.ndarray, second: np.ndarray, spacing: tuple[float, float, float]
) -> None:
    positions = spacing[2] * np.arange(SHAPE[2])
    found = surface_distances(first, second, pixel_mm=spacing[:2], slice_positions_mm=positions)
    assert tuple(found) == pytest.approx(distances_by_transform(first, second, spacing))
