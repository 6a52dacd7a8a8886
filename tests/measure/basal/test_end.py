"""The base is found at the true end of stacks that lack slices at either end, in any position of the body."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hearts import LV, MYO, STANDARD_AXES, acdc_patient, cine_of, heart, heart_slice

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.basal.end import BasalEvidence, find_base
from cinema_cmr.measure.volumes import measure_volumes
from cinema_cmr.phantom.phantom import make_phantom

TO_THE_HEAD = np.diag([-1.0, -1.0, 1.0])
"""Axes of a stack whose slices ascend to the head: its last slice is the basal one in a usual chest."""


def stack(*, below: int = 2, missing: int = 0, axes: np.ndarray = STANDARD_AXES, oriented: bool = False) -> tuple:
    """A heart whose first slices lie above the valve, with open rims, without its `missing` apical slices."""
    _, closed = heart((1.0, 0.8))
    array = closed.array[:, :, : 10 - missing]
    above = np.zeros((*array.shape[:2], below, 2), dtype=np.uint8)
    for k, frame in product(range(below), range(2)):
        plane = heart_slice(8.0 + 4 * k, 6.0, 10.0 + 5 * k, (1.5, 1.5), array.shape[:2])
        plane[:, 42:] = np.where(plane[:, 42:] == MYO, 0, plane[:, 42:])
        above[:, :, k, frame] = plane
    labels = LabelMap(array=np.concatenate([above, array], axis=2))
    return cine_of(labels.array.shape, axes=axes, oriented=oriented), labels


def turned(cine: Cine, labels: LabelMap) -> tuple[Cine, LabelMap]:
    return cine, LabelMap(array=np.ascontiguousarray(labels.array[:, :, ::-1]))


def tube(n_slices: int = 6) -> LabelMap:
    """A heart of the same area in all slices."""
    return LabelMap(array=np.repeat(heart_slice(20, 8, 15, (1, 1), (70, 70))[..., None, None], n_slices, axis=2))


def points(cine: Cine, *, apex_last: bool) -> dict[View, Landmarks]:
    """Hinge points in one end slice and the apex in the other."""
    depths = (0.0, float(cine.n_slices - 1))
    base, apex = depths if apex_last else depths[::-1]
    voxels = np.array([[30.0, 40, base], [60.0, 40, base], [45.0, 40, apex]])
    at = apply_affine(cine.affine, voxels)
    named = {name: at[k : k + 1] for k, name in enumerate(LANDMARKS[View.LAX_2C])}
    return {View.LAX_2C: Landmarks(view=View.LAX_2C, points=named)}


def test_it_is_found_at_either_end_of_a_whole_heart() -> None:
    whole = heart()
    assert (find_base(*whole).end, find_base(*turned(*whole)).end) == ("first", "last")


@pytest.mark.parametrize("missing", [0, 1, 2, 3])
@pytest.mark.parametrize("oriented", [False, True])
def test_slices_above_the_valve_do_not_pass_for_an_apex(missing: int, oriented: bool) -> None:
    part = stack(missing=missing, oriented=oriented)
    assert find_base(*part).end == "first"
    assert find_base(*turned(*stack(missing=missing, axes=TO_THE_HEAD, oriented=oriented))).end == "last"


def test_masks_outweigh_an_unusual_orientation_and_say_so() -> None:
    evidence = find_base(*stack(axes=TO_THE_HEAD, oriented=True))
    assert (evidence.end, evidence.opposed) == ("first", ("orientation",))


def test_long_axes_and_orientation_together_outweigh_the_masks() -> None:
    cine, labels = stack(axes=TO_THE_HEAD, oriented=True)
    evidence = find_base(cine, labels, points(cine, apex_last=False))
    assert (evidence.end, evidence.opposed) == ("last", ("masks",))


def test_masks_and_long_axes_outweigh_the_orientation() -> None:
    cine, labels = stack(axes=TO_THE_HEAD, oriented=True)
    assert find_base(cine, labels, points(cine, apex_last=True)).end == "first"


def test_without_a_shape_the_orientation_decides_and_long_axes_before_it() -> None:
    labels = tube()
    for axes, expected in ((STANDARD_AXES, "first"), (TO_THE_HEAD, "last")):
        cine = cine_of(labels.array.shape, axes=axes, oriented=True)
        assert find_base(cine, labels).end == expected
        assert find_base(cine, labels, points(cine, apex_last=expected == "last")).end != expected
    unknown = find_base(cine_of(labels.array.shape), labels)
    assert unknown == BasalEvidence(end=None, votes={}, tilt=0.0, walled=True)


@pytest.mark.parametrize("mirror", [np.diag([-1.0, 1.0, 1.0]), np.eye(3)])
def test_the_orientation_of_a_chest_and_of_its_mirror_image_agree(mirror: np.ndarray) -> None:
    labels = tube()
    axis = np.array([-0.57, 0.62, -0.53]) @ mirror
    across = np.cross(axis, [0.0, 0.0, 1.0])
    axes = np.stack([one / np.linalg.norm(one) for one in (across, np.cross(axis, across), axis)])
    assert find_base(cine_of(labels.array.shape, (1, 1, 8), axes=axes, oriented=True), labels).end == "first"


def test_blood_alone_yields_to_the_orientation() -> None:
    cine, labels = stack(axes=TO_THE_HEAD, oriented=True)
    blood = LabelMap(array=np.where(labels.array == LV, LV, 0).astype(np.uint8))
    evidence = find_base(cine, blood)
    assert (evidence.end, evidence.walled) == ("last", False)
    assert find_base(replace(cine, orientation_known=False), blood).end == "first"


def test_uneven_slices_of_one_area_show_no_base() -> None:
    labels = tube(9)
    positions = np.array([0.0, 4, 8, 12, 16, 20, 40, 60, 80])
    assert find_base(cine_of(labels.array.shape, (1, 1, 8), positions_mm=positions), labels).tilt == pytest.approx(0)


def test_an_empty_mask_or_one_slice_leaves_the_orientation() -> None:
    empty = LabelMap(array=np.zeros((8, 8, 4, 1), dtype=np.uint8))
    assert find_base(cine_of(empty.array.shape), empty).end is None
    one = tube(1)
    assert find_base(cine_of(one.array.shape, oriented=True), one).end == "first"


@pytest.mark.medium
@pytest.mark.parametrize(("seed", "group"), [(11, "NOR"), (5, "DCM")])
def test_phantoms_without_their_apical_slices(seed: int, group: str) -> None:
    made = make_phantom(seed, group=group, views=(View.SAX,), n_frames=2)
    cine, labels = made.study.cine(View.SAX), made.labels[View.SAX]
    held = np.flatnonzero((labels.array == LV).any(axis=(0, 1, 3)))
    kept = list(range(held[2], cine.n_slices))  # its first slices are the apical ones
    part = cine.select(slices=kept), LabelMap(array=labels.array[:, :, kept])
    assert find_base(*part).votes == {"masks": "last", "orientation": "last"}
    assert find_base(replace(part[0], orientation_known=False), part[1]).end == "last"
    whole = measure_volumes(cine, labels).lv_shares[kept]
    np.testing.assert_array_equal(measure_volumes(*part).lv_shares, whole)


@pytest.mark.realdata
@pytest.mark.slow
def test_acdc(real_data: Path) -> None:
    for number in range(1, 101):
        cine, labels, _ = acdc_patient(real_data, number)
        held = np.flatnonzero((labels.array == LV).any(axis=(0, 1, 3)))
        for first, last in ((0, cine.n_slices), (0, held[-1]), (held[1], cine.n_slices)):
            kept = list(range(first, last))
            evidence = find_base(cine.select(slices=kept), LabelMap(array=labels.array[:, :, kept]))
            assert evidence.end == "first", (number, first, last)
