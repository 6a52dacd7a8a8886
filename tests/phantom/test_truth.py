"""Ground truth of a heart agrees with the parameters of its subject."""

from __future__ import annotations

import pytest

from cinema_cmr.phantom.anatomy.heart import build_heart
from cinema_cmr.phantom.subject import GROUPS, draw_subject
from cinema_cmr.phantom.truth import ground_truth


@pytest.mark.parametrize("group", GROUPS)
def test_truth_is_that_of_the_subject(group: str) -> None:
    subject = draw_subject(12, group=group)
    truth = ground_truth(build_heart(subject))
    for name, rel in (("lv_edv_ml", 1e-4), ("lv_ef_percent", 0.01), ("rv_edv_ml", 0.01), ("rv_ef_percent", 0.01)):
        assert truth[name] == pytest.approx(getattr(subject, name), rel=rel), name
    assert truth["lv_mass_g"] == pytest.approx(subject.lv_mass_g, rel=0.01)
    assert truth["tapse_mm"] == subject.tapse_mm and truth["heart_rate_bpm"] == pytest.approx(subject.heart_rate_bpm)
    assert truth["cardiac_output_l_min"] == pytest.approx(truth["lv_sv_ml"] * subject.heart_rate_bpm / 1000)
    assert truth["lv_edvi_ml_m2"] == pytest.approx(truth["lv_edv_ml"] / subject.body_surface_m2)


@pytest.mark.parametrize("group", GROUPS)
def test_the_left_atrium_fills_while_the_ventricle_empties(group: str) -> None:
    truth = ground_truth(build_heart(draw_subject(12, group=group)))
    assert 20 < truth["la_volume_min_ml"] < truth["la_volume_max_ml"] < 300
    emptied = 1 - truth["la_volume_min_ml"] / truth["la_volume_max_ml"]
    assert truth["la_ef_percent"] == pytest.approx(100 * emptied)


def test_hinge_points_move_about_as_far_as_the_valve_plane() -> None:
    subject = draw_subject(12, group="NOR")
    truth = ground_truth(build_heart(subject))
    sides = [truth[f"mapse_{side}_mm"] for side in ("septal", "lateral", "anterior", "inferior")]
    assert sum(sides) / 4 == pytest.approx(subject.mapse_mm, rel=0.1)
    assert truth["mapse_mean_mm"] == pytest.approx((sides[0] + sides[1]) / 2)
    thickness = [truth[f"wall_thickness_ed_mm_aha{number:02d}"] for number in range(1, 17)]
    assert truth["wall_thickness_ed_max_mm"] == max(thickness)
