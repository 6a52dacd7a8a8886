"""Measurement -> code: one table for the structured report and for FHIR, so that they cannot differ.

Codes from DICOM PS3.16: CID 3833 and 3835 (function by MR), 12203 (mass), 3717 (segments), 12233 (phases), 12235
(mitral annulus). A value indexed to body surface area has the code of the value, its own unit, and the index as
modifier; the ventricle is the finding site. A measurement without a code is listed as such, and stands in both as text;
so is one whose code, modifiers and method another has, since a reader of codes would take either for the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cinema_cmr.core.results import Measurement
from cinema_cmr.interop.concepts import (
    AHA_SITES,
    BODY_SURFACE_AREA,
    END_DIASTOLE,
    END_SYSTOLE,
    HEART,
    LEFT_VENTRICLE,
    LV_MYOCARDIUM,
    MITRAL_ANNULUS,
    MITRAL_ANNULUS_LATERAL,
    MITRAL_ANNULUS_MEDIAL,
    RIGHT_VENTRICLE,
    Concept,
    ucum,
)
from cinema_cmr.measure.papillary import PAPILLARY_RULES

__all__ = [
    "CYCLE_POINT",
    "INDEX",
    "MEASUREMENT_CODES",
    "PAPILLARY_MUSCLE",
    "CodedMeasurement",
    "MeasurementCode",
    "coded_measurements",
    "is_without_code",
    "uncoded_measurements",
]

CYCLE_POINT = Concept("272518008", "SCT", "Cardiac Cycle Point")
INDEX = Concept("121425", "DCM", "Index")
PAPILLARY_MUSCLE = Concept("122670", "DCM", "Papillary Muscle Included/Excluded")
"""Names of the modifiers of a measurement."""


@dataclass(frozen=True, kw_only=True)
class MeasurementCode:
    """Coding of one measurement."""

    concept: Concept
    site: Concept
    """Finding site."""
    phase: Concept | None = None
    """Phase of the cardiac cycle, for a value of one phase."""
    derivation: Concept | None = None
    """Mean or maximum, where the value is one."""
    indexed: bool = False
    """Whether the value is per body surface area."""
    structure: str | None = None
    """Class of the cine mask that the value is the size of; None for a value of no single mask."""
    papillary: Concept | None = None
    """CID 3821: whether the value includes the papillary muscles; None where they do not count."""


@dataclass(frozen=True, kw_only=True)
class CodedMeasurement:
    """A measurement with a value, its code, its UCUM unit and its method."""

    measurement: Measurement
    code: MeasurementCode
    value: float
    """Rounded to six significant digits, as measurements.json holds it."""
    unit: Concept
    method: Concept | None
    """CID 7474 or 12228; None where only words name the method."""

    @property
    def explanation(self) -> str:
        """Method, rule, frames and slices in words, e.g. for a comment."""
        one = self.measurement
        parts = [f"{one.title}: {one.method}", one.rule]
        parts += [f"frames {_listed(one.frames)} (from 0)"] if one.frames else []
        parts += [f"slices {_listed(one.slices)} (from 0)"] if one.slices else []
        return "; ".join(part for part in parts if part)


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))


_STROKE_VOLUME = Concept("90096001", "SCT", "Stroke Volume")
_VOLUME = Concept("118565006", "SCT", "Volume")
_LV_MASS = Concept("18087-7", "LN", "Left Ventricle Mass")
_WALL_THICKNESS = Concept("122445", "DCM", "Wall Thickness")
_THICKENING = Concept("59092-7", "LN", "% Thickening")
_EXCURSION = Concept("125327", "DCM", "Excursion Distance")
_MEAN = Concept("373098007", "SCT", "Mean")
_MAXIMUM = Concept("56851009", "SCT", "Maximum")

_SUM_OF_SLICES = Concept("122503", "DCM", "Integration of sum of closed areas on contiguous slices")
_AREA_LENGTH = Concept("125204", "DCM", "Area-Length Biplane")
_PAPILLARY_INCLUDED = Concept("122621", "DCM", "Papillary Muscle Included")
_PAPILLARY_EXCLUDED = Concept("122620", "DCM", "Papillary Muscle Excluded")
"""Masks label them as blood: by default they are part of the volumes, not of the mass."""
_METHODS = {"sum of slices": _SUM_OF_SLICES, "area-length": _AREA_LENGTH}
"""Start of a measurement's method -> code."""


