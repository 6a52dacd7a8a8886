"""Entry point for every input: reads a path into a study, with a decision for each file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

from cinema_cmr.core.choices import StudyChoices
from cinema_cmr.core.errors import InputError, NoCineError
from cinema_cmr.core.study import Issue, Study
from cinema_cmr.files.regular import check_regular
from cinema_cmr.io.archive import extract_archive, extract_archives
from cinema_cmr.io.names import is_nifti_name, name_from_path
from cinema_cmr.io.nifti.file_names import view_from_name
from cinema_cmr.io.nifti.other_formats import is_other_format
from cinema_cmr.io.nifti.read_images import exclude_masks, read_nifti_study
from cinema_cmr.io.packed_files import packed_issues, zips_in_place_of_images
from cinema_cmr.io.walk import paths_below, special_files_below

__all__ = ["input_files", "read_study", "view_from_name"]

Severity = Literal["info", "warning", "error"]

_DICOM_SUFFIXES = (".dcm", ".ima")
_KINDS = "a DICOM folder or file, a .nii or .nii.gz file, a folder of them, or a zip of a folder"


def read_study(path: Path | str, *, name: str | None = None, choices: StudyChoices | None = None) -> Study:
    """Read the study at a path: DICOM in any layout, zips of it, one NIfTI file, or a folder of NIfTI files.

    `name` defaults to the stem of the path; `choices` are the user's decisions on series, which overrule all others.
    NIfTI files of a frame (ACDC's `frame01`, dcm2niix's `_t123`) or of a slice each are joined to one cine; a file with
    the whole cycle takes precedence; masks are ignored; views other than a stack are recognised by file name alone.
    MHA, NRRD and PAR/REC are read like NIfTI. The study's decisions record this. Raises `InputError` for a path that
    does not exist or holds several studies, `NoCineError` if nothing in it is usable, and the errors of the readers.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"'{path.name}' does not exist; expected {_KINDS}: check the path")
    name = name or name_from_path(path)
    if path.is_dir():
        return _read_folder(path, name, choices).with_issues(*_special_file_issues(path))
    check_regular(path)
    if path.name.upper() == "DICOMDIR":
        return _read_folder(path.parent, name, choices)
    if _is_image_name(path):
        return read_nifti_study([path], name, choices=choices)
    if path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
        with extract_archive(path) as folder:
            return _read_folder(folder, name, choices, depth=1)
    if _may_be_dicom(path):
        return _read_dicom(path, name, choices)
    raise InputError(f"'{path.name}' is not a supported file; expected {_KINDS}: convert it first")


def input_files(path: Path | str) -> tuple[Path, ...]:
    """Return the files that a study is read from, sorted: the path itself, or the relevant files of a folder.

    In a folder these are the DICOM files or, without any, the NIfTI images that are not named as masks, and `Info.cfg`;
    without any image its zips.
    Results written into the folder are therefore excluded.
    """
    path = Path(path)
    if not path.is_dir():
        return (path,)
    files, niftis = _list_files(path)
    dicoms = [file for file in files if file not in niftis and _may_be_dicom(file)]
    if not dicoms and not niftis and (zips := [file for file in files if file.suffix.lower() == ".zip"]):
        return tuple(sorted(zips))
    images = dicoms or [*exclude_masks(niftis, path)[0], *(file for file in files if file.name == "Info.cfg")]
    return tuple(sorted(images))


def _list_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return all files below a folder, and the NIfTI files among them."""
    below = [path for path in paths_below(folder) if path.is_file() and not _is_hidden(path, folder)]
    files = [path for path in below if not _is_stored_image(path)]
    return files, [path for path in files if _is_image_name(path)]


def _is_stored_image(path: Path) -> bool:
    """Return True for an image that an analysis wrote beside its masks."""
    return path.parent.name == "images" and (path.parent.parent / "measurements.json").exists()


def _read_folder(folder: Path, name: str, choices: StudyChoices | None, *, depth: int = 0) -> Study:
    """Read a folder, which lay in `depth` zips."""
    files, niftis = _list_files(folder)
    if any(_may_be_dicom(path) for path in files if path not in niftis):
        ignored = f"{len(niftis)} NIfTI files beside the DICOM files were ignored"
        extra = [_issue("nifti-ignored", "info", ignored)] if niftis else []
        return _read_dicom(folder, name, choices).with_issues(*extra, *packed_issues(files))
    if not niftis:
        if zips := zips_in_place_of_images(files, name=name, depth=depth):
            others = [path for path in files if path not in zips]
            with extract_archives(zips) as inner:
                return _read_folder(inner, name, choices, depth=depth + 1).with_issues(*packed_issues(others))
        raise NoCineError(
            f"'{name}' holds no DICOM or NIfTI among {len(files)} files; expected {_KINDS}: check the path"
        )
    if (folder / "measurements.json").is_file() and not exclude_masks(niftis, folder)[0]:
        raise NoCineError(
            f"'{name}' holds the results of an analysis, not images; expected the study that was analysed: give that,"
            " or measure these masks again with `cinema remeasure`"
        )
    return read_nifti_study(niftis, name, root=folder, choices=choices).with_issues(*packed_issues(files))


def _is_image_name(path: Path) -> bool:
    """Return True for a NIfTI file, or one of a format that is read like it."""
    return is_nifti_name(path) or is_other_format(path)


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


def _read_dicom(source: Path, name: str, choices: StudyChoices | None) -> Study:
    from cinema_cmr.io.dicom.study import read_dicom

    return read_dicom(source, name=name, choices=choices)
