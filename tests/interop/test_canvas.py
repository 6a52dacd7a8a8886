"""Masks of several structures on one image are painted in order, and only what every frame has counts as drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from interop_hearts import stack_cine

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Study
from cinema_cmr.interop.canvas import Canvas, slice_origin


def square(cine_shape: tuple[int, ...], first: int, last: int) -> np.ndarray:  # type: ignore[type-arg]
    mask = np.zeros(cine_shape[:2], bool)
    mask[first:last, first:last] = True
    return mask


def test_cavities_lie_over_walls_and_holes_are_left_out() -> None:
    cine = stack_cine()
    canvas = Canvas(study=Study(name="heart", cines=(cine,)))
    canvas.add((0, 2, 1), "lv", square(cine.shape, 12, 18))
    canvas.add((0, 2, 1), "epi", square(cine.shape, 10, 20))
    canvas.add((0, 3, 1), "myo", square(cine.shape, 10, 20), exclusive=True)
    canvas.add((0, 3, 1), "myo", square(cine.shape, 12, 18), exclusive=True)
    canvas.add((0, 2, 4), "lv", square(cine.shape, 12, 18))
    canvas.add((0, 2, 4), "lv", square(cine.shape, 20, 22))
    (read,) = canvas.painted()
    counts = [
        [int((read.labels.array[:, :, k, t] == code).sum()) for code in (1, 2, 3)] for k, t in ((2, 1), (3, 1), (2, 4))
    ]
    assert counts == [[0, 100 - 36, 36], [0, 100 - 36, 0], [0, 0, 36 + 4]]
    assert read.frames == (1, 4) and read.drawn == ("lv",), "the wall is missing in one of the frames"


def test_a_cine_without_dicom_images_has_no_places() -> None:
    canvas = Canvas(study=Study(name="heart", cines=(stack_cine(),)))
    assert canvas.places == {} and not list(canvas.painted())
    with pytest.raises(InputError, match="not read from DICOM"):
        slice_origin(stack_cine(), 0)


def test_a_wall_drawn_in_some_slices_alone_does_not_count_as_drawn() -> None:
    cine = stack_cine()
    canvas = Canvas(study=Study(name="heart", cines=(cine,)))
    for k in (2, 3):
        canvas.add((0, k, 1), "lv", square(cine.shape, 12, 18))
    canvas.add((0, 2, 1), "epi", square(cine.shape, 10, 20))
    (read,) = canvas.painted()
    assert read.drawn == ("lv",), "slice 3 would teach blood beside background"
    canvas.add((0, 3, 1), "epi", square(cine.shape, 10, 20))
    assert next(canvas.painted()).drawn == ("myo", "lv")


def test_areas_may_leave_out_the_wall_of_a_slice_as_at_the_valves() -> None:
    cine = stack_cine()
    canvas = Canvas(study=Study(name="heart", cines=(cine,)))
    for k in (2, 3):
        canvas.add((0, k, 1), "lv", square(cine.shape, 12, 18))
    canvas.add((0, 2, 1), "myo", square(cine.shape, 10, 20))
    assert next(canvas.painted()).drawn == ("myo", "lv")


def test_an_outer_border_without_a_cavity_is_passed_over_and_noted() -> None:
    cine, notes = stack_cine(), list[str]()
    canvas = Canvas(study=Study(name="heart", cines=(cine,)), note=notes.append)
    for k in (2, 3):
        canvas.add((0, k, 1), "epi", square(cine.shape, 10, 20))
    canvas.add((0, 2, 1), "lv", square(cine.shape, 12, 18))
    canvas.add((0, 3, 4), "epi", square(cine.shape, 10, 20))
    (read,) = canvas.painted()
    assert not read.labels.array[:, :, 3].any(), "a disc of myocardium was learned there"
    assert read.frames == (1,) and read.drawn == ("myo", "lv")
    assert len(notes) == 1 and notes[0].endswith("borders of a wall without its cavity, on 2 images")


def test_parts_of_one_file_are_joined_and_two_files_of_one_structure_refused() -> None:
    cine = stack_cine()
    canvas = Canvas(study=Study(name="heart", cines=(cine,)), source=Path("reader1/a.dcm"))
    canvas.add((0, 2, 1), "lv", square(cine.shape, 2, 4))
    canvas.add((0, 2, 1), "lv", square(cine.shape, 12, 14))
    canvas.source = Path("reader2/a.dcm")
    canvas.add((0, 3, 1), "lv", square(cine.shape, 2, 4))
    for exclusive in (False, True):
        with pytest.raises(InputError, match=r"'reader1/a.dcm' and 'reader2/a.dcm' both draw the left ventricle"):
            canvas.add((0, 2, 1), "lv", square(cine.shape, 2, 4), exclusive=exclusive)
    assert int(next(canvas.painted()).labels.array[..., 1].astype(bool).sum()) == 3 * 4
