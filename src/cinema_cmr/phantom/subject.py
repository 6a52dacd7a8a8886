"""A subject drawn from distributions: demographics, and size and contraction of the ventricles.

Volumes and mass per body surface area of healthy adults follow Petersen et al., JCMR 2017;19:18 (UK Biobank:
means and standard deviations by sex, papillary muscles in the blood pool); the groups follow the definitions
of the ACDC challenge (Bernard et al., IEEE TMI 2018;37:2514): NOR, DCM (dilated, EF below 40 %), HCM (a wall
above 15 mm with a normal EF), MINF (EF below 40 % with segments that do not contract), RV (dilated or failing
right ventricle).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from cinema_cmr.core.errors import UsageError, unknown_name
from cinema_cmr.core.study import Subject
from cinema_cmr.phantom.anatomy.segments import SegmentValues, draw_contraction, draw_thickness

__all__ = ["GROUPS", "PhantomSubject", "draw_subject"]

GROUPS = ("NOR", "DCM", "HCM", "MINF", "RV")
"""Names of the disease groups; each subject belongs to one."""

Sex = Literal["F", "M"]


@dataclass(frozen=True, kw_only=True)
class _Norm:
    """Mean and SD of healthy adults."""

    mean: float
    sd: float


_BODY = {
    "M": (_Norm(mean=176, sd=7), _Norm(mean=26.5, sd=3.6)),
    "F": (_Norm(mean=163, sd=6.5), _Norm(mean=25.8, sd=4.2)),
}
"""Sex -> height in cm and body mass index in kg/m2."""

_NORMS: dict[Sex, dict[str, _Norm]] = {
    "M": {
        "lv_edvi": _Norm(mean=84, sd=14),
        "lv_ef": _Norm(mean=58, sd=5),
        "mass_index": _Norm(mean=53, sd=8),
        "rv_ef": _Norm(mean=54, sd=5),
    },
    "F": {
        "lv_edvi": _Norm(mean=74, sd=11),
        "lv_ef": _Norm(mean=61, sd=5),
        "mass_index": _Norm(mean=42, sd=6.5),
        "rv_ef": _Norm(mean=58, sd=5),
    },
}
"""Sex -> norms of Petersen et al. 2017 in ml/m2, percent and g/m2; SDs are slightly reduced where age is drawn
separately."""


@dataclass(frozen=True, kw_only=True)
class PhantomSubject:
    """Parameters of one phantom heart in clinical terms; drawn by `draw_subject`."""

    seed: int
    group: str
    sex: Sex
    age_years: float
    height_cm: float
    weight_kg: float
    heart_rate_bpm: float
    lv_edv_ml: float
    lv_ef_percent: float
    lv_mass_g: float
    rv_edv_ml: float
    rv_ef_percent: float
    mapse_mm: float
    """Excursion of the mitral valve plane along the long axis."""
    tapse_mm: float
    """Excursion of the tricuspid valve plane."""
    sphericity: float
    """Length of the left ventricle's cavity over its largest diameter, at ED."""
    twist_deg: float
    """Rotation of the apex relative to the base at ES, anticlockwise as seen from the apex."""
    septal_flattening: float
    """Relative flattening of the cavity on the septal side; above 0.05 with an overloaded right ventricle."""
    thickness: SegmentValues
    """Relative ED wall thickness of the 17 segments; the mass sets the scale."""
    contraction: SegmentValues
    """Relative contraction of the 17 segments: 1 normal, 0 none, below 0 bulging."""
    fat: float
    """Relative amount of epicardial fat; 1 is average."""

    def __post_init__(self) -> None:
        if self.group not in GROUPS:
            raise unknown_name("group", self.group, GROUPS)
        for name in ("lv_edv_ml", "lv_mass_g", "rv_edv_ml", "heart_rate_bpm", "sphericity"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} is {getattr(self, name)}; expected a value above 0")
        for name in ("lv_ef_percent", "rv_ef_percent"):
            if not 5 <= getattr(self, name) <= 85:
                raise UsageError(f"{name} is {getattr(self, name)}; expected 5 to 85 %")

    @property
    def body_surface_m2(self) -> float:
        """Body surface area after Mosteller."""
        return _surface(self.height_cm, self.weight_kg)

    @property
    def metadata(self) -> Subject:
        """Metadata of the subject that files of a scanner would contain."""
        return Subject(
            sex=self.sex,
            age_years=float(round(self.age_years)),
            height_cm=self.height_cm,
            weight_kg=self.weight_kg,
            heart_rate_bpm=self.heart_rate_bpm,
        )


def _surface(height_cm: float, weight_kg: float) -> float:
    return float(np.sqrt(height_cm * weight_kg / 3600))


