"""Coded concepts of results: structures, phases, sites, units; from DICOM PS3.16, with the context group of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from cinema_cmr.core.errors import unknown_name
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, LabelClass

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept

__all__ = [
    "AHA_SITES",
    "ANATOMICAL_STRUCTURE",
    "BODY_SURFACE_AREA",
    "CARDIAC_MRI",
    "CINE_SEGMENTS",
    "END_DIASTOLE",
    "END_SYSTOLE",
    "HEART",
    "LEFT_ATRIUM",
    "LEFT_VENTRICLE",
    "LV_MYOCARDIUM",
    "MITRAL_ANNULUS",
    "MITRAL_ANNULUS_LATERAL",
    "MITRAL_ANNULUS_MEDIAL",
    "RIGHT_ATRIUM",
    "RIGHT_VENTRICLE",
    "Concept",
    "SegmentConcept",
    "segment_concepts",
    "ucum",
]


class Concept(NamedTuple):
    """A code, its coding scheme in DICOM's abbreviation (SCT, LN, DCM, UCUM), and its meaning."""

    value: str
    scheme: str
    meaning: str

    def coded(self) -> CodedConcept:
        """Return the concept as highdicom takes it."""
        from highdicom.sr import CodedConcept

        return CodedConcept(value=self.value, scheme_designator=self.scheme, meaning=self.meaning)


class SegmentConcept(NamedTuple):
    """Coding of one class of a label map as a DICOM segment."""

    category: Concept
    """CID 7150."""
    type: Concept
    """CID 7151 where it has the structure."""
    label: str
    """Segment label, at most 64 characters."""
    description: str


ANATOMICAL_STRUCTURE = Concept("91723000", "SCT", "Anatomical Structure")
_ABNORMAL = Concept("49755003", "SCT", "Morphologically Abnormal Structure")
HEART = Concept("80891009", "SCT", "Heart")
LEFT_VENTRICLE = Concept("87878005", "SCT", "Left ventricle")
RIGHT_VENTRICLE = Concept("53085002", "SCT", "Right ventricle")
LEFT_ATRIUM = Concept("82471001", "SCT", "Left atrium")
RIGHT_ATRIUM = Concept("73829009", "SCT", "Right atrium")
LV_MYOCARDIUM = Concept("49848007", "SCT", "Myocardium of left ventricle")
_INFARCTION = Concept("22298006", "SCT", "Myocardial Infarction")
_NO_REFLOW = Concept("no-reflow", "99CINEMA", "Microvascular obstruction")
_EDEMA = Concept("79654002", "SCT", "Edema")

MITRAL_ANNULUS = Concept("65197004", "SCT", "Mitral Annulus")
MITRAL_ANNULUS_LATERAL = Concept("399086000", "SCT", "Lateral Mitral Annulus")
MITRAL_ANNULUS_MEDIAL = Concept("399093001", "SCT", "Medial Mitral Annulus")
"""CID 12235; the medial one is the septal hinge point."""

END_DIASTOLE = Concept("416190007", "SCT", "End Diastole")
END_SYSTOLE = Concept("416430001", "SCT", "End Systole")
"""CID 12233."""

CARDIAC_MRI = Concept("241620005", "SCT", "Cardiac MRI")
BODY_SURFACE_AREA = Concept("8277-6", "LN", "BSA")
"""CID 3455: what a value is indexed to."""

