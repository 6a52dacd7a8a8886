"""Entry point for every input: reads a path into a study, with a decision for each file."""

from __future__ import annotations

import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np

from cinema_cmr.core.errors import GeometryError, InputError, NoCineError
from cinema_cmr.core.geometry import unit
from cinema_cmr.core.study import Issue, SeriesDecision, Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.files.regular import check_regular
from cinema_cmr.io.archive import extract_archive
from cinema_cmr.io.info_cfg import read_info_cfg
from cinema_cmr.io.names import file_stem, is_nifti_name, name_from_path
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.walk import paths_below, special_files_below

__all__ = ["input_files", "read_study", "view_from_name"]

Severity = Literal["info", "warning", "error"]

_DICOM_SUFFIXES = (".dcm", ".ima")
_KINDS = "a DICOM folder or file, a .nii or .nii.gz file, a folder of them, or a zip of a folder"
_STACK_SLICES = 3
"""A file with at least this many parallel slices is a stack; long-axis views have one or two."""
_MAX_IMAGES = 30
"""More images than one study has views, not counting frames."""
_OBLIQUE_DEG = 10.0
"""A short-axis stack is 30 to 60 degrees oblique to the patient axes; below this angle it is probably not one."""

_MASK_NAME = re.compile(r"(?<![a-z])labels?(?!l?ed)|contour|segmentation|(?<![a-z0-9])(gt|seg|masks?)(?![a-z0-9])")
_FRAME_NAME = re.compile(r"(?P<key>.+)[_-](?:(?:frame|phase)[_-]?(?P<number>\d+)|(?P<phase>ed|es))")
_CYCLE_NAME = re.compile(r"(?P<key>.+)[_-](?:4d|cine)")
_LONG_AXIS_NAME = r"(?<![a-z0-9])(?:la?x?[ _-]?)?{n}[ _-]?c(?:h|hamber)?(?![a-z0-9])"
_VIEW_NAMES = {
    View.SAX: re.compile(r"(?<![a-z0-9])(?:sax?|short[ _-]?axis)(?![a-z])"),
    View.LAX_2C: re.compile(_LONG_AXIS_NAME.format(n=2)),
    View.LAX_3C: re.compile(_LONG_AXIS_NAME.format(n=3)),
    View.LAX_4C: re.compile(_LONG_AXIS_NAME.format(n=4)),
}
_GENERIC_WORDS = frozenset(("4d", "cine", "ed", "es", "image", "la", "lax", "stack", "view"))
"""Words in a file name, apart from its view, that do not identify the subject."""


def read_study(path: Path | str, *, name: str | None = None) -> Study:
    """Read the study at a path: DICOM in any layout, a zip of it, one NIfTI file, or a folder of NIfTI files.

    `name` defaults to the stem of the path. Single frames of one NIfTI scan (ACDC's `frame01`, `frame12`) are joined to
    one cine; a file with the whole cycle takes precedence; masks are ignored; views other than a stack are recognised
    by file name alone. The study's decisions record this. Raises `InputError` for a path that does not exist or holds
    several studies, `NoCineError` if nothing in it is usable, and the errors of the readers.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"'{path.name}' does not exist; expected {_KINDS}: check the path")
    name = name or name_from_path(path)
    if path.is_dir():
        return _read_folder(path, name).with_issues(*_special_file_issues(path))
    check_regular(path)
    if is_nifti_name(path):
        return _read_niftis([path], name)
    if path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
        with extract_archive(path) as folder:
            return _read_folder(folder, name)
    if _may_be_dicom(path):
        return _read_dicom(path, name)
    raise InputError(f"'{path.name}' is not a supported file; expected {_KINDS}: convert it first")


def view_from_name(name: str) -> View | None:
    """Return the view named in a file name, or None if it names none or several.

    >>> view_from_name("subject7_LAX_4ch"), view_from_name("A0S9V9_sa"), view_from_name("patient001_frame01")
    (<View.LAX_4C: 'lax_4c'>, <View.SAX: 'sax'>, None)
    """
    views = [view for view, pattern in _VIEW_NAMES.items() if pattern.search(name.casefold())]
    return views[0] if len(views) == 1 else None


def input_files(path: Path | str) -> tuple[Path, ...]:
    """Return the files that a study is read from, sorted: the path itself, or the relevant files of a folder.

    In a folder these are the DICOM files or, without any, the NIfTI images that are not named as masks, and `Info.cfg`.
    Results written into the folder are therefore excluded.
    """
    path = Path(path)
    if not path.is_dir():
        return (path,)
    files, niftis = _list_files(path)
    dicoms = [file for file in files if file not in niftis and _may_be_dicom(file)]
    images = dicoms or [*_exclude_masks(niftis, path)[0], *(file for file in files if file.name == "Info.cfg")]
    return tuple(sorted(images))


def _list_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return all files below a folder, and the NIfTI files among them."""
    files = [path for path in paths_below(folder) if path.is_file() and not _is_hidden(path, folder)]
    return files, [path for path in files if is_nifti_name(path)]


