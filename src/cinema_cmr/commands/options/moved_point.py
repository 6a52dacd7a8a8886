"""A moved landmark as an option: VIEW:NAME:FRAME=X,Y,Z."""

from __future__ import annotations

from cinema_cmr.core.edits import MovedPoint
from cinema_cmr.core.errors import UsageError

__all__ = ["POINT", "point_option"]

POINT = "VIEW:NAME:FRAME"


def point_option(text: str) -> MovedPoint:
    """Return the point of a text such as "lax_4c:mitral_septal:8=12,-30,41", or with "=model" the model's own.

    Raises `UsageError` for another form.
    """
    from cinema_cmr.pipeline.moved_points import parse_point

    place, sign, value = text.partition("=")
    try:
        position = None if value == "model" else [float(part) for part in value.split(",")]
    except ValueError:
        sign = ""
    if not sign:
        raise UsageError(f"'{text}' was given for a landmark; expected {POINT}=X,Y,Z in RAS mm, or {POINT}=model")
    return parse_point(place, position)
