"""ACDC's `Info.cfg` beside the images: height and weight of the subject."""

from __future__ import annotations

import re
from pathlib import Path

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.core.study import Issue, Subject
from cinema_cmr.files.text import read_text

__all__ = ["read_info_cfg"]

_FACTS = {"height": ("height_cm", 50.0, 250.0), "weight": ("weight_kg", 2.0, 400.0)}
_MAX_BYTES = 1 << 20


def read_info_cfg(folder: Path) -> tuple[Subject, list[Issue]]:
    """Read height and weight, with an issue for each; ED, ES and group are not used. Nothing without the file."""
    path = folder / "Info.cfg"
    if not path.is_file():
        return Subject(), []
    facts: dict[str, float] = {}
    issues = []
    try:
        lines = read_text(path, max_bytes=_MAX_BYTES, errors="replace").splitlines()
    except (OSError, UnreadableFileError):
        return Subject(), [_issue("Info.cfg ignored: it cannot be read, or is no small text")]
    for line in lines:
        key, _, text = line.partition(":")
        fact, low, high = _FACTS.get(key.strip().lower(), ("", 0.0, 0.0))
        if not fact:
            continue
        value = float(text) if re.fullmatch(r"\s*\d+(\.\d*)?\s*", text) else 0.0
        if low <= value <= high:
            facts[fact] = value
        from_file, name = fact in facts, key.strip().lower()
        issues.append(
            _issue(f"{name} from Info.cfg" if from_file else f"{name} ignored: its value in Info.cfg is implausible")
        )
    return Subject(height_cm=facts.get("height_cm"), weight_kg=facts.get("weight_kg")), issues


def _issue(message: str) -> Issue:
    return Issue(code="subject-from-info-cfg", severity="info", message=message)
