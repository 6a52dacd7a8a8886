"""Views and structures: names, label codes, colours and coded concepts, one table each."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from cinema_cmr.core.errors import unknown_name

__all__ = [
    "ATRIUM_LABELS",
    "CHAMBER_LABELS",
    "CINE_LABELS",
    "LABEL_SCHEMES",
    "LABEL_UNIONS",
    "LANDMARKS",
    "NOTICE",
    "PATHOLOGY_LABELS",
    "SCAR_LABELS",
    "VENTRICULAR_SCHEMES",
    "LabelClass",
    "View",
    "view_list",
]


NOTICE = "For research use only. Not a medical device: not for diagnosis and not for decisions on treatment."
"""Stands in every report, record and exported object."""


class View(StrEnum):
    """Orientation of a cine plane to the heart; the value is the name in files and published models."""

    SAX = "sax"
    LAX_2C = "lax_2c"
    LAX_3C = "lax_3c"
    LAX_4C = "lax_4c"
    OTHER = "other"

    @classmethod
    def parse(cls, name: View | str) -> View:
        """Return the view of a name; raises `UnknownNameError` with the nearest known one.

        >>> View.parse("lax_4c").title
        '4-chamber'
        """
        if name not in list(cls):
            raise unknown_name("view", str(name), list(cls))
        return cls(name)

    @property
    def title(self) -> str:  # type: ignore[override]  # str.title has no use for a view
        """The name a cardiologist reads, e.g. "4-chamber"."""
        return _VIEW_TITLES[self]

    @property
    def is_long_axis(self) -> bool:
        """True for the 2-, 3- and 4-chamber views."""
        return self in (View.LAX_2C, View.LAX_3C, View.LAX_4C)

    @property
    def cine_scheme(self) -> str:
        """Label scheme of the codes that a cine mask of this view may hold, a key of `LABEL_SCHEMES`."""
        return "chambers" if self.is_long_axis else "cine"


_VIEW_TITLES = {
    View.SAX: "short axis",
    View.LAX_2C: "2-chamber",
    View.LAX_3C: "3-chamber",
    View.LAX_4C: "4-chamber",
    View.OTHER: "other",
}


def view_list(views: Iterable[View], word: str = "and") -> str:
    """Return the titles of views, at least one, in words.

    >>> view_list([View.LAX_4C, View.LAX_2C, View.LAX_3C])
    '4-chamber, 2-chamber and 3-chamber'
    """
    *others, last = (view.title for view in views)
    return f" {word} ".join(filter(None, (", ".join(others), last)))


class LabelClass(NamedTuple):
    """One class of a label map: `code` in the mask, names, display colour, SNOMED CT code and meaning."""

    code: int
    name: str
    title: str
    colour: str
    snomed: str
    snomed_meaning: str


CINE_LABELS: tuple[LabelClass, ...] = (
    LabelClass(1, "rv", "right ventricle", "#3b82f6", "53085002", "Right ventricle"),
    LabelClass(2, "myo", "left ventricular myocardium", "#22c55e", "74281007", "Myocardium"),
    LabelClass(3, "lv", "left ventricle", "#ef4444", "87878005", "Left ventricle"),
)
"""Cine masks everywhere in this project: 0 background, 1 RV, 2 MYO, 3 LV (papillary muscles in the blood pool)."""

ATRIUM_LABELS: tuple[LabelClass, ...] = (
    LabelClass(4, "la", "left atrium", "#f59e0b", "82471001", "Left atrium"),
    LabelClass(5, "ra", "right atrium", "#a855f7", "73829009", "Right atrium"),
)
"""Blood of the atria up to the valve planes, without veins and appendages; in masks of long-axis planes alone."""

CHAMBER_LABELS: tuple[LabelClass, ...] = (*CINE_LABELS, *ATRIUM_LABELS)
"""Cine masks of long-axis planes."""

SCAR_LABELS: tuple[LabelClass, ...] = (
    LabelClass(1, "lv_cavity", "left ventricular cavity", "#ef4444", "87878005", "Left ventricle"),
    LabelClass(2, "myo_normal", "normal myocardium", "#22c55e", "74281007", "Myocardium"),
    LabelClass(3, "infarct", "myocardial infarct", "#eab308", "22298006", "Myocardial infarction"),
    LabelClass(4, "no_reflow", "no-reflow", "#a855f7", "22298006", "Microvascular obstruction"),
)
"""Late gadolinium enhancement masks (EMIDEC's own codes); never mixed with cine codes."""

PATHOLOGY_LABELS: tuple[LabelClass, ...] = (
    *CINE_LABELS,
    LabelClass(4, "edema", "myocardial edema", "#06b6d4", "79654002", "Edema"),
    LabelClass(5, "scar", "myocardial scar", "#eab308", "22298006", "Myocardial infarction"),
)
"""Masks from several sequences read together (MyoPS): the cine codes, where 2 is myocardium without edema or scar."""

LABEL_SCHEMES: dict[str, tuple[LabelClass, ...]] = {
    "cine": CINE_LABELS,
    "chambers": CHAMBER_LABELS,
    "scar": SCAR_LABELS,
    "pathology": PATHOLOGY_LABELS,
}

VENTRICULAR_SCHEMES = ("cine", "chambers")
"""Label schemes whose masks hold the ventricles by the codes of `CINE_LABELS`."""

LABEL_UNIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "scar": {"myocardium": ("myo_normal", "infarct", "no_reflow")},
}
"""Scheme -> structure that unites several classes -> those classes; scored in addition to them."""

LANDMARKS: dict[View, tuple[str, ...]] = {
    View.LAX_2C: ("mitral_anterior", "mitral_inferior", "apex"),
    View.LAX_4C: ("mitral_septal", "mitral_lateral", "apex"),
    View.LAX_3C: ("mitral_anteroseptal", "mitral_inferolateral", "apex"),
}
"""Names of the long-axis landmarks; of the 2- and 4-chamber views in the order of the published models' outputs.

The anteroseptal hinge point of the 3-chamber view is where the valve meets the root of the aorta."""
