"""LV volumes and ejection fraction up to the mitral valve plane, beside those of the chosen basal rule."""

from __future__ import annotations

from collections.abc import Mapping

from cinema_cmr.core.results import Flag, Measurement
from cinema_cmr.core.vocabulary import view_list
from cinema_cmr.measure.definition import Definition
from cinema_cmr.measure.descent import EFFECT_POINTS
from cinema_cmr.measure.phases import Phases
from cinema_cmr.measure.valve_plane import ValvePlanes
from cinema_cmr.measure.volumes import BasalRule, Volumes

__all__ = ["describe_valve_planes", "missing_valve_plane", "valve_plane_effect", "valve_plane_values"]


def describe_valve_planes(planes: ValvePlanes) -> str:
    """Return the rule in words, with the views and the travel of the valve."""
    views = view_list(planes.views)
    return (
        f"LV blood counts up to the plane through the mitral hinge points of each frame ({views} landmarks; the valve"
        f" moves by {planes.travel_mm:.0f} mm)"
    )


def valve_plane_values(volumes: Volumes | None, phases: Phases | None) -> tuple[Measurement, ...]:
    """Return EDV, ESV and EF of curves that were cut at the valve plane; empty without."""
    if volumes is None or volumes.valve_planes is None or phases is None:
        return ()
    rule = f"{phases.rule}; {describe_valve_planes(volumes.valve_planes)}"
    edv, esv, ef = (
        Definition(
            name=f"lv_{short}",
            title=f"LV {title}, up to the valve plane",
            unit=unit,
            method="sum of slices, short axis, cut at the long-axis hinge points",
            rule=rule,
        )
        for short, title, unit in (
            ("edv_valve_plane_ml", "end-diastolic volume", "ml"),
            ("esv_valve_plane_ml", "end-systolic volume", "ml"),
            ("ef_valve_plane_percent", "ejection fraction", "%"),
        )
    )
    if phases.ed is None or phases.es is None:
        return tuple(each.absent(f"LV: {phases.reason}") for each in (edv, esv, ef))
    at_ed, at_es = volumes.lv_ml[phases.ed], volumes.lv_ml[phases.es]
    return (
        edv.value(at_ed, frames=(phases.ed,)),
        esv.value(at_es, frames=(phases.es,)),
        ef.value(100 * (at_ed - at_es) / at_ed, frames=(phases.ed, phases.es)),
    )


def valve_plane_effect(values: Mapping[str, Measurement], rule: BasalRule) -> Flag | None:
    """Report an ejection fraction that the valve plane changes by four points or more."""
    chosen, cut = (values[n].value if n in values else None for n in ("lv_ef_percent", "lv_ef_valve_plane_percent"))
    if chosen is None or cut is None or abs(chosen - cut) < EFFECT_POINTS:
        return None
    message = (
        f"LVEF is {chosen:.0f} % by the basal rule '{rule}' and {cut:.0f} % up to the valve plane of the long-axis"
        " views; look at the most basal slice at end-systole"
    )
    evidence = {"lv_ef_percent": round(chosen, 1), "lv_ef_valve_plane_percent": round(cut, 1)}
    return Flag(code="valve-plane-effect", severity="warning", message=message, evidence=evidence)


def missing_valve_plane(options_rule: BasalRule, used: BasalRule) -> Flag | None:
    """Report that the rule "valve-plane" was chosen and could not be applied."""
    if options_rule == used:
        return None
    message = (
        f"basal rule '{options_rule}' needs mitral hinge points of a long-axis view in the position of the stack, which"
        f" this study lacks; '{used}' was used"
    )
    return Flag(code="valve-plane-missing", severity="warning", message=message)