def _read_folder(folder: Path, name: str) -> Study:
    files, niftis = _list_files(folder)
    if any(_may_be_dicom(path) for path in files if path not in niftis):
        ignored = f"{len(niftis)} NIfTI files beside the DICOM files were ignored"
        extra = [_issue("nifti-ignored", "info", ignored)] if niftis else []
        return _read_dicom(folder, name).with_issues(*extra)
    if not niftis:
        raise NoCineError(
            f"'{name}' holds no DICOM or NIfTI among {len(files)} files; expected {_KINDS}: check the path"
        )
    return _read_niftis(niftis, name, root=folder)


def _special_file_issues(folder: Path) -> list[Issue]:
    n = len(special_files_below(folder))
    message = f"{n} pipes, sockets or devices, or links to them, were passed over: only files are read"
    return [_issue("special-files-ignored", "warning", message)] if n else []


def _is_hidden(path: Path, folder: Path) -> bool:
    """Return True for file-system and macOS archive artefacts (`.name`, `__MACOSX`)."""
    return any(part.startswith((".", "__MACOSX")) for part in path.relative_to(folder).parts)


def _issue(code: str, severity: Severity, message: str, **evidence: float | str) -> Issue:
    return Issue(code=code, severity=severity, message=message, evidence=evidence)


def _may_be_dicom(path: Path) -> bool:
    from cinema_cmr.io.dicom.files import is_dicom

    return path.suffix.lower() in _DICOM_SUFFIXES or is_dicom(path)


def _read_dicom(source: Path, name: str) -> Study:
    from cinema_cmr.io.dicom.study import read_dicom

    return read_dicom(source, name=name)


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """A cine of a NIfTI study whose view is not yet decided."""

    cine: Cine
    files: tuple[Path, ...]
    key: str
    """File name without frame or cycle suffix: equal for the files of one scan."""
    issues: tuple[Issue, ...]

    @property
    def series(self) -> str:
        return " + ".join(file_stem(path) for path in self.files)

    @property
    def hint(self) -> View | None:
        return view_from_name(self.key)

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        """Preference as the cine of a view: named as the view, a whole cycle, more frames, more slices."""
        cine = self.cine
        return self.hint is not None, cine.n_frames > 1 and len(self.files) == 1, cine.n_frames, cine.n_slices

    def decision(self, view: View | None, reason: str) -> SeriesDecision:
        evidence = {
            "shape": " x ".join(str(extent) for extent in self.cine.array.shape),
            "view_in_name": None if self.hint is None else str(self.hint),
        }
        return SeriesDecision(series=self.series, view=view, kept=view is not None, reason=reason, evidence=evidence)


def _read_niftis(files: Sequence[Path], name: str, *, root: Path | None = None) -> Study:
    images, decisions = (list(files), []) if root is None else _exclude_masks(files, root)
    _check_one_study(images, name)
    candidates, failures = _read_candidates(images)
    if not candidates:
        raise _unusable_error(name, failures, len(decisions))
    kept, chosen = _choose_views(_merge_frames(candidates), name)
    if not kept:
        raise NoCineError(
            f"'{name}' holds no cine of a recognised view ({chosen[0].series}: {chosen[0].reason}); expected sax,"
            " lax_2c, lax_3c or lax_4c in the file name: rename the files"
        )
    failed = [
        SeriesDecision(series=file_stem(path), view=None, kept=False, reason=str(error)) for path, error in failures
    ]
    subject, facts = (Subject(), []) if root is None else read_info_cfg(images[0].parent)
    issues = [issue for candidate in kept for issue in (*candidate.issues, *_stack_issues(candidate.cine))]
    return Study(
        name=name,
        cines=tuple(candidate.cine for candidate in kept),
        subject=subject,
        decisions=(*chosen, *failed, *decisions),
        issues=(
            *issues,
            *(_issue("file-left-out", "warning", d.reason, file=d.series) for d in failed),
            *_name_issues(candidates),
            *facts,
        ),
    )