@dataclass(frozen=True, kw_only=True)
class _Ventricle:
    name: str
    site: Concept
    end_diastolic: Concept
    end_systolic: Concept
    ejection_fraction: Concept
    papillary: Concept | None


_VENTRICLES = (
    _Ventricle(
        name="lv",
        site=LEFT_VENTRICLE,
        end_diastolic=Concept("8821-1", "LN", "Left Ventricular ED Volume"),
        end_systolic=Concept("8823-7", "LN", "Left Ventricular ES Volume"),
        ejection_fraction=Concept("8811-2", "LN", "Left ventricular ejection fraction by MR"),
        papillary=_PAPILLARY_INCLUDED,
    ),
    _Ventricle(
        name="rv",
        site=RIGHT_VENTRICLE,
        end_diastolic=Concept("8822-9", "LN", "Right Ventricular ED Volume"),
        end_systolic=Concept("8824-5", "LN", "Right Ventricular ES Volume"),
        ejection_fraction=Concept("8818-7", "LN", "Right ventricular ejection fraction by MR"),
        papillary=None,
    ),
)

_RATES = {
    "peak_ejection_rate_ml_s": Concept("122616", "DCM", "Peak Ejection Rate"),
    "time_to_peak_ejection_ms": Concept("122617", "DCM", "Peak Ejection Time"),
    "peak_filling_rate_ml_s": Concept("122618", "DCM", "Peak Filling Rate"),
    "time_to_peak_filling_ms": Concept("122619", "DCM", "Peak Filling Time"),
}


def _ventricle_codes(one: _Ventricle) -> dict[str, MeasurementCode]:
    at_site = MeasurementCode(concept=_STROKE_VOLUME, site=one.site, papillary=one.papillary)
    edv = replace(at_site, concept=one.end_diastolic, phase=END_DIASTOLE, structure=one.name)
    esv = replace(at_site, concept=one.end_systolic, phase=END_SYSTOLE, structure=one.name)
    rates = {
        f"{one.name}_{name}": replace(at_site, concept=concept, papillary=None) for name, concept in _RATES.items()
    }
    return {
        f"{one.name}_edv_ml": edv,
        f"{one.name}_esv_ml": esv,
        f"{one.name}_volume_ml": replace(edv, concept=_VOLUME, phase=None),
        f"{one.name}_sv_ml": at_site,
        f"{one.name}_ef_percent": replace(at_site, concept=one.ejection_fraction),
        f"{one.name}_edvi_ml_m2": replace(edv, indexed=True, structure=None),
        f"{one.name}_esvi_ml_m2": replace(esv, indexed=True, structure=None),
        f"{one.name}_svi_ml_m2": replace(at_site, indexed=True),
        **rates,
    }


def _wall_codes(segment: int, site: Concept) -> dict[str, MeasurementCode]:
    thickness = MeasurementCode(concept=_WALL_THICKNESS, site=site)
    return {
        f"wall_thickness_ed_mm_aha{segment:02d}": replace(thickness, phase=END_DIASTOLE),
        f"wall_thickness_es_mm_aha{segment:02d}": replace(thickness, phase=END_SYSTOLE),
        f"wall_thickening_percent_aha{segment:02d}": replace(thickness, concept=_THICKENING),
    }


def _mass_codes() -> dict[str, MeasurementCode]:
    mass = MeasurementCode(
        concept=_LV_MASS, site=LV_MYOCARDIUM, phase=END_DIASTOLE, structure="myo", papillary=_PAPILLARY_EXCLUDED
    )
    return {
        "lv_mass_g": mass,
        "lv_mass_es_g": replace(mass, phase=END_SYSTOLE),
        "lv_mass_index_g_m2": replace(mass, indexed=True, structure=None),
    }


def _biplane_codes() -> dict[str, MeasurementCode]:
    """Return the codes of LV volumes and EF of the long axes, which their method sets apart from those of the stack."""
    left = _VENTRICLES[0]
    edv = MeasurementCode(concept=left.end_diastolic, site=left.site, phase=END_DIASTOLE, papillary=_PAPILLARY_INCLUDED)
    return {
        "lv_edv_biplane_ml": edv,
        "lv_esv_biplane_ml": replace(edv, concept=left.end_systolic, phase=END_SYSTOLE),
        "lv_ef_biplane_percent": replace(edv, concept=left.ejection_fraction, phase=None),
    }


