"""Ground truth of a heart: exact measurements from its anatomy, under the names of `cinema_cmr.measure`."""

from __future__ import annotations

import numpy as np

from cinema_cmr.phantom.anatomy.chambers import LEFT_ATRIUM, Chambers
from cinema_cmr.phantom.anatomy.heart import Heart, HeartFrame
from cinema_cmr.phantom.anatomy.left_ventricle import MYOCARDIAL_DENSITY_G_ML
from cinema_cmr.phantom.points import mitral_point

__all__ = ["ground_truth"]

_SIDES = {
    "septal": -30.0,
    "lateral": 150.0,
    "anterior": 90.0,
    "inferior": -90.0,
    "anteroseptal": 30.0,
    "inferolateral": -150.0,
}
"""Angles of the sides of the mitral ring, degrees from mid septum towards the anterior wall."""


def ground_truth(heart: Heart) -> dict[str, float]:
    """Return volumes, EF, mass, MAPSE, TAPSE, wall thickness and volumes of the left atrium.

    ED is at the R wave, ES at the smallest volume.
    """
    ed = heart.at_ed
    es = heart.frame(heart.left_cycle.systole_ms + heart.left_cycle.relaxation_ms / 2)
    values: dict[str, float] = {}
    for name, first, second in (
        ("lv", heart.left.cavity_ml(ed.left), heart.left.cavity_ml(es.left)),
        ("rv", heart.right.volume_ml(ed.right), heart.right.volume_ml(heart.right.state(0.0))),
    ):
        values[f"{name}_edv_ml"], values[f"{name}_esv_ml"] = first, second
        values[f"{name}_sv_ml"] = first - second
        values[f"{name}_ef_percent"] = 100 * (first - second) / first
    values["lv_mass_g"] = heart.left.wall_ml(ed.left) * MYOCARDIAL_DENSITY_G_ML
    rate = 60000 / heart.left_cycle.rr_interval_ms
    values["heart_rate_bpm"] = rate
    values["cardiac_output_l_min"] = values["lv_sv_ml"] * rate / 1000
    measured = _long_axis(heart, ed, es) | _left_atrium(heart, ed, es) | _thickness(heart, ed, es)
    return values | _indexed(values, heart) | measured


def _indexed(values: dict[str, float], heart: Heart) -> dict[str, float]:
    surface = heart.subject.body_surface_m2
    indexed = {
        f"{name}_{volume}i_ml_m2": values[f"{name}_{volume}_ml"] / surface
        for name in ("lv", "rv")
        for volume in ("edv", "esv", "sv")
    }
    return indexed | {"bsa_m2": surface, "lv_mass_index_g_m2": values["lv_mass_g"] / surface}


def _long_axis(heart: Heart, ed: HeartFrame, es: HeartFrame) -> dict[str, float]:
    """Return MAPSE of the hinge points along the axis at ED in ideally planned views, TAPSE and shortening."""
    axis = heart.pose.towards_apex
    excursions = {
        side: float((mitral_point(heart, es, angle) - mitral_point(heart, ed, angle)) @ axis)
        for side, angle in ((name, np.radians(np.array(degrees))) for name, degrees in _SIDES.items())
    }
    return {
        **{f"mapse_{side}_mm": mm for side, mm in excursions.items()},
        "mapse_mean_mm": (excursions["septal"] + excursions["lateral"]) / 2,
        "tapse_mm": heart.subject.tapse_mm,
        "long_axis_shortening_percent": 100 * (1 - es.left.length_mm / ed.left.length_mm),
    }


def _left_atrium(heart: Heart, ed: HeartFrame, es: HeartFrame) -> dict[str, float]:
    """Return the volumes of the left atrium up to the mitral plane, without veins and appendage: it is fullest where
    the ventricle is emptiest."""
    largest, least = (_left_atrium_ml(heart, frame) for frame in (es, ed))
    return {
        "la_volume_max_ml": largest,
        "la_volume_min_ml": least,
        "la_ef_percent": 100 * (largest - least) / largest,
        "la_volume_max_index_ml_m2": largest / heart.subject.body_surface_m2,
    }


def _left_atrium_ml(heart: Heart, frame: HeartFrame) -> float:
    """Return the volume of the smooth ellipsoid on the atrial side of the mitral plane."""
    atrium = next(one for one in Chambers(heart=heart).at(frame) if one.name == LEFT_ATRIUM)
    depth = np.clip((frame.left.base_mm - atrium.centre[2]) / atrium.size[2], -1, 1)
    return float(np.pi * np.prod(atrium.size) * (2 / 3 + depth - depth**3 / 3) / 1000)


def _thickness(heart: Heart, ed: HeartFrame, es: HeartFrame) -> dict[str, float]:
    values = {}
    thickness = {"ed": heart.left.thickness_mm(ed.left), "es": heart.left.thickness_mm(es.left)}
    for phase, by_segment in thickness.items():
        values.update({f"wall_thickness_{phase}_mm_aha{number:02d}": mm for number, mm in by_segment.items()})
    values["wall_thickness_ed_max_mm"] = max(thickness["ed"].values())
    return values
