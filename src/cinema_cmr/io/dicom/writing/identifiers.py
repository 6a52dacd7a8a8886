"""Synthetic identity of a written study: unique identifiers derived from its content, a name, one fixed date.

The same study always has the same identifiers; another study, shape or encoding has different ones. No clock or random
number is used, so that files can be compared byte by byte.
"""

from __future__ import annotations

import hashlib
import uuid

import numpy as np

from cinema_cmr.core.study import Study

__all__ = ["STUDY_DATE", "clock_time", "study_digest", "uid_from"]

STUDY_DATE = "20000101"
"""Date of every study written here, which is not that of any examination."""
_FIRST_SECOND = 12 * 3600
_SECONDS_APART = 12
"""One breath-hold."""


def study_digest(study: Study) -> str:
    """Return the hex digest of everything written of a study: images, geometry, times and facts, not its name."""
    digest = hashlib.sha256(repr(study.subject).encode())
    for cine in study.cines:
        facts = (str(cine.view), cine.array.shape, cine.rr_interval_ms, cine.slice_thickness_mm)
        digest.update(repr(facts).encode())
        times = np.zeros(0) if cine.frame_times_ms is None else cine.frame_times_ms
        for numbers in (cine.affine, cine.slice_positions_mm, times):
            digest.update(np.ascontiguousarray(numbers, dtype="<f8").tobytes())
        digest.update(np.ascontiguousarray(cine.array, dtype="<f4").tobytes())
    return digest.hexdigest()


def uid_from(*parts: str | int) -> str:
    """Return the DICOM UID for these parts: a UUID from their hash under 2.25 (PS3.5 B.2).

    >>> uid_from("a", 1) == uid_from("a", 1), uid_from("a", 1) == uid_from("a", 2)
    (True, False)
    """
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"


def clock_time(acquisition: int) -> str:
    """Return the DICOM time of an acquisition by number, from 0: noon, then every 12 seconds.

    >>> clock_time(0), clock_time(6)
    ('120000', '120112')
    """
    seconds = _FIRST_SECOND + _SECONDS_APART * acquisition
    return f"{seconds // 3600 % 24:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"
