"""Kind of image by its DICOM header: what cannot be part of a cine, and what its words call something else.

Free text about a series becomes hints in a fixed vocabulary, since it may hold a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cinema_cmr.io.dicom.values import integer_of, text_of, texts_of, value_of

__all__ = [
    "COMPLEX_PARTS",
    "EXCLUDING_HINTS",
    "MR_CLASSES",
    "VELOCITY",
    "claimed_kind",
    "descriptions",
    "exclusion_reason",
    "parse_hints",
]

MR_CLASSES = tuple(f"1.2.840.10008.5.1.4.1.1.4{suffix}" for suffix in ("", ".1", ".4"))
"""MR image, enhanced MR image, legacy converted enhanced MR image."""
_CAPTURE_CLASS = "1.2.840.10008.5.1.4.1.1.7"
_UNSPECIFIC_MODALITIES = ("OT", "SC")
_MODALITIES = (
    *("MR", "OT", "SC", "CT", "US", "IVUS", "ECHO", "XA", "RF", "CR", "DX", "NM", "PT", "ECG", "HD", "SR", "DOC"),
    *("PR", "KO", "SEG", "REG", "RWV", "AU", "RTSTRUCT", "RTIMAGE", "RTDOSE", "RTPLAN"),
)
"""Values that a message may quote; any other could be what somebody wrote there."""

VELOCITY = "phase or velocity images"
"""The one claim about the pixels themselves: they are no magnitudes."""

_IMAGE_TYPE_REASONS: Mapping[str, str] = {
    "LOCALIZER": "a localizer",
    **dict.fromkeys(("P", "PHASE", "PHASE MAP", "VELOCITY", "VELOCITY MAP", "R", "I"), VELOCITY),
    **dict.fromkeys(("FLOW_ENCODED", "PCA", "M_PCA", "PHASE_CONTRAST"), "images of a flow measurement"),
    **dict.fromkeys(("MPR", "MIP", "PROJECTION IMAGE", "CSA MPR"), "reformatted images"),
    **dict.fromkeys(("T1 MAP", "T2 MAP", "T2_STAR MAP", "ECV MAP"), "a parameter map"),
    **dict.fromkeys(("CSA REPORT", "SCREEN SAVE", "SCREENSHOT", "RESULT"), "a result or screen capture"),
}

COMPLEX_PARTS = ("PHASE", "REAL", "IMAGINARY")
"""Values of ComplexImageComponent other than the magnitude."""

_HINT_PATTERNS: Mapping[str, str] = {
    "4ch": r"\b4 ?(ch|c|cv|chamber|kammer)\b|four ?ch|\bhla\b|\b4ch",
    "3ch": r"\b3 ?(ch|c|cv|chamber|kammer)\b|three ?ch|\blvot\b|\b3ch",
    "2ch": r"\b2 ?(ch|c|cv|chamber|kammer)\b|two ?ch|\bvla\b|\b2ch",
    "short axis": r"\bsax|\bsa\b|short ?ax|kurzachse",
    "right ventricle": r"\brv\b|\brvot\b|\brv ?in",
    "valve or vessel": r"valve|aort|\bao\b|\bav\b|pulm|\bpa\b",
    "transverse": r"(?<!short )(?<!long )\bax(ial)?\b|transvers|\btra\b",
    "flow": r"flow|venc|phase ?contrast|\bpc\b",
    "tagging": r"\bc?spamm\b|\btag(s|ged|ging)?\b",
    "inversion scout": r"\bti ?scout|look ?locker",
    "inline analysis": r"inline ?vf",
    "stress": r"stress|dobut|adenos|regadenos|exercis",
    "repeat": r"\brepeat|\bredo|\bagain\b|\brpt\b|wiederh",
}
EXCLUDING_HINTS = ("flow", "tagging", "inversion scout", "inline analysis")
"""Hints that claim another kind of image than a cine."""


@lru_cache(maxsize=256)
def parse_hints(*texts: str) -> tuple[str, ...]:
    """Return hints from free text about a series, in a fixed vocabulary; no result or output holds the text itself.

    >>> parse_hints("cine_trufi_retro 4CH")
    ('4ch',)
    """
    words = " ".join(re.sub(r"[\W_]+", " ", text.lower()) for text in texts)
    return tuple(hint for hint, pattern in _HINT_PATTERNS.items() if re.search(pattern, words))


def exclusion_reason(dataset: Any) -> str | None:
    """Return why an object of this kind cannot be part of a cine; None if it may be, whatever its words claim.

    >>> from pydicom.dataset import Dataset
    >>> exclusion_reason(Dataset())
    'an object without an image'
    """
    kind = text_of(dataset, "SOPClassUID")
    captured = kind.startswith(_CAPTURE_CLASS)
    if captured and value_of(dataset, "ImagePositionPatient") is None:
        return "a secondary capture (screen shot or report page)"
    if not value_of(dataset, "Rows"):
        return "an object without an image"
    modality = text_of(dataset, "Modality") or "MR"
    if not (kind in MR_CLASSES or captured) or modality not in ("MR", *_UNSPECIFIC_MODALITIES):
        stated = modality if modality in _MODALITIES else "unknown"
        return f"not an MR image (modality {stated})"
    if (integer_of(dataset, "SamplesPerPixel") or 1) != 1:
        return "colour images"
    if text_of(dataset, "PhotometricInterpretation").upper() not in ("", "MONOCHROME1", "MONOCHROME2"):
        return "colour images, or of an unknown pixel encoding"
    return None


def claimed_kind(dataset: Any) -> str:
    """Return the kind other than a cine that a word of the header names, "" for none: a claim, not a decision.

    >>> from pydicom.dataset import Dataset
    >>> image = Dataset()
    >>> image.SeriesDescription = "cine SA PC"
    >>> claimed_kind(image)
    'described as flow'
    """
    if text_of(dataset, "SOPClassUID").startswith(_CAPTURE_CLASS):
        return "a secondary capture"
    if text_of(dataset, "Modality") in _UNSPECIFIC_MODALITIES:
        return "images of another modality"
    claims = [_IMAGE_TYPE_REASONS[value] for value in texts_of(dataset, "ImageType") if value in _IMAGE_TYPE_REASONS]
    if text_of(dataset, "ComplexImageComponent").upper() in COMPLEX_PARTS or VELOCITY in claims:
        return VELOCITY
    encoded = re.search(r"_v\d+(in|through|ap|rl|fh|si|lr)", text_of(dataset, "SequenceName").lower())
    if text_of(dataset, "PhaseContrast").upper() == "YES" or encoded:
        claims.append("images of a flow measurement")
    claims += [f"described as {hint}" for hint in parse_hints(*descriptions(dataset)) if hint in EXCLUDING_HINTS]
    return claims[0] if claims else ""


def descriptions(dataset: Any) -> tuple[str, str]:
    """Return the free texts about a series, which may hold a name: for `parse_hints` alone."""
    return text_of(dataset, "SeriesDescription"), text_of(dataset, "ProtocolName")
