"""Names of studies and of their outputs, derived from the input paths."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.safe_text import plain_name

__all__ = ["file_stem", "is_nifti_name", "name_from_path", "natural_key", "unique_names"]


def file_stem(path: Path | str) -> str:
    """Return the file name without its suffix; `.nii.gz` counts as one, characters that cannot be shown become "_".

    >>> file_stem("scans/patient001_frame01.nii.gz")
    'patient001_frame01'
    """
    name = plain_name(Path(path).name)
    return name[: -len(".nii.gz")] if name.lower().endswith(".nii.gz") else Path(name).stem


def is_nifti_name(path: Path | str) -> bool:
    """Return True for a file name with the suffix of a NIfTI file, `.nii` or `.nii.gz`."""
    return Path(path).name.lower().endswith((".nii", ".nii.gz"))


def name_from_path(path: Path | str) -> str:
    """Return a study's name: the folder name, or the file name without its suffix, as `file_stem` gives it.

    >>> name_from_path("p1/dicom.zip"), name_from_path("p1/scan.nii.gz")
    ('dicom', 'scan')
    """
    path = Path(os.path.abspath(path))
    return plain_name(path.name) if path.is_dir() else file_stem(path)


def unique_names(paths: Sequence[Path]) -> list[str]:
    """Return one output name per input: its stem or, if stems collide, the nearest distinguishing part of the path.

    Names also differ when case is ignored. Raises `UsageError` for a repeated input.

    >>> unique_names([Path("a/one.nii.gz"), Path("b/two.nii.gz")])
    ['one', 'two']
    >>> unique_names([Path("p1/dicom.zip"), Path("p2/dicom.zip")])
    ['p1', 'p2']
    >>> unique_names([Path("ill/1"), Path("well/1"), Path("ill/2"), Path("well/2")])
    ['ill_1', 'well_1', 'ill_2', 'well_2']
    """
    absolute = [Path(os.path.abspath(path)) for path in paths]
    repeated = [path.name for path, count in Counter(absolute).items() if count > 1]
    if repeated:
        raise UsageError(f"'{repeated[0]}' is given twice; expected each input once: remove one")
    groups = defaultdict(list)
    for path in absolute:
        groups[name_from_path(path).casefold()].append(path)
    names = {group[0]: name_from_path(group[0]) for group in groups.values() if len(group) == 1}
    colliding = [group for group in groups.values() if len(group) > 1]
    try:
        names |= _disambiguate([path for group in colliding for path in group], names) if colliding else {}
    except UsageError:  # no one run fits all
        for group in colliding:
            names |= _disambiguate(group, names)
    return [names[path] for path in absolute]


def _disambiguate(group: Sequence[Path], given: Mapping[Path, str]) -> dict[Path, str]:
    """Map each path to the shortest run of parts, nearest to the file, that is unique in the group and not given.

    Called for all colliding paths at once where possible, so that studies of the same folders are named alike.
    """
    taken = {name.casefold() for name in given.values()}
    parts = [(*map(plain_name, path.parts[1:-1]), name_from_path(path)) for path in group]
    depth = min(len(p) for p in parts)
    runs = [(end - width, end) for width in range(1, depth + 1) for end in range(0, width - depth - 1, -1)]
    candidates = [["_".join(p[len(p) + start : len(p) + end]) for p in parts] for start, end in runs]
    for names in [*candidates, [plain_name(path.name).replace(".", "_") for path in group]]:
        folded = {name.casefold() for name in names}
        if len(folded) == len(group) and not folded & taken:
            return dict(zip(group, names, strict=True))
    raise UsageError(
        f"{len(group)} inputs named '{group[0].name}' have no distinguishing part in their paths; expected unique"
        " names: rename one"
    )


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Return a sort key in which numbers within names count as numbers: image 2 precedes image 10.

    >>> [path.name for path in sorted([Path("im10"), Path("im2"), Path("a")], key=natural_key)]
    ['a', 'im2', 'im10']
    """
    parts = re.findall(r"\d+|\D+", str(path))
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts]
