"""Values as JSON can hold them: NaN and infinity become null, arrays lists, six significant digits."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

__all__ = ["json_text", "plain"]

_SIGNIFICANT_DIGITS = 6


def plain(value: Any) -> Any:
    """A value made of dicts, lists, text, numbers and None only, whatever mappings and arrays it came as.

    >>> plain({"volumes": np.array([1.0, np.nan]), "n": np.int64(3), 4: (True, "a")})
    {'volumes': [1.0, None], 'n': 3, '4': [True, 'a']}
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float):
        return float(f"{value:.{_SIGNIFICANT_DIGITS}g}") if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} cannot be written as JSON; give text, numbers, lists or mappings")


def json_text(value: Any) -> str:
    """The JSON text of a value, indented, ending in a newline; NaN never appears."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
