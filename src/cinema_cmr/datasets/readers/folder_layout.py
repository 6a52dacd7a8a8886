"""Layout of a user's folder: which files are images or label maps, and which images form one patient and one study.

Only names are used. A label map has a word such as `seg`, `gt`, `mask` or `label` in its name, or lies in a folder of
such a name; without that word, and without `image` and the channel `_0000` of nnU-Net, its name and folder are those of
its image. Parts that distinguish images of one patient are the phase (`ED`, `ES`, `diastole`, `end_systole`, ...; also
a folder), `frameNN`, `phaseNN`, `tNN` and a view (`sax`, `lax_4c`, `4ch`, ...): directly in the folder, `p0_ED` and
`p0_frame12` are images of `p0`. For research use only; not a medical device.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.names import file_stem, is_nifti_name
from cinema_cmr.io.nifti.other_formats import is_other_format
from cinema_cmr.io.read import view_from_name

__all__ = ["ImageGroup", "case_folder", "group_images", "is_image", "is_mask", "pair_masks"]

_PART = r"(?:^|[ _.-]){word}(?=$|[ _.-])"
_MASK_WORDS = (
    r"d?segs?|segmentations?|gt|masks?|msk|labels?|labelmap|manual|annotations?|contours?|roi|ground[ _-]?truth"
)
_MASK = re.compile(_PART.format(word=f"(?:{_MASK_WORDS})"), re.IGNORECASE)
"""`.seg` is the end that 3D Slicer gives a segmentation, `A.seg.nrrd`."""
_MASK_FOLDER = re.compile(rf"(?:{_MASK_WORDS}|gts)(?P<part>tr|ts|val)?", re.IGNORECASE)
_IMAGE = re.compile(_PART.format(word="(?:image|img)") + r"|_0000$", re.IGNORECASE)
_IMAGE_FOLDER = re.compile(r"(?:images?|imgs?)(?P<part>tr|ts|val)?", re.IGNORECASE)
"""With the parts of nnU-Net and the Medical Segmentation Decathlon, `imagesTr` and `labelsTr`."""
_PHASE_WORD = r"(?P<phase>e[ds]|(?:end[ _-]?)?(?:dia|sy)stol(?:e|ic))"
_PHASE = re.compile(rf"(?:^|[ _.-]|(?<=\d)(?=e[ds])){_PHASE_WORD}(?=$|[ _.-])", re.IGNORECASE)
_PHASE_FOLDER = re.compile(_PHASE_WORD, re.IGNORECASE)
_FRAME = re.compile(r"[ _.-](?:(?:frame|phase)[_-]?\d+|t\d{2,3})$", re.IGNORECASE)
_LAST = re.compile(r"[_-](?:lax[_-])?[^_-]+$", re.IGNORECASE)
_SEPARATORS = " _.-"


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
    return any(map(_MASK_FOLDER.fullmatch, path.parts[:-1])) or _MASK.search(file_stem(path)) is not None


def pair_masks(root: Path, images: Collection[Path], masks: Collection[Path]) -> dict[Path, list[Path]]:
    """Map each image to the label maps that match it, by name and folder."""
    found: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    for mask in sorted(masks):
        found[_pair_key(mask, root)].append(mask)
    return {image: found.get(_pair_key(image, root), []) for image in images}


def case_folder(image: Path, root: Path) -> Path:
    """Return the folder that contains both image and label map, side by side or in folders of their own."""
    in_images = _IMAGE_FOLDER.fullmatch(image.parent.name) and image.parent != root
    return image.parent.parent if in_images else image.parent


def group_images(root: Path, images: Collection[Path]) -> dict[str, ImageGroup]:
    """Map each case name to its images.

    In a subfolder, images named by view are one case. ED and ES are one case under their common name, unless another
    image has that name.
    """
    shared = _shared_names(root, images)
    found: dict[str, tuple[str, list[Path]]] = {}
    for image in images:
        stem, folder = shared.get(image, _stem(image)), _subfolder_name(image, root)
        patient = _strip_suffixes(folder or stem)
        name = (
            f"{folder}-{stem}"
            if folder and stem not in ("", folder) and not _is_view(stem)
            else folder or stem or file_stem(image)
        )
        found.setdefault(name, (patient, []))[1].append(image)
    return {
        name: ImageGroup(
            patient=patient,
            images=tuple(sorted(members, key=lambda image: (shared.get(image, _stem(image)), _phase(image, root)))),
            es_images=frozenset(image for image in members if image in shared and _phase(image, root) == "es"),
        )
        for name, (patient, members) in found.items()
    }


def _pair_key(path: Path, root: Path) -> tuple[str, ...]:
    """Return what an image and its label map share: folder and name without the words for either, part of nnU-Net."""
    folders = path.relative_to(root).parts[:-1]
    kinds = [_MASK_FOLDER.fullmatch(folder) or _IMAGE_FOLDER.fullmatch(folder) for folder in folders]
    places = [folder for folder, kind in zip(folders, kinds, strict=True) if kind is None]
    parts = [(kind["part"] or "").lower() for kind in kinds if kind is not None]
    return "".join(parts), *places, _IMAGE.sub("", _MASK.sub("", file_stem(path))).strip(_SEPARATORS)


def _stem(image: Path) -> str:
    """Return an image's name without `image` and channel."""
    stem = file_stem(image)
    return _IMAGE.sub("", stem).lstrip(_SEPARATORS) if _IMAGE.search(stem) else stem