def _exclude_masks(files: Sequence[Path], root: Path) -> tuple[list[Path], list[SeriesDecision]]:
    """Return the candidate images, one per stem, and a decision on each excluded file."""
    images: dict[Path, Path] = {}
    decisions = []
    for path in files:
        key = path.relative_to(root).with_name(file_stem(path))
        if any(_MASK_NAME.search(part.casefold()) for part in key.parts):
            reason = "named as a mask, not an image"
        elif key in images:
            reason = f"duplicate of a file that was read: {images[key].name}"
        else:
            images[key] = path
            continue
        decisions.append(SeriesDecision(series=file_stem(path), view=None, kept=False, reason=reason))
    return list(images.values()), decisions


def _check_one_study(images: Sequence[Path], name: str) -> None:
    folders = {path.parent for path in images}
    if len(folders) > 1:
        raise InputError(
            f"'{name}' has images in {len(folders)} folders; expected one study: pass the folders one by one"
        )
    keys = {_parse_frame(file_stem(path))[0] for path in images}
    if len(keys) > _MAX_IMAGES:
        raise InputError(
            f"'{name}' holds {len(keys)} images; expected at most {_MAX_IMAGES} for one study: pass them one by one"
        )


def _parse_frame(stem: str) -> tuple[str, int | None]:
    """Return the scan key and frame number from a file name; ED and ES count as 0 and 1."""
    match = _FRAME_NAME.fullmatch(stem.casefold())
    if match:
        number = match["number"]
        return match["key"], int(number) if number else ("ed", "es").index(match["phase"])
    cycle = _CYCLE_NAME.fullmatch(stem.casefold())
    return cycle["key"] if cycle else stem.casefold(), None


def _read_candidates(images: Iterable[Path]) -> tuple[list[_Candidate], list[tuple[Path, InputError]]]:
    candidates, failures = [], []
    for path in images:
        key, _ = _parse_frame(file_stem(path))
        try:
            cine, issues = read_nifti_cine(path, view=view_from_name(key))
        except InputError as error:
            failures.append((path, error))
            continue
        candidates.append(_Candidate(cine=cine, files=(path,), key=key, issues=issues))
    return candidates, failures


def _unusable_error(name: str, failures: Sequence[tuple[Path, InputError]], n_masks: int) -> InputError:
    if len(failures) == 1:
        return failures[0][1]
    if not failures:
        return NoCineError(
            f"'{name}' holds {n_masks} masks and no image; expected the images they were drawn on: add them"
        )
    return NoCineError(f"none of the {len(failures)} images of '{name}' is usable; the first: {failures[0][1]}")


