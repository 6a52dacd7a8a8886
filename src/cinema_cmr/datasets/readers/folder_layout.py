"""Layout of a user's folder: which files are images or label maps, and which images form one patient and one study.

Only names are used. Suffixes that distinguish images of one patient are `ED`, `ES`, `frameNN`, `phaseNN` and a view
(`sax`, `lax_4c`, `4ch`, ...), after `_` or `-`: directly in the folder, `p0_ED` and `p0_frame12` are images of `p0`.
For research use only; not a medical device.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.names import file_stem, is_nifti_name
from cinema_cmr.io.nifti.other_formats import is_other_format
from cinema_cmr.io.read import view_from_name

__all__ = ["ImageGroup", "case_folder", "find_masks", "group_images", "is_image", "is_mask"]

_MASK_ENDS = ("_seg", "_gt", "_mask", "_labels", "_label", ".seg")
"""The last is the name that 3D Slicer gives a segmentation, `A.seg.nrrd`."""
_MASK_FOLDERS = ("masks", "labels", "segmentations", "gt")
_IMAGE_FOLDERS = ("images", "imgs", "image")
_PHASE = re.compile(r"(?:^|[_-])(ed|es)$", re.IGNORECASE)
_FRAME = re.compile(r"[_-](?:ed|es|(?:frame|phase)[_-]?\d+)$", re.IGNORECASE)
_LAST = re.compile(r"[_-](?:lax[_-])?[^_-]+$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ImageGroup:
    """Images of one study."""

    patient: str
    images: tuple[Path, ...]
    """One per view; both ED and ES if they are separate files, ED first."""
    es_images: frozenset[Path] = frozenset()
    """The ES images among `images`, whose view has its ED too."""


def is_image(path: Path) -> bool:
    """Return True if a path, relative to the folder, is a NIfTI, NRRD or MHA file by its name and not hidden."""
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and (is_nifti_name(path) or is_other_format(path))


def is_mask(path: Path) -> bool:
    """Return True if a path, relative to the folder, is a label map by its name or by a folder in it."""
    in_folder = any(part.lower() in _MASK_FOLDERS for part in path.parts[:-1])
    return in_folder or file_stem(path).lower().endswith(_MASK_ENDS)


def find_masks(image: Path, masks: set[Path]) -> list[Path]:
    """Return the label maps that match an image."""
    stem = file_stem(image)
    folders = [image.parent / name for name in _MASK_FOLDERS]
    folders += [image.parent.parent / name for name in _MASK_FOLDERS if _holds_images(image.parent)]
    named = {image.parent: [stem + end for end in _MASK_ENDS]}
    named |= {folder: [stem, *(stem + end for end in _MASK_ENDS)] for folder in folders}
    return sorted(path for path in masks if file_stem(path) in named.get(path.parent, []))


def case_folder(image: Path, root: Path) -> Path:
    """Return the folder that contains both image and label map, side by side or in folders of their own."""
    return image.parent.parent if _holds_images(image.parent) and image.parent != root else image.parent


def group_images(root: Path, images: Collection[Path]) -> dict[str, ImageGroup]:
    """Map each case name to its images.

    In a subfolder, images named by view are one case. ED and ES are one case under their common name, unless another
    image has that name.
    """
    shared = _shared_names(images)
    found: dict[str, tuple[str, list[Path]]] = {}
    for image in images:
        stem, folder = shared.get(image, file_stem(image)), _subfolder_name(image, root)
        patient = folder or _strip_suffixes(stem)
        name = f"{folder}-{stem}" if folder and stem not in ("", folder) and not _is_view(stem) else folder or stem
        found.setdefault(name, (patient, []))[1].append(image)
    return {
        name: ImageGroup(
            patient=patient,
            images=tuple(sorted(members, key=lambda image: (shared.get(image, file_stem(image)), _phase(image)))),
            es_images=frozenset(image for image in members if image in shared and _phase(image) == "es"),
        )
        for name, (patient, members) in found.items()
    }


def _shared_names(images: Collection[Path]) -> Mapping[Path, str]:
    """Map each image whose other phase is in the same folder to its name without phase."""
    stems = {(image.parent, file_stem(image).lower()) for image in images}
    pairs: dict[tuple[Path, str], dict[str, Path]] = {}
    for image in images:
        stem = file_stem(image)
        base = _PHASE.sub("", stem)
        if base != stem and (image.parent, base.lower()) not in stems:
            pairs.setdefault((image.parent, base), {})[_phase(image)] = image
    return {image: base for (_, base), members in pairs.items() if len(members) == 2 for image in members.values()}


def _phase(image: Path) -> str:
    """Return "ed", "es" or "", in the order of the cycle."""
    found = _PHASE.search(file_stem(image))
    return found[1].lower() if found else ""


def _strip_suffixes(stem: str) -> str:
    """Return the patient in a file name; "p0_sax_ED" -> "p0"."""
    last = _FRAME.search(stem) or _LAST.search(stem)
    if last is None or last.start() == 0:
        return stem
    if not _FRAME.fullmatch(last[0]) and view_from_name(last[0]) is None:
        return stem
    return _strip_suffixes(stem[: last.start()])


def _subfolder_name(image: Path, root: Path) -> str:
    """Return the subfolder of an image, including its parents; "" if it is in the folder itself."""
    return "-".join(part for part in image.relative_to(root).parts[:-1] if part.lower() not in _IMAGE_FOLDERS)


def _holds_images(folder: Path) -> bool:
    return folder.name.lower() in _IMAGE_FOLDERS


def _is_view(stem: str) -> bool:
    return stem.lower() in tuple(View)
