"""The exact measurements of a heart, from its anatomy, under the names of the measure room."""

from __future__ import annotations

import numpy as np

from cinema_cmr.phantom.heart import Heart, HeartFrame
from cinema_cmr.phantom.left_ventricle import MYOCARDIAL_DENSITY_G_ML
from cinema_cmr.phantom.points import mitral_point

__all__ = ["ground_truth"]


def ground_truth(heart: Heart) -> dict[str, float]:
    """Volumes, EF, mass, MAPSE, TAPSE and wall thickness of a heart, ED at the R wave, ES when most is out."""
    ed = heart.at_ed
    es = heart.frame(heart.left_cycle.systole_ms + heart.left_cycle.relaxation_ms / 2)
    found: dict[str, float] = {}
    for name, first, second in (
        ("lv", heart.left.cavity_ml(ed.left), heart.left.cavity_ml(es.left)),
        ("rv", heart.right.volume_ml(ed.right), heart.right.volume_ml(heart.right.state(0.0))),
    ):
        found[f"{name}_edv_ml"], found[f"{name}_esv_ml"] = first, second
        found[f"{name}_sv_ml"] = first - second
        found[f"{name}_ef_percent"] = 100 * (first - second) / first
    found["lv_mass_g"] = heart.left.wall_ml(ed.left) * MYOCARDIAL_DENSITY_G_ML
    rate = 60000 / heart.left_cycle.rr_interval_ms
    found["heart_rate_bpm"] = rate
    found["cardiac_output_l_min"] = found["lv_sv_ml"] * rate / 1000
    return found | _indexed(found, heart) | _long_axis(heart, ed, es) | _thickness(heart, ed, es)


def _indexed(found: dict[str, float], heart: Heart) -> dict[str, float]:
    surface = heart.subject.body_surface_m2
    indexed = {
        f"{name}_{volume}i_ml_m2": found[f"{name}_{volume}_ml"] / surface
        for name in ("lv", "rv")
        for volume in ("edv", "esv", "sv")
    }
    return indexed | {"bsa_m2": surface, "lv_mass_index_g_m2": found["lv_mass_g"] / surface}


def _long_axis(heart: Heart, ed: HeartFrame, es: HeartFrame) -> dict[str, float]:
    """MAPSE of the hinge points along the axis at ED in ideally planned views, and the ways of the planes."""
    axis = heart.pose.towards_apex
    ways = {
        side: float((mitral_point(heart, es, angle) - mitral_point(heart, ed, angle)) @ axis)
        for side, angle in (
            (name, np.radians(np.array(degrees)))
            for name, degrees in (("septal", -30.0), ("lateral", 150.0), ("anterior", 90.0), ("inferior", -90.0))
        )
    }
    return {
        **{f"mapse_{side}_mm": way for side, way in ways.items()},
        "mapse_mean_mm": (ways["septal"] + ways["lateral"]) / 2,
        "tapse_mm": heart.subject.tapse_mm,
        "long_axis_shortening_percent": 100 * (1 - es.left.length_mm / ed.left.length_mm),
    }


def _thickness(heart: Heart, ed: HeartFrame, es: HeartFrame) -> dict[str, float]:
    found = {}
    thickness = {"ed": heart.left.thickness_mm(ed.left), "es": heart.left.thickness_mm(es.left)}
    for phase, by_segment in thickness.items():
        found.update({f"wall_thickness_{phase}_mm_aha{number:02d}": mm for number, mm in by_segment.items()})
    found["wall_thickness_ed_max_mm"] = max(thickness["ed"].values())
    return found
