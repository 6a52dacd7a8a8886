"""Content of the names of image files: the view, a frame of a scan, a slice of a stack, a mask."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cinema_cmr.core.vocabulary import View

__all__ = ["VIEW_PATTERNS", "FileName", "is_mask_name", "parse_name", "view_from_name"]

_MASK_NAME = re.compile(r"(?<![a-z])labels?(?!l?ed)|contour|segmentation|(?<![a-z0-9])(gt|seg|masks?)(?![a-z0-9])")
_SLICE = r"(?:[_-](?:slice|sl|s|z)[_-]?\d+)?"
_STATE = r"(?:end[_-]?)?(?P<state>ed|es|dia(?:stole|stolic)?|sys(?:tole|tolic)?)"
_FRAME_NAME = re.compile(
    r"(?:(?P<key>.+?)[_-])?(?:"
    rf"(?:(?P<word>frame|phase|volume|vol|ph|time|trigger|trig|tt|t)[_-]?(?P<number>\d+)[a-z]?)|{_STATE})"
    rf"(?P<rest>{_SLICE})"
)
_STATE_FIRST = re.compile(rf"^{_STATE}[_-](?P<rest>.+)$")
_CYCLE_NAME = re.compile(r"(?P<key>.+)[_-](?:4d|cine)")
_SLICE_NAME = re.compile(r".*[_-](?:slice|sl|s|z)[_-]?(?P<number>\d+)")
_TIME_WORDS = ("time", "trigger", "trig", "tt", "t")
_LONG_AXIS_NAME = r"(?<![a-z0-9])(?:la?x?[ _-]?)?{n}[ _-]?c(?:h|hamber)?(?![a-z0-9])"
VIEW_PATTERNS = {
    View.SAX: re.compile(r"(?<![a-z0-9])(?:sax?|short[ _-]?axis)(?![a-z])"),
    View.LAX_2C: re.compile(_LONG_AXIS_NAME.format(n=2)),
    View.LAX_3C: re.compile(_LONG_AXIS_NAME.format(n=3)),
    View.LAX_4C: re.compile(_LONG_AXIS_NAME.format(n=4)),
}


@dataclass(frozen=True, kw_only=True)
class FileName:
    """Parts of the name of an image file."""

    key: str
    """Name without its frame or cycle suffix: equal for the frames of one scan."""
    frame: int | None = None
    """Number of the frame, its time, or 0 and 1 for ED and ES; None for a file without."""
    certain: bool = True
    """False for `t` and `ph`, which also name weightings and phase images."""
    is_time: bool = False
    """Whether `frame` may be a trigger time in ms, as dcm2niix writes it (`_t123`)."""
    slice: int | None = None
    number: int | None = None
    """The last number in the name, whatever it counts."""

    @property
    def pattern(self) -> str:
        """The key with all its numbers alike: equal for the slices of one scan."""
        return re.sub(r"\d+", "#", self.key)


def view_from_name(name: str) -> View | None:
    """Return the view named in a file name, or None if it names none or several.

    >>> view_from_name("subject7_LAX_4ch"), view_from_name("A0S9V9_sa"), view_from_name("patient001_frame01")
    (<View.LAX_4C: 'lax_4c'>, <View.SAX: 'sax'>, None)
    """
    views = [view for view, pattern in VIEW_PATTERNS.items() if pattern.search(name.casefold())]
    return views[0] if len(views) == 1 else None


def is_mask_name(name: str) -> bool:
    """Return True for the name of a file or folder of masks, not of images."""
    return bool(_MASK_NAME.search(name.casefold()))


def parse_name(stem: str) -> FileName:
    """Return the parts of a file name.

    >>> name = parse_name("12_cine_sax_t378")
    >>> name.key, name.frame, name.is_time
    ('12_cine_sax', 378, True)
    """
    text = stem.casefold()
    match = _FRAME_NAME.fullmatch(text) or _FRAME_NAME.fullmatch(_STATE_FIRST.sub(r"\g<rest>_\g<state>", text))
    slice_match = _SLICE_NAME.fullmatch(text)
    place = int(slice_match["number"]) if slice_match else None
    numbers = re.findall(r"\d+", text)
    number = int(numbers[-1]) if numbers else None
    if match is None:
        cycle = _CYCLE_NAME.fullmatch(text)
        return FileName(key=cycle["key"] if cycle else text, slice=place, number=number)
    word = match["word"]
    return FileName(
        key=(match["key"] or "") + match["rest"],
        frame=int(match["number"]) if word else 0 if match["state"].startswith(("ed", "dia")) else 1,
        certain=word not in ("t", "tt", "ph"),
        is_time=word in _TIME_WORDS,
        slice=place,
        number=number,
    )
