"""The left ventricle has its subject's volumes in every state, and a wall that keeps its volume."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.phantom.anatomy.left_ventricle import MYOCARDIAL_DENSITY_G_ML, build_left_ventricle
from cinema_cmr.phantom.subject import GROUPS, draw_subject


@pytest.mark.parametrize("group", GROUPS)
def test_volumes_and_mass_are_those_of_the_subject(group: str) -> None:
    subject = draw_subject(8, group=group)
    ventricle = build_left_ventricle(subject)
    full, empty = ventricle.state(1.0), ventricle.state(0.0)
    assert ventricle.cavity_ml(full) == pytest.approx(subject.lv_edv_ml, rel=1e-6)
    assert ventricle.cavity_ml(empty) == pytest.approx(subject.lv_edv_ml * (1 - subject.lv_ef_percent / 100), rel=1e-3)
    assert ventricle.wall_ml(full) * MYOCARDIAL_DENSITY_G_ML == pytest.approx(subject.lv_mass_g, rel=1e-4)
    assert ventricle.wall_ml(empty) == pytest.approx(ventricle.wall_ml(full), rel=0.01)


def test_valve_plane_and_apex_move_by_the_excursion() -> None:
    subject = draw_subject(2, group="NOR")
    ventricle = build_left_ventricle(subject)
    full, empty = ventricle.state(1.0), ventricle.state(0.0)
    assert (full.base_mm, full.twist_rad) == (0, 0)
    assert empty.base_mm == pytest.approx(subject.mapse_mm)
    assert empty.length_mm < full.length_mm == ventricle.length_mm


def test_infarcted_segments_thicken_less_than_the_others() -> None:
    subject = draw_subject(3, group="MINF")
    ventricle = build_left_ventricle(subject)
    ed, es = (ventricle.thickness_mm(ventricle.state(fullness)) for fullness in (1.0, 0.0))
    thickening = np.array([es[number] / ed[number] - 1 for number in range(1, 17)])
    akinetic = np.array(subject.contraction[:16]) < 0.3
    assert akinetic.any() and thickening[akinetic].mean() < 0.5 * thickening[~akinetic].mean()


def test_impossible_contraction_is_refused() -> None:
    few = replace(draw_subject(1, group="MINF"), lv_ef_percent=80.0)
    with pytest.raises(UsageError, match="lower the EF or let more segments contract"):
        build_left_ventricle(few)