def _shared_names(root: Path, images: Collection[Path]) -> Mapping[Path, str]:
    """Map each image whose other phase is in the same folder, or that of the other phase, to its name without phase."""
    stems = {(image.parent, _stem(image).lower()) for image in images}
    pairs: dict[tuple[tuple[str, ...], str], dict[str, Path]] = {}
    for image in images:
        base = _without_phase(_stem(image))
        in_name = base != _stem(image)
        if _phase(image, root) and not (in_name and (image.parent, base.lower()) in stems):
            pairs.setdefault((_places(image, root), base), {})[_phase(image, root)] = image
    return {image: base for (_, base), members in pairs.items() if len(members) == 2 for image in members.values()}


def _phase(image: Path, root: Path) -> str:
    """Return "ed", "es" or "", in the order of the cycle."""
    names = map(_PHASE_FOLDER.fullmatch, image.relative_to(root).parts[:-1])
    found = next((match for match in (_PHASE.search(_stem(image)), *names) if match), None)
    return "" if found is None else "es" if re.match("es|.*sy", found["phase"].lower()) else "ed"


def _without_phase(stem: str) -> str:
    return _PHASE.sub("", stem, count=1).lstrip(_SEPARATORS) if _PHASE.search(stem) else stem


def _strip_suffixes(stem: str) -> str:
    """Return the patient in a file name; "p0_sax_ED" -> "p0"."""
    shorter = _without_phase(stem)
    if shorter != stem:
        return _strip_suffixes(shorter) or stem
    last = _FRAME.search(stem) or _LAST.search(stem)
    if last is None or last.start() == 0:
        return stem
    if not _FRAME.fullmatch(last[0]) and view_from_name(last[0]) is None:
        return stem
    return _strip_suffixes(stem[: last.start()])


def _places(image: Path, root: Path) -> tuple[str, ...]:
    """Return the folders of an image but for those of images and of a phase."""
    folders = image.relative_to(root).parts[:-1]
    return tuple(part for part in folders if not (_IMAGE_FOLDER.fullmatch(part) or _PHASE_FOLDER.fullmatch(part)))


def _subfolder_name(image: Path, root: Path) -> str:
    """Return the subfolder of an image, including its parents; "" if it is in the folder itself."""
    return "-".join(_places(image, root))


def _is_view(stem: str) -> bool:
    return stem.lower() in tuple(View)