_AHA = {
    1: ("264850008", "left ventricle basal anterior segment"),
    2: ("396482007", "left ventricle basal anteroseptal segment"),
    3: ("396646008", "left ventricle basal inferoseptal segment"),
    4: ("264846001", "left ventricle basal inferior segment"),
    5: ("396652009", "left ventricle basal inferolateral segment"),
    6: ("396654005", "left ventricle basal anterolateral segment"),
    7: ("264848000", "left ventricle mid anterior segment"),
    8: ("396647004", "left ventricle mid anteroseptal segment"),
    9: ("396649001", "left ventricle mid inferoseptal segment"),
    10: ("264847005", "left ventricle mid inferior segment"),
    11: ("396655006", "left ventricle mid inferolateral segment"),
    12: ("396656007", "left ventricle mid anterolateral segment"),
    13: ("264844003", "left ventricle apical anterior segment"),
    14: ("264845002", "left ventricle apical septal segment"),
    15: ("264849008", "left ventricle apical inferior segment"),
    16: ("264853005", "left ventricle apical lateral segment"),
}
AHA_SITES: Mapping[int, Concept] = {number: Concept(code, "SCT", name) for number, (code, name) in _AHA.items()}
"""AHA segment -> its code in CID 3717."""

CINE_SEGMENTS: Mapping[str, SegmentConcept] = {
    "rv": SegmentConcept(ANATOMICAL_STRUCTURE, RIGHT_VENTRICLE, "RV blood pool", "right ventricular cavity"),
    "myo": SegmentConcept(ANATOMICAL_STRUCTURE, LV_MYOCARDIUM, "LV myocardium", "wall of the left ventricle"),
    "lv": SegmentConcept(
        ANATOMICAL_STRUCTURE, LEFT_VENTRICLE, "LV blood pool", "left ventricular cavity, papillary muscles included"
    ),
}
"""Class of a cine mask -> its segment."""

_SEGMENTS: Mapping[str, SegmentConcept] = {
    **CINE_SEGMENTS,
    "la": SegmentConcept(ANATOMICAL_STRUCTURE, LEFT_ATRIUM, "LA blood pool", "left atrial cavity without veins"),
    "ra": SegmentConcept(ANATOMICAL_STRUCTURE, RIGHT_ATRIUM, "RA blood pool", "right atrial cavity without veins"),
    "lv_cavity": SegmentConcept(ANATOMICAL_STRUCTURE, LEFT_VENTRICLE, "LV blood pool", "left ventricular cavity"),
    "myo_normal": SegmentConcept(
        ANATOMICAL_STRUCTURE, LV_MYOCARDIUM, "LV myocardium, normal", "wall of the left ventricle without infarct"
    ),
    "infarct": SegmentConcept(_ABNORMAL, _INFARCTION, "Infarct", "late enhancement without no-reflow"),
    "no_reflow": SegmentConcept(_ABNORMAL, _NO_REFLOW, "No-reflow", "core of the infarct without enhancement"),
    "edema": SegmentConcept(_ABNORMAL, _EDEMA, "Edema", "myocardial edema"),
    "scar": SegmentConcept(_ABNORMAL, _INFARCTION, "Scar", "myocardial scar"),
}

_UCUM = {
    "ml": ("mL", "mL"),
    "g": ("g", "g"),
    "%": ("%", "percent"),
    "1/min": ("/min", "per minute"),
    "l/min": ("L/min", "L/min"),
    "l/min/m2": ("L/min/m2", "L/min/m2"),
    "ml/m2": ("mL/m2", "mL/m2"),
    "g/m2": ("g/m2", "g/m2"),
    "ml/s": ("mL/s", "mL/s"),
    "ms": ("ms", "ms"),
    "mm": ("mm", "mm"),
    "cm2": ("cm2", "cm2"),
    "m2": ("m2", "m2"),
}
"""Unit of a measurement -> its UCUM code and a name for readers."""


def segment_concepts(scheme: str) -> dict[LabelClass, SegmentConcept]:
    """Return the coding of each class of a label scheme, in the order of the codes."""
    return {label: _SEGMENTS[label.name] for label in LABEL_SCHEMES[scheme]}


def ucum(unit: str) -> Concept:
    """Return the UCUM code of a measurement's unit.

    >>> ucum("l/min/m2").value
    'L/min/m2'
    """
    if unit not in _UCUM:
        raise unknown_name("unit", unit, _UCUM)
    code, meaning = _UCUM[unit]
    return Concept(code, "UCUM", meaning)
