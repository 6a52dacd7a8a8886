"""The user's decisions carried out on a DICOM study: series left out, admitted, preferred, or given a view."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from cinema_cmr.core.choices import SeriesChoice, SeriesChoices, SeriesName, StudyChoices
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Issue, SeriesDecision
from cinema_cmr.io.dicom.admission import slices_overlap, with_claimed
from cinema_cmr.io.dicom.files import FoundFiles, SeriesFiles
from cinema_cmr.io.dicom.sort import sort_headers
from cinema_cmr.io.dicom.stack import Stack
from cinema_cmr.io.folded import ranges
from cinema_cmr.views.chosen import ChosenView

__all__ = [
    "apply_to_files",
    "check_carried_out",
    "chosen_views",
    "decision_issues",
    "prefer_chosen",
    "resolve_series",
    "series_names",
]


def series_names(found: FoundFiles) -> list[SeriesName]:
    """Return the names that the user may give the series of a study."""
    return [SeriesName(label=label, also=_other_names(label, files)) for label, files in found.series.items()]


def _other_names(label: str, files: SeriesFiles) -> tuple[str, ...]:
    number = "" if files.number is None else str(files.number)
    return (label.removeprefix("series "), number, files.description, files.place)


def resolve_series(choices: StudyChoices, found: FoundFiles) -> dict[str, SeriesChoice]:
    """Return the decisions by series label; a folder or description names a series only where some have another."""
    names = series_names(found)
    shared = (
        {text for text in set(names[0].also) if all(text in name.also for name in names)} if len(names) > 1 else set()
    )
    kept = [replace(name, also=tuple(text for text in name.also if text not in shared)) for name in names]
    return choices.resolve(kept)


def apply_to_files(found: FoundFiles, choices: SeriesChoices) -> FoundFiles:
    """Leave out the series to ignore, and admit those to use whatever their words, echo or inversion times claim."""
    used = {label for label, choice in choices.items() if choice.use}
    found = with_claimed(found, [k for k, header in enumerate(found.claimed) if header.series in used])
    if used:
        headers = (
            replace(one, inversion_time_ms=None, echo_time_ms=None) if one.series in used else one
            for one in found.headers
        )
        found = replace(found, headers=tuple(headers))
    ignored = {label for label, choice in choices.items() if choice.use is False}
    return _without(
        found, {k for k, header in enumerate(found.headers) if header.series in ignored}, "left out by the user"
    )


def prefer_chosen(found: FoundFiles, choices: SeriesChoices) -> FoundFiles:
    """Leave out slices of other series that show the same tissue as those of a series to use, or of lower order."""
    if not any(choice.use or choice.order is not None for choice in choices.values()):
        return found
    alone = _stacks_by_series(found)
    dropped: set[int] = set()
    for label, (indices, parts) in alone.items():
        better = [one for name, (_, own) in alone.items() if _is_preferred(name, label, choices) for one in own]
        dropped.update(
            indices[k]
            for part in parts
            for one in part.slices
            if any(slices_overlap(one, part, other, stack) for stack in better for other in stack.slices)
            for k in one.frames
            if k is not None
        )
    return _without(found, dropped, "replaced by another series, as the user decided")


def _stacks_by_series(found: FoundFiles) -> dict[str, tuple[list[int], tuple[Stack, ...]]]:
    """Return, by series, the indices of its headers and the stacks that it forms alone."""
    members: dict[str, list[int]] = {}
    for k, header in enumerate(found.headers):
        members.setdefault(header.series, []).append(k)
    return {name: (own, sort_headers([found.headers[k] for k in own]).stacks) for name, own in members.items()}


def _is_preferred(one: str, other: str, choices: SeriesChoices) -> bool:
    """Return True if the user prefers one series to the other: by order, or used where nothing is said of the other."""
    first, second = choices.get(one, SeriesChoice()), choices.get(other, SeriesChoice())
    if one == other:
        return False
    if first.order is not None and second.order is not None:
        return first.order < second.order
    return bool(first.use) and second.use is None


def _without(found: FoundFiles, dropped: set[int], reason: str) -> FoundFiles:
    if not dropped:
        return found
    series = dict(found.series)
    for k in dropped:
        label = found.headers[k].series
        left = series[label].excluded.copy()
        left[reason] += 1
        series[label] = replace(series[label], excluded=left)
    return replace(found, headers=tuple(h for k, h in enumerate(found.headers) if k not in dropped), series=series)


def chosen_views(stacks: Sequence[Stack], choices: SeriesChoices) -> dict[int, ChosenView]:
    """Return what the user decided about each stack that has a series with a decision, by its index."""
    chosen = {}
    for k, stack in enumerate(stacks):
        own = [
            (label, choices[label]) for label in stack.series if label in choices and choices[label].use is not False
        ]
        named = [(label, choice.view) for label, choice in own if choice.view is not None]
        used = [label for label, choice in own if choice.use or choice.order is not None]
        if named or used:
            slices = [j for j, one in enumerate(stack.slices) if one.series in {label for label, _ in named}]
            ranks = [choice.order for _, choice in own if choice.order is not None]
            chosen[k] = ChosenView(
                view=named[0][1] if named else None,
                slice=slices[len(slices) // 2] if slices else None,
                weight=len(named or used),
                order=min(ranks, default=None),
            )
    return chosen


def check_carried_out(decisions: Iterable[SeriesDecision], choices: SeriesChoices) -> None:
    """Raise `InputError` for a decision of the user that the study does not allow, with the reason."""
    by_series: Mapping[str, SeriesDecision] = {decision.series: decision for decision in decisions}
    for label, choice in choices.items():
        if not choice.use:
            continue
        decision = by_series[label]
        if decision.kept and choice.view in (None, decision.view):
            continue
        wanted = "used" if choice.view is None else f"used as {choice.view.title}"
        remedy = (
            "leave it out, or give its view: --view SERIES=sax" if choice.view is None else "take back the decision"
        )
        raise InputError(
            f"{label} cannot be {wanted}: {decision.reason}; expected a cine that can be measured: {remedy}"
        )


def decision_issues(choices: SeriesChoices) -> list[Issue]:
    """Return a note on each kind of decision that the user made, with the series that it is about."""
    groups: dict[str, list[str]] = {}
    for label, choice in choices.items():
        groups.setdefault(_description(choice), []).append(label.removeprefix("series "))
    return [
        Issue(
            code="user-decision",
            severity="info",
            message=f"series {ranges(labels)}: {text}, as the user decided",
            evidence={"series": ranges(labels), "decided_by": "user"},
        )
        for text, labels in groups.items()
        if text
    ]


def _description(choice: SeriesChoice) -> str:
    """Return a decision in words; "" for one that decides nothing."""
    if choice.use is False:
        return "left out"
    words = ["used"] if choice.use else []
    words += [] if choice.view is None else [f"view {choice.view.title}"]
    words += [] if choice.order is None else [f"order {choice.order}"]
    return ", ".join(words)