def _general_codes() -> dict[str, MeasurementCode]:
    excursion = MeasurementCode(concept=_EXCURSION, site=MITRAL_ANNULUS)
    output = MeasurementCode(concept=Concept("82799009", "SCT", "Cardiac Output"), site=LEFT_VENTRICLE)
    return {
        "heart_rate_bpm": MeasurementCode(concept=Concept("8867-4", "LN", "Heart rate"), site=HEART),
        "bsa_m2": MeasurementCode(concept=BODY_SURFACE_AREA, site=HEART),
        "cardiac_output_l_min": output,
        "cardiac_index_l_min_m2": replace(output, concept=Concept("54993008", "SCT", "Cardiac Index")),
        "wall_thickness_ed_max_mm": MeasurementCode(
            concept=_WALL_THICKNESS, site=LV_MYOCARDIUM, phase=END_DIASTOLE, derivation=_MAXIMUM
        ),
        "mapse_septal_mm": replace(excursion, site=MITRAL_ANNULUS_MEDIAL),
        "mapse_lateral_mm": replace(excursion, site=MITRAL_ANNULUS_LATERAL),
        "mapse_mean_mm": replace(excursion, derivation=_MEAN),
    }


MEASUREMENT_CODES: Mapping[str, MeasurementCode] = {
    **{name: code for one in _VENTRICLES for name, code in _ventricle_codes(one).items()},
    **_mass_codes(),
    **_general_codes(),
    **{name: code for number, site in AHA_SITES.items() for name, code in _wall_codes(number, site).items()},
    **_biplane_codes(),
}
"""Name of a measurement -> its code."""

_WITHOUT_CODE = re.compile(
    r"wall_thickening_mm_aha\d\d"
    r"|lv_(edv_valve_plane_ml|esv_valve_plane_ml|ef_valve_plane_percent)"  # a second value under one code and method
    r"|mapse_(anterior|inferior|anteroseptal|inferolateral)_mm"  # no code for these sides of the annulus
    r"|long_axis_shortening_[234]c_percent"
    r"|lv_(gcs_(endo|epi)|gls|ls_[234]c)_percent"  # strain from contours: the codes at hand mean tracked tissue
    r"|lv_\w+_uncertainty_ms"
    r"|la_(volume_(max|min)_ml|volume_max_index_ml_m2|ef_percent)|(la_area_max|ra_area_(max|min))_4c_cm2"
    r"|(infarct|no_reflow|lge|transmurality|rim)\w*"  # late enhancement: no codes of MR
)


def is_without_code(name: str) -> bool:
    """Whether a measurement is listed as one that has no code."""
    return _WITHOUT_CODE.fullmatch(name) is not None


def coded_measurements(measured: tuple[Measurement, ...]) -> tuple[CodedMeasurement, ...]:
    """Return the measurements that have a value and a code, in their order."""
    in_mass = any(PAPILLARY_RULES["mass"] in one.rule for one in measured)
    return tuple(
        CodedMeasurement(
            measurement=one,
            code=_muscle_in_mass(one.name, code) if in_mass else code,
            value=float(f"{one.value:.6g}"),
            unit=ucum(one.unit),
            method=_method(one.method),
        )
        for one in measured
        if one.value is not None and (code := MEASUREMENT_CODES.get(one.name)) is not None
    )


def _muscle_in_mass(name: str, code: MeasurementCode) -> MeasurementCode:
    """Return the code of a value that counts papillary muscles in the mass; long-axis areas hold them as before.

    Such a value is no longer the size of one class of the mask, in which the muscles are blood.
    """
    other = {_PAPILLARY_INCLUDED: _PAPILLARY_EXCLUDED, _PAPILLARY_EXCLUDED: _PAPILLARY_INCLUDED}
    if code.papillary is None or name.removesuffix("_ml").removesuffix("_percent").endswith("_biplane"):
        return code
    return replace(code, papillary=other[code.papillary], structure=None)


def uncoded_measurements(measured: tuple[Measurement, ...]) -> tuple[Measurement, ...]:
    """Return the measurements that have a value and no code; frames are left out, being phases of the others."""
    return tuple(one for one in measured if one.value is not None and one.unit != "frame" and is_without_code(one.name))


def _method(words: str) -> Concept | None:
    return next((code for start, code in _METHODS.items() if words.startswith(start)), None)
