"""Which images form a series: by series UID where it holds, else by series number, place and time.

A series UID is a hint. Anonymisers give every file its own, or all files the same one; some archives store each phase
of the cycle as a series. Such groups are recognised by what they hold: a cine has many frames at one place.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.header import FrameHeader
from cinema_cmr.io.dicom.timing import MIN_FRAMES

__all__ = ["ImageFile", "drop_copies", "group_series", "possible_duplicates", "without_shared_instance_uids"]

Key = Hashable
Groups = Mapping[Key, Sequence[int]]
"""Key of a series -> indices of its files."""

_SINGLE_UIDS = 2 * MIN_FRAMES
"""From this many files, a series UID of its own for each is due to anonymisation."""
_TIMES = ("trigger_ms", "temporal_index", "acquired_ms", "instance_number")


@dataclass(frozen=True, kw_only=True)
class ImageFile:
    """One image object: what its series is called in several ways, and its frames."""

    uid: str
    """Series UID; "" if absent."""
    number: int | None
    folder: str
    description: str
    headers: tuple[FrameHeader, ...] = ()
    """None if the object cannot be part of a cine."""


def group_series(files: Sequence[ImageFile]) -> tuple[list[ImageFile], list[Key], list[Issue]]:
    """Return the files, the key of the series of each, and an issue for each way in which UIDs were not followed.

    Frames of a series that was stored as a series a phase, without times, are numbered by their series.
    """
    issues: list[Issue] = []
    keys = _split_by_description(files, _first_keys(files, issues))
    keys = _join_by_number(files, keys, issues)
    files, keys = _join_phases(files, keys, issues)
    keys = _join_parts(files, keys, issues)
    return files, keys, issues


def _first_keys(files: Sequence[ImageFile], issues: list[Issue]) -> list[Key]:
    """Return UID and number, or folder and number where there is no UID or every file has its own."""
    uids = {file.uid for file in files if file.uid}
    if len(uids) < len(files) or len(files) < _SINGLE_UIDS:
        return [(file.uid or file.folder, file.number) for file in files]
    keys: list[Key] = [("", file.number) if file.number is not None else (file.folder, None) for file in files]
    message = (
        f"each of the {len(files)} files has a series UID of its own, as after anonymising: images were grouped by"
    )
    issues.append(_issue(f"{message} series number or folder, place and time", files=len(files), series=len(set(keys))))
    return keys


def _split_by_description(files: Sequence[ImageFile], keys: Sequence[Key]) -> list[Key]:
    """Separate what is described differently within one UID and number, where each part is large enough for a cine."""
    split = []
    for key, members in _grouped(keys).items():
        counts = Counter(files[k].description for k in members)
        if len(counts) > 1 and min(counts.values()) >= MIN_FRAMES:
            split.append(key)
    return [(key, file.description) if key in split else key for file, key in zip(files, keys, strict=True)]


def _join_by_number(files: Sequence[ImageFile], keys: Sequence[Key], issues: list[Issue]) -> list[Key]:
    """Join fragments with the same series number that form a cine only together."""
    groups = _grouped(keys)
    candidates = defaultdict(list)
    for key, members in groups.items():
        if files[members[0]].number is not None and not _is_cine(files, members):
            candidates[(files[members[0]].number, files[members[0]].description)].append(key)
    renamed: dict[Key, Key] = {}
    for number, fragments in candidates.items():
        together = [k for key in fragments for k in groups[key]]
        if len(fragments) > 1 and _is_cine(files, together):
            renamed.update(dict.fromkeys(fragments, ("number", number)))
    if renamed:
        message = f"{len(renamed)} series UIDs that hold no cine each were read as {len(set(renamed.values()))} series,"
        issues.append(_issue(f"{message} by their series number, place and time", series=len(set(renamed.values()))))
    return [renamed.get(key, key) for key in keys]


def _join_phases(
    files: Sequence[ImageFile], keys: Sequence[Key], issues: list[Issue]
) -> tuple[list[ImageFile], list[Key]]:
    """Join fragments of one geometry that have one frame at each place each, and form a cine only together."""
    groups = _grouped(keys)
    candidates: dict[Key, list[Key]] = defaultdict(list)
    for key, members in groups.items():
        frames = _frames(files, members)
        if frames and max(_counts(frames).values()) == 1:
            candidates[_signature(frames[0])].append(key)
    out, renamed = list(files), {}
    for signature, fragments in candidates.items():
        together = [k for key in fragments for k in groups[key]]
        if len(fragments) < MIN_FRAMES or not _is_cine(files, together):
            continue
        renamed.update(dict.fromkeys(fragments, ("phases", signature)))
        if not _is_timed(_frames(files, together)):
            _number_by_series(out, sorted(fragments, key=lambda key: _rank(files, groups[key])), groups)
    if renamed:
        count = len(set(renamed.values()))
        joined = "one series" if count == 1 else f"{count} series"
        message = (
            f"{len(renamed)} series that each hold one frame of the cycle were read as {joined}, by place and time"
        )
        issues.append(_issue(message, series=count))
    return out, [renamed.get(key, key) for key in keys]


def _join_parts(files: Sequence[ImageFile], keys: Sequence[Key], issues: list[Issue]) -> list[Key]:
    """Join series that hold one part each of the phases that their headers state, at the same places."""
    groups = _grouped(keys)
    alike: dict[Key, list[Key]] = defaultdict(list)
    for key, members in groups.items():
        frames = _frames(files, members)
        if frames and frames[0].trigger_ms is not None and len(_times(frames)) < (frames[0].n_phases or 0):
            places = frozenset(_counts(frames))
            alike[(places, frames[0].n_phases, files[members[0]].description)].append(key)
    renamed: dict[Key, Key] = {}
    for kind, parts in alike.items():
        times = [_times(_frames(files, groups[key])) for key in parts]
        n_stated = kind[1] if isinstance(kind, tuple) else 0
        whole = sorted(set().union(*times))
        if len(parts) > 1 and len(whole) == sum(map(len, times)) == n_stated:
            renamed.update(dict.fromkeys(parts, ("parts", kind)))
    if renamed:
        count = len(set(renamed.values()))
        message = f"{len(renamed)} series that hold a part of the phases each, at the same places, were read as {count}"
        issues.append(_issue(message, series=count))
    return [renamed.get(key, key) for key in keys]


def _times(frames: Sequence[FrameHeader]) -> set[float]:
    """Return the trigger times of the frames at the first place."""
    place = _rounded(frames[0].position, 1)
    return {frame.trigger_ms or 0.0 for frame in frames if _rounded(frame.position, 1) == place}


def _number_by_series(files: list[ImageFile], fragments: Sequence[Key], groups: Groups) -> None:
    """Give the frames of each fragment its place in the order of series numbers as their temporal position."""
    for place, key in enumerate(fragments):
        for k in groups[key]:
            headers = tuple(replace(header, temporal_index=float(place + 1)) for header in files[k].headers)
            files[k] = replace(files[k], headers=headers)


def _rank(files: Sequence[ImageFile], members: Sequence[int]) -> tuple[int, int]:
    number = files[members[0]].number
    return (0 if number is None else number, members[0])


def _grouped(keys: Iterable[Key]) -> dict[Key, list[int]]:
    groups: dict[Key, list[int]] = defaultdict(list)
    for k, key in enumerate(keys):
        groups[key].append(k)
    return groups


def _frames(files: Sequence[ImageFile], members: Iterable[int]) -> list[FrameHeader]:
    return [header for k in members for header in files[k].headers]


def _is_cine(files: Sequence[ImageFile], members: Iterable[int]) -> bool:
    """Return True if there are enough frames for a cine at one place."""
    return max(_counts(_frames(files, members)).values(), default=0) >= MIN_FRAMES


def _counts(frames: Iterable[FrameHeader]) -> Counter[Key]:
    """Count the frames by place: position to a tenth of a millimetre and geometry."""
    return Counter((_rounded(frame.position, 1), _signature(frame)) for frame in frames)


def _signature(frame: FrameHeader) -> Key:
    geometry = (_rounded(frame.orientation, 2), _rounded(frame.pixel_spacing, 3), frame.rows, frame.columns)
    return (*geometry, frame.claim, None if frame.echo_time_ms is None else round(frame.echo_time_ms, 1))


def _rounded(values: Sequence[float], digits: int) -> tuple[float, ...]:
    return tuple(round(value, digits) + 0.0 for value in values)


def _is_timed(frames: Sequence[FrameHeader]) -> bool:
    """Return True if some time or number differs between all frames at one place."""
    place = _counts(frames).most_common(1)[0][0]
    here = [frame for frame in frames if (_rounded(frame.position, 1), _signature(frame)) == place]
    return any(len({getattr(frame, name) for frame in here} - {None}) == len(here) for name in _TIMES)


def without_shared_instance_uids(
    headers: Sequence[FrameHeader], place_and_time: Callable[[FrameHeader], Key]
) -> list[FrameHeader]:
    """Blank the instance UIDs that frames of different place or time share: they identify nothing."""
    seen: dict[tuple[str, int], Key] = {}
    shared = set()
    for header in headers:
        if header.instance_uid and seen.setdefault((header.instance_uid, header.frame), place_and_time(header)) != (
            place_and_time(header)
        ):
            shared.add(header.instance_uid)
    return [replace(header, instance_uid="") if header.instance_uid in shared else header for header in headers]


def possible_duplicates(headers: Sequence[FrameHeader]) -> tuple[int, ...]:
    """Return the indices of frames that share position and time with another frame, and number or series.

    They are duplicates if their pixels match.
    """
    groups: dict[object, list[int]] = defaultdict(list)
    for k, header in enumerate(headers):
        for key in _duplicate_keys(header):
            groups[key].append(k)
    return tuple(sorted({k for group in groups.values() if len(group) > 1 for k in group}))


def _duplicate_keys(header: FrameHeader) -> tuple[tuple[object, ...], ...]:
    """Return what a copy has in common with its original; within a series it may have another number."""
    position = tuple(round(value, 2) for value in (*header.position, *header.orientation, *header.pixel_spacing))
    time = (header.trigger_ms, header.temporal_index, header.acquired_ms)
    kind = (header.echo_time_ms, header.inversion_time_ms, header.rows, header.columns)
    numbered = (*position, *time, header.instance_number, *kind)
    return (numbered,) if header.trigger_ms is None else (numbered, (*position, *time, header.series, *kind))


def drop_copies(headers: Sequence[FrameHeader], digests: Mapping[int, str]) -> tuple[list[int], list[int]]:
    """Return the indices of the frames to use, and of those that are duplicates."""
    suspects = set(possible_duplicates(headers))
    used_keys: set[object] = set()
    unique, copies = [], []
    size = Counter(header.series for header in headers)
    # Originals first, then the larger series: the derived copy or the key image of a cine is dropped.
    for k in sorted(range(len(headers)), key=lambda k: (headers[k].derived, -size[headers[k].series], k)):
        header = headers[k]
        keys: list[object] = [(header.instance_uid, header.frame)] if header.instance_uid else []
        if k in suspects and k in digests:
            keys += [(digests[k], key) for key in _duplicate_keys(header)]
        if used_keys.intersection(keys):
            copies.append(k)
        else:
            unique.append(k)
        used_keys.update(keys)
    return sorted(unique), copies


def _issue(message: str, **evidence: int) -> Issue:
    return Issue(code="series-regrouped", severity="info", message=message, evidence=evidence)
