"""Annotations: a label map belongs to a cine of its shape, and both kinds print on one line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cinema_cmr.core.annotation import (
    LabelMap,
    Landmarks,
    SoftLabels,
    check_same_grid,
    has_atria,
    without_empty_atria,
)
from cinema_cmr.core.errors import GeometryError, InputError, UnknownNameError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine

SHAPE = (5, 4, 3, 2)
CINE = Cine(
    array=np.zeros(SHAPE, np.float32),
    affine=np.diag([1.5, 1.5, 8.0, 1.0]),
    view=View.SAX,
    slice_positions_mm=np.arange(3) * 8.0,
)


def label_map(*shape: int) -> LabelMap:
    return LabelMap(array=np.zeros(shape, np.uint8))


def test_labels_of_the_shape_of_the_cine_are_accepted() -> None:
    labels = label_map(*SHAPE)
    check_same_grid(labels, CINE)
    assert labels.shape == CINE.shape


@pytest.mark.parametrize("axis", range(4))
def test_labels_that_differ_along_any_axis_are_refused(axis: int) -> None:
    shape = tuple(n + (k == axis) for k, n in enumerate(SHAPE))
    with pytest.raises(GeometryError) as refused:
        check_same_grid(label_map(*shape), CINE)
    assert str(shape) in str(refused.value) and str(SHAPE) in str(refused.value)


def test_labels_with_swapped_axes_are_refused() -> None:
    with pytest.raises(GeometryError, match="on its image's grid"):
        check_same_grid(label_map(4, 5, 3, 2), CINE)


def test_annotations_print_on_one_line() -> None:
    assert repr(label_map(*SHAPE)) == "LabelMap(5 x 4 x 3 x 2 voxels, scheme 'cine')"
    points = {"valve": np.zeros((7, 3)), "apex": np.zeros((6, 3))}
    assert repr(Landmarks(view=View.LAX_2C, points=points)) == "Landmarks(lax_2c: valve, apex; 7 frames)"
    assert repr(Landmarks(view=View.LAX_2C, points={})) == "Landmarks(lax_2c: ; 0 frames)"
    assert repr(Landmarks(view=View.LAX_2C, points={"apex": np.zeros((1, 3))})) == "Landmarks(lax_2c: apex; 1 frame)"


def test_a_part_labelled_map_states_what_was_drawn() -> None:
    labels = label_map(*SHAPE)
    assert labels.is_complete and "drawn" not in repr(labels)
    part = replace(labels, drawn=("lv",))
    assert not part.is_complete and "only lv drawn" in repr(part)
    assert replace(labels, drawn=("rv", "myo", "lv")).is_complete
    slices = np.ones(SHAPE[2:], dtype=bool)
    assert replace(labels, drawn_slices=slices).is_complete
    slices = slices.copy()
    slices[1, 1] = False
    half = replace(labels, drawn_slices=slices)
    assert not half.is_complete and half.select([0]).is_complete and not half.select([1]).is_complete
    assert half.select([1, 0]).array.shape == SHAPE


def test_unknown_structures_and_slices_of_another_shape_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'myo'"):
        replace(label_map(*SHAPE), drawn=("mio",))
    with pytest.raises(GeometryError, match="expected"):
        replace(label_map(*SHAPE), drawn_slices=np.ones(3, dtype=bool))


def test_soft_labels_print_on_one_line() -> None:
    soft = SoftLabels(array=np.zeros((*SHAPE, 4), np.uint8), teacher="cinema-sax")
    assert repr(soft) == "SoftLabels(5 x 4 x 3 x 2 voxels of 'cinema-sax', scheme 'cine')"


@pytest.mark.parametrize(
    ("view", "names", "message"),
    [
        (View.SAX, ["apex"], "short axis view are apex; expected those of lax_2c or lax_4c or lax_3c"),
        (View.LAX_3C, ["apex"], "are apex; expected mitral_anteroseptal, mitral_inferolateral, apex"),
        (View.LAX_4C, ["apex"], "are apex; expected mitral_septal, mitral_lateral, apex"),
        (View.LAX_2C, [], "are empty; expected mitral_anterior"),
    ],
)
def test_points_that_a_measurement_needs_are_named_where_they_are_missing(
    view: View, names: list[str], message: str
) -> None:
    landmarks = Landmarks(view=view, points={name: np.zeros((2, 3)) for name in names})
    with pytest.raises(InputError, match=message):
        landmarks.tracks()


def test_points_come_in_the_order_of_the_vocabulary() -> None:
    points = {name: np.full((2, 3), k) for k, name in enumerate(("apex", "mitral_lateral", "mitral_septal"))}
    assert [track[0, 0] for track in Landmarks(view=View.LAX_4C, points=points).tracks()] == [2, 1, 0]


def test_labels_of_cine_and_chambers_stand_for_each_other() -> None:
    codes = np.zeros(SHAPE, np.uint8)
    codes[0], codes[1], codes[2] = 3, 4, 5
    whole = LabelMap(array=codes, scheme="chambers")
    cine = whole.in_scheme("cine")
    assert cine.is_complete and sorted(np.unique(cine.array)) == [0, 3]
    again = cine.in_scheme("chambers")
    assert again.drawn == ("rv", "myo", "lv") and not again.is_complete
    assert again.in_scheme("cine").is_complete
    assert replace(cine, drawn=("lv",)).in_scheme("chambers").drawn == ("lv",)
    assert replace(whole, drawn=("lv", "la")).in_scheme("cine").drawn == ("lv",)


def test_a_teacher_s_atria_are_background_to_a_network_of_the_cine() -> None:
    probs = np.zeros((*SHAPE, 6), np.uint8)
    probs[..., :] = (55, 100, 0, 50, 30, 20)
    soft = SoftLabels(array=probs, scheme="chambers", teacher="t")
    cine = soft.in_scheme("cine")
    assert cine.scheme == "cine" and cine.array[0, 0, 0, 0].tolist() == [105, 100, 0, 50]
    assert cine.in_scheme("chambers") is cine and soft.in_scheme("chambers") is soft
    with pytest.raises(InputError, match="'chambers' have no place in 'scar'"):
        soft.in_scheme("scar")


def test_labels_without_common_codes_are_refused() -> None:
    scar = LabelMap(array=np.zeros(SHAPE, np.uint8), scheme="scar")
    with pytest.raises(InputError, match="'scar' have no place in 'chambers'"):
        scar.in_scheme("chambers")
    atria = LabelMap(array=np.zeros(SHAPE, np.uint8), scheme="chambers", drawn=("la",))
    with pytest.raises(InputError, match="only la drawn"):
        atria.in_scheme("cine")


@pytest.mark.parametrize("code", [4, 5])
def test_a_map_that_was_read_has_atria_where_any_voxel_is_of_one(code: int) -> None:
    array = np.zeros(SHAPE, np.uint8)
    array[0, 0, 0] = 3
    plain = without_empty_atria(LabelMap(array=array, scheme="chambers"))
    assert (plain.scheme, plain.is_complete, has_atria(plain)) == ("cine", True, False)
    array[1, 1, 2, 1] = code
    chambers = LabelMap(array=array, scheme="chambers")
    assert has_atria(chambers) and without_empty_atria(chambers) is chambers
    scar = LabelMap(array=np.minimum(array, 4), scheme="scar")
    assert not has_atria(scar) and without_empty_atria(scar) is scar, "code 4 is no-reflow there"


def test_atria_are_background_to_the_ventricles() -> None:
    labels = LabelMap(array=np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1), scheme="chambers")
    assert labels.ventricular_codes.ravel().tolist() == [0, 1, 2, 3, 0, 0]
    only = replace(labels, drawn=("la", "ra"))
    assert only.ventricular_codes.ravel().tolist() == [0, 1, 2, 3, 0, 0]
    other = replace(labels, scheme="pathology")
    assert other.ventricular_codes is other.array


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float64, np.float32])
def test_codes_in_numbers_of_any_type_are_taken(dtype: type) -> None:
    codes = np.arange(24).reshape(2, 3, 4, 1) % 4
    labels = LabelMap.from_array(codes.astype(dtype))
    assert labels.array.dtype == np.uint8 and np.array_equal(labels.array, codes)


@pytest.mark.parametrize("value", [4, -1, 0.5, np.nan])
def test_values_that_are_no_codes_are_refused(value: float) -> None:
    with pytest.raises(InputError, match=r"label map with the values .*expected the codes \[0, 1, 2, 3\]"):
        LabelMap.from_array(np.full((2, 2, 2, 1), value))
    with pytest.raises(GeometryError, match=r"label map of shape \(2, 2, 2\)"):
        LabelMap.from_array(np.zeros((2, 2, 2)))
