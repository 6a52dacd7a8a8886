"""One issue for many series, slices or frames: the same sentence is never repeated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from cinema_cmr.core.study import Issue

__all__ = ["fold_issues", "fold_lines", "ranges"]

_PLACE = re.compile(r"\b(series|slice|frame) (\d+[a-z]*|without number[a-z]*)\b")
_STEM = re.compile(r"'[^']*'")


def fold_issues(issues: Iterable[Issue]) -> tuple[Issue, ...]:
    """Return the issues with those that differ in series, slice or frame alone as one, in the order of the first.

    >>> one, other = (Issue(code="x", severity="info", message=f"slice {k} is blank") for k in (3, 4))
    >>> [issue.message for issue in fold_issues([one, other])]
    ['slice 3 is blank; likewise slice 4']
    """
    groups: dict[tuple[str, str, str], list[Issue]] = {}
    for issue in issues:
        groups.setdefault((issue.code, issue.severity, _template(issue.message)), []).append(issue)
    return tuple(group[0] if len(group) == 1 else _folded(group) for group in groups.values())


def fold_lines(lines: Sequence[str]) -> list[str]:
    """Return lines of text with those that differ in series, slice or frame alone as one.

    >>> fold_lines(["series 1: no position", "series 2: no position", "series 4: a localizer"])
    ['series 1-2: no position', 'series 4: a localizer']
    """
    groups: dict[str, list[str]] = {}
    for line in lines:
        groups.setdefault(_template(line), []).append(line)
    return [_union(group) for group in groups.values()]


def ranges(names: Iterable[str]) -> str:
    """Return names in short: runs of whole numbers as ranges.

    >>> ranges(["3", "5", "6", "7", "9a"])
    '3, 5-7, 9a'
    """
    distinct = list(dict.fromkeys(names))
    numbers = sorted(int(name) for name in distinct if name.isdecimal())
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    short = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    return ", ".join([*short, *(name for name in distinct if not name.isdecimal())])


def _template(message: str) -> str:
    return _STEM.sub("''", _PLACE.sub(r"\1 #", message))


def _folded(group: Sequence[Issue]) -> Issue:
    first = group[0]
    keys = ("series", "slice", "frame")
    evidence = {name: value for name, value in first.evidence.items() if name not in keys}
    for name in keys:
        found = [str(issue.evidence[name]) for issue in group if name in issue.evidence]
        if found:
            evidence[name] = ranges(text.removeprefix("series ") for text in found)
    message = _union([issue.message for issue in group])
    return Issue(code=first.code, severity=first.severity, message=message, evidence={**evidence, "count": len(group)})


def _union(messages: Sequence[str]) -> str:
    """Return one message for all: with the series at its head as ranges, else the first and the others' places."""
    distinct = list(dict.fromkeys(messages))
    found = [[(match[1], match[2]) for match in _PLACE.finditer(message)] for message in distinct]
    varying = [k for k in range(len(found[0])) if len({each[k] for each in found}) > 1]
    head = _PLACE.match(distinct[0])
    if not varying:
        return distinct[0]
    if varying == [0] and head is not None and distinct[0][head.end() :].startswith(":"):
        return f"{_plural(head[1], [each[0][1] for each in found])}{distinct[0][head.end() :]}"
    others = (_plural(found[0][k][0], [each[k][1] for each in found[1:]]) for k in varying)
    count = f" {len(distinct) - 1} more:" if len(varying) > 1 else ""
    return f"{distinct[0]}; likewise{count} {', '.join(others)}"


def _plural(kind: str, names: Sequence[str]) -> str:
    several = len(set(names)) > 1 and kind != "series"
    return f"{kind}{'s' if several else ''} {ranges(names)}"
