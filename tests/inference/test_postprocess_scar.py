"""Lesions end up in the wall by the stated rules, and what experts draw is left as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cinema_cmr.core.vocabulary import View
from cinema_cmr.inference.postprocess import keep_largest_components
from cinema_cmr.inference.postprocess_scar import correct_lesions

VOXEL_ML = np.array([0.1, 0.2])


def ventricle() -> NDArray[np.uint8]:
    """A ring with an infarct that has a core of no-reflow, in two slices."""
    labels = np.zeros((24, 24, 2), np.uint8)
    labels[4:16, 4:16] = 2
    labels[7:13, 7:13] = 1
    labels[4:7, 6:13] = 3
    labels[5:7, 8:10] = 4
    return labels


def tidied(labels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], dict[str, float]]:
    return keep_largest_components(labels, scheme="scar", voxel_ml=VOXEL_ML, pixel_mm=(1.5, 1.5))


def test_a_ventricle_as_drawn_stays() -> None:
    kept, removed = tidied(ventricle())
    assert np.array_equal(kept, ventricle()) and removed == {}


def test_a_lesion_apart_from_the_heart_in_its_slice_goes_with_its_volume() -> None:
    labels = ventricle()
    labels[18:20, 18:20, 1] = 3
    kept, removed = tidied(labels)
    assert np.array_equal(kept, ventricle()) and removed == pytest.approx({"infarct": 0.8})


def test_a_piece_that_hangs_on_through_another_slice_alone_goes_too() -> None:
    labels = ventricle()
    labels[4:20, 4:6, 0] = 2
    labels[18:20, 4:6, 1] = 2
    assert not tidied(labels)[0][17:, :, 1].any() and tidied(labels)[0][18, 4, 0] == 2


def test_a_hole_is_wall_and_a_lesion_in_the_blood_is_blood() -> None:
    labels = ventricle()
    labels[14, 14, 0] = 0
    labels[9:11, 9:11, 0] = 3
    labels[9, 9, 0] = 4
    kept, removed = tidied(labels)
    assert np.array_equal(kept, ventricle())
    assert removed == pytest.approx({"infarct": 0.3, "no_reflow": 0.1})


def test_no_reflow_without_an_infarct_is_infarct() -> None:
    labels = ventricle()
    labels[14, 5:8, 1] = 4
    kept, removed = tidied(labels)
    assert (kept[14, 5:8, 1] == 3).all() and removed == pytest.approx({"no_reflow": 0.6})
    assert (kept == 4).sum() == (ventricle() == 4).sum()


def test_a_second_cavity_goes_with_its_wall() -> None:
    labels = ventricle()
    labels[15:24, 6:14, 0] = 2
    labels[19:22, 8:12, 0] = 1
    kept, removed = tidied(labels)
    assert (kept[..., 0] == 1).sum() == 36 and removed["lv_cavity"] == pytest.approx(1.2)


def test_an_empty_map_stays_empty() -> None:
    assert not correct_lesions(np.zeros((5, 5, 2), np.uint8)).any()


@pytest.mark.realdata
def test_no_rule_changes_what_experts_drew(real_data: Path) -> None:
    from cinema_cmr.datasets.readers.emidec import list_cases, read_case

    for case in list_cases(real_data / "emidec"):
        annotated = read_case(case)
        labels, cine = annotated.labels[View.SAX].array[..., 0], annotated.study.cine(View.SAX)
        kept, removed = keep_largest_components(
            labels, scheme="scar", voxel_ml=cine.voxel_volumes_ml, pixel_mm=cine.spacing_mm[:2]
        )
        assert np.array_equal(kept, labels) and removed == {}, case.name