def _merge_frames(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Join the candidates that are single frames of one scan, keeping the order."""
    groups = defaultdict(list)
    for candidate in candidates:
        number = _parse_frame(file_stem(candidate.files[0]))[1]
        single = number is not None and candidate.cine.n_frames == 1
        groups[(candidate.key, single)].append((number or 0, candidate))
    merged = []
    for (_, single), group in groups.items():
        frames = [candidate for _, candidate in sorted(group, key=lambda numbered: numbered[0])]
        merged.extend([_join_frames(frames)] if single and len(frames) > 1 else frames)
    return merged


def _join_frames(frames: Sequence[_Candidate]) -> _Candidate:
    first = frames[0].cine
    for frame in frames[1:]:
        same_place = np.allclose(frame.cine.affine, first.affine, rtol=0, atol=1e-3)
        if frame.cine.array.shape != first.array.shape or not same_place:
            raise GeometryError(
                f"{frames[0].series} and {frame.series} have different grids; expected frames of one scan on one grid:"
                " pass them separately"
            )
    array = np.concatenate([frame.cine.array for frame in frames], axis=3)
    cine = replace(first, array=array, label=frames[0].key)
    issues = {(issue.code, issue.message): issue for frame in reversed(frames) for issue in frame.issues}
    files = tuple(frame.files[0] for frame in frames)
    return _Candidate(cine=cine, files=files, key=frames[0].key, issues=tuple(issues.values()))


def _choose_views(candidates: Sequence[_Candidate], name: str) -> tuple[list[_Candidate], list[SeriesDecision]]:
    """Choose one cine per view; return them and a decision on every candidate."""
    by_view, decisions = defaultdict(list), []
    for candidate in candidates:
        view, reason = _choose_view(candidate, alone=len(candidates) == 1)
        if view is None:
            decisions.append(candidate.decision(None, reason))
        else:
            by_view[view].append((candidate, reason))
    kept = []
    for view, rivals in by_view.items():
        best, reason = max(rivals, key=lambda rival: rival[0].rank)
        decisions.append(best.decision(view, reason))
        kept.append(replace(best, cine=replace(best.cine, view=view)))
        for rival, _ in rivals:
            if rival is not best:
                decisions.append(rival.decision(None, _rejection_reason(rival, best, view, name)))
    return kept, decisions


def _choose_view(candidate: _Candidate, *, alone: bool) -> tuple[View | None, str]:
    n_slices, hint = candidate.cine.n_slices, candidate.hint
    if n_slices >= _STACK_SLICES:
        if hint not in (None, View.SAX):
            return None, (f"named {hint.title}, but a stack of {n_slices} slices; expected one plane, (x, y, 1, time)")
        named = "and so named" if hint else "and no other evidence of the view"
        return View.SAX, f"a stack of {n_slices} parallel slices, {named}"
    if hint is not None:
        return hint, "the file name, the only evidence"
    if alone:
        return View.SAX, "assumed: the only image, and its name does not contain a view"
    return None, f"{n_slices} slices, and its name does not contain a view"


def _rejection_reason(rival: _Candidate, best: _Candidate, view: View, name: str) -> str:
    """Return why `best` is preferred; raise `InputError` if both are equally good."""
    if rival.key == best.key:
        return f"the same scan was read with more frames: {best.series}"
    if rival.rank[:2] == best.rank[:2]:
        raise InputError(
            f"'{name}' holds two {view.title} images, {best.series} and {rival.series}; expected"
            " one: pass one file, or put the view in the name of the right one"
        )
    return f"{best.series} was read as the {view.title} view: it is named as such, or holds a whole cycle"


def _stack_issues(cine: Cine) -> list[Issue]:
    """Return issues about using this cine as its view."""
    issues = []
    if cine.n_frames == 1:
        message = "only one frame: measured at that frame, without ejection fraction"
        issues.append(_issue("single-frame", "warning", message))
    if cine.view is not View.SAX:
        return issues
    if cine.n_slices < _STACK_SLICES and view_from_name(cine.label) is None:
        message = f"{cine.n_slices} slices were taken as the short axis, as the view is not stated"
        issues.append(_issue("view-assumed", "warning", message))
    normal = np.abs(unit(np.cross(cine.affine[:3, 0], cine.affine[:3, 1])))
    off_axis_deg = float(np.degrees(np.arccos(min(1.0, normal.max()))))
    if cine.orientation_known and off_axis_deg < _OBLIQUE_DEG:
        message = "the stack is parallel to the patient axes, unlike a short-axis stack: check the images"
        issues.append(_issue("stack-not-oblique", "warning", message, off_axis_deg=round(off_axis_deg, 1)))
    return issues


def _name_issues(candidates: Sequence[_Candidate]) -> list[Issue]:
    """Warn if the names differ in more than view and frame, as of two subjects; a plain `sax` matches any name."""
    stems = set()
    for candidate in candidates:
        if _choose_view(candidate, alone=len(candidates) == 1)[0] is None:
            continue
        key = candidate.key
        for pattern in _VIEW_NAMES.values():
            key = pattern.sub(" ", key)
        stems.add(frozenset(re.findall("[a-z0-9]+", key)) - _GENERIC_WORDS)
    if all(one <= other or other <= one for one, other in combinations(stems, 2)):
        return []
    message = "the file names share no stem apart from view and frame: make sure that all belong to one study"
    return [_issue("names-differ", "warning", message)]
