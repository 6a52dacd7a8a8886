"""The right ventricle holds its subject's volume, by closed form and by counting."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.phantom.anatomy.right_ventricle import RightVentricle
from cinema_cmr.phantom.subject import draw_subject

SUBJECT = draw_subject(6, group="NOR")
VENTRICLE = RightVentricle(subject=SUBJECT, apex_mm=75.0, outflow_height_mm=10.0)


@pytest.mark.parametrize("fullness", [1.0, 0.4, 0.0])
def test_volume_of_a_state(fullness: float) -> None:
    expected = SUBJECT.rv_edv_ml * (1 - SUBJECT.rv_ef_percent / 100 * (1 - fullness))
    state = VENTRICLE.state(fullness)
    assert VENTRICLE.volume_ml(state) == pytest.approx(expected)
    theta = (np.arange(720) + 0.5) * 2 * np.pi / 720
    along = np.arange(-30, 80, 0.25)
    area = VENTRICLE.added_sq(theta[:, None], along[None], state).sum() / 2 * (2 * np.pi / 720)
    assert area * 0.25 / 1000 == pytest.approx(expected, rel=0.01)


def test_tricuspid_plane_moves_by_tapse() -> None:
    full, empty = VENTRICLE.state(1.0), VENTRICLE.state(0.0)
    assert empty.tricuspid_mm - full.tricuspid_mm == pytest.approx(SUBJECT.tapse_mm)
    assert full.outflow_mm == -10.0 and empty.outflow_mm > full.outflow_mm


def test_nothing_lies_outside_the_valves_and_the_apex() -> None:
    state = VENTRICLE.state(1.0)
    theta = np.linspace(-np.pi, np.pi, 90)[:, None]
    assert not VENTRICLE.added_sq(theta, np.array([[-10.5, 75.5]]), state).any()
    assert not VENTRICLE.added_sq(np.array([[np.pi]]), np.array([[30.0]]), state).any()