class _Draw:
    """Bounded random draws of one subject, so that every heart is viable."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng((seed, 1))

    def normal(self, mean: float, sd: float, low: float = -np.inf, high: float = np.inf) -> float:
        """Draw a normal deviate, clipped to 2.5 SD and to the limits."""
        value = mean + sd * float(np.clip(self.rng.standard_normal(), -2.5, 2.5))
        return float(np.clip(value, low, high))

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))


def draw_subject(seed: int, *, group: str | None = None) -> PhantomSubject:
    """Draw the subject of a seed, which is always the same; of the given group, or of a drawn one.

    Draws that do not depend on the group are the same in all groups: seed 3 as NOR and as DCM is one person with two
    hearts. Raises `UsageError` for an unknown group.
    """
    if group is not None and group not in GROUPS:
        raise unknown_name("group", group, GROUPS)
    draw = _Draw(seed)
    drawn_group = GROUPS[int(draw.rng.integers(len(GROUPS)))]
    sex: Sex = "M" if draw.uniform(0, 1) < 0.5 else "F"
    age = draw.uniform(25, 80)
    height = draw.normal(_BODY[sex][0].mean, _BODY[sex][0].sd)
    weight = draw.normal(_BODY[sex][1].mean, _BODY[sex][1].sd, 18.5, 38) * (height / 100) ** 2
    return _draw_heart(draw, group or drawn_group, seed, (sex, age, height, weight))


def _draw_heart(draw: _Draw, group: str, seed: int, person: tuple[Sex, float, float, float]) -> PhantomSubject:
    sex, age, height, weight = person
    surface = _surface(height, weight)
    edv, ef, mass = (
        value * scale for value, scale in zip(_draw_left(draw, group, sex, age), (surface, 1, surface), strict=True)
    )
    rv_edv, rv_ef = _draw_right(draw, group, sex, edv * ef / 100)
    mapse, tapse = _draw_excursions(draw, group, ef, rv_ef)
    contraction = draw_contraction(group, draw.rng)
    return PhantomSubject(
        seed=seed,
        group=group,
        sex=sex,
        age_years=age,
        height_cm=round(height, 1),
        weight_kg=round(weight, 1),
        heart_rate_bpm=round(draw.normal(74 if group in ("DCM", "MINF") else 66, 9, 46, 105), 1),
        lv_edv_ml=edv,
        lv_ef_percent=ef,
        lv_mass_g=mass,
        rv_edv_ml=rv_edv,
        rv_ef_percent=rv_ef,
        mapse_mm=mapse,
        tapse_mm=tapse,
        sphericity=draw.normal({"DCM": 1.38, "HCM": 1.75, "RV": 1.7}.get(group, 1.6), 0.09, 1.2, 2.0),
        twist_deg=draw.normal(4 if group in ("DCM", "MINF") else 11, 2.5, 0, 18),
        septal_flattening=draw.uniform(0.06, 0.22) if group == "RV" else draw.uniform(-0.02, 0.05),
        thickness=draw_thickness(group, contraction, draw.rng),
        contraction=contraction,
        fat=draw.normal(1.0 + 0.012 * (age - 50), 0.35, 0.35, 2.2),
    )


def _draw_left(draw: _Draw, group: str, sex: Sex, age: float) -> tuple[float, float, float]:
    """Draw EDV (ml/m2), EF (%) and mass (g/m2) of the left ventricle."""
    norms = _NORMS[sex]
    edvi = draw.normal(norms["lv_edvi"].mean - 0.25 * (age - 60), norms["lv_edvi"].sd, 45, 130)
    ef = draw.normal(norms["lv_ef"].mean, norms["lv_ef"].sd, 48, 73)
    mass = draw.normal(norms["mass_index"].mean, norms["mass_index"].sd, 28, 80) + 0.25 * (edvi - norms["lv_edvi"].mean)
    if group == "DCM":
        return edvi * draw.uniform(1.45, 2.3), draw.normal(25, 6.5, 12, 39), mass * draw.uniform(1.25, 1.7)
    if group == "HCM":
        return edvi * draw.uniform(0.8, 1.1), draw.normal(66, 4, 52, 73), mass * draw.uniform(1.5, 2.3)
    if group == "MINF":
        return edvi * draw.uniform(1.1, 1.6), draw.normal(32, 5, 18, 40), mass * draw.uniform(1.0, 1.3)
    if group == "RV":
        return edvi * draw.uniform(0.75, 1.05), draw.normal(ef - 4, 4, 45, 68), mass
    return edvi, ef, mass


def _draw_right(draw: _Draw, group: str, sex: Sex, stroke_ml: float) -> tuple[float, float]:
    """Draw EDV (ml) and EF (%) of the right ventricle, from a stroke volume close to that of the left one."""
    ef = draw.normal(_NORMS[sex]["rv_ef"].mean, _NORMS[sex]["rv_ef"].sd, 42, 70)
    if group == "DCM":
        ef = draw.normal(40, 8, 18, 58)
    if group == "MINF":
        ef = draw.normal(50, 7, 30, 65)
    if group == "RV":
        ef = draw.normal(34, 5, 26, 44)
    stroke = stroke_ml * (draw.normal(0.92, 0.06) if group == "RV" else draw.normal(1.0, 0.05))
    return stroke / (ef / 100), ef


def _draw_excursions(draw: _Draw, group: str, ef: float, rv_ef: float) -> tuple[float, float]:
    """Draw MAPSE and TAPSE in mm, which follow the ejection fractions (normal: 12 to 15 and 20 to 25)."""
    mapse = draw.normal(2.0 + 0.185 * ef, 1.3, 2.5, 17)
    if group == "HCM":
        mapse *= 0.75
    return mapse, draw.normal(3.0 + 0.34 * rv_ef, 2.0, 5, 27)
