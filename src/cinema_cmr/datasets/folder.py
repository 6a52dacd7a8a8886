"""The user's own folder: NIfTI images, label maps beside them and a table of facts where there are any.

An image `A.nii.gz` has its label map in `A_seg`, `A_gt`, `A_mask`, `A_label` or `A_labels.nii.gz` beside it, or
under one of these names or its own in a folder `masks`, `labels`, `segmentations` or `gt`, in its folder or next to it.
An image directly in the folder is a patient of its own; all images of a subfolder are one patient's, and those
named by views (`sax`, `lax_4c`, ...) are one study. A cohort of phantoms (`phantom/cohort.py`) is such a folder.
For research use only; not a medical device.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.core.study import Issue, Study, Subject
from cinema_cmr.core.vocabulary import CINE_LABELS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.datasets.facts_table import problem_in, read_facts
from cinema_cmr.io.names import stem_of
from cinema_cmr.io.nifti import read_nifti_cine
from cinema_cmr.io.nifti_labels import read_label_codes
from cinema_cmr.io.read import view_from_name
from cinema_cmr.io.walk import paths_below

__all__ = ["CARD", "DATASET", "LABEL_CODES", "Listing", "list_cases", "read_case", "scan_folder"]

CARD = DatasetCard(
    name="folder",
    title="A folder of your own",
    licence="as the owner of the images says",
    citation="",
    how_to_get="Put each image's label map beside it as NAME_seg.nii.gz or in a folder 'masks', and facts in a table"
    " *.csv with a column 'name'; both may be absent.",
    derived_licence="as the owner of the images says",
)

LABEL_CODES = {label.code: label.code for label in CINE_LABELS}
"""Ours: 1 right ventricle, 2 myocardium, 3 left ventricle; give others to `read_case`."""

_ENDS = ("_seg", "_gt", "_mask", "_labels", "_label")
_MASK_FOLDERS = ("masks", "labels", "segmentations", "gt")
_IMAGE_FOLDERS = ("images", "imgs", "image")
_SUBJECT = ("sex", "age_years", "height_cm", "weight_kg", "heart_rate_bpm")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What a folder holds; paths are relative to it."""

    cases: tuple[Case, ...]
    """Each with `facts["files"]`: image -> its label map or None, relative to the case's folder."""
    without_mask: tuple[str, ...]
    """Images that nobody labelled."""
    without_image: tuple[str, ...]
    """Label maps that belong to no image."""


def list_cases(root: Path) -> list[Case]:
    """The cases under `root`, by name; raises `InputError` where there is no image.

    One that has neither a label map nor a row in the table of facts is in the part "unlabelled".
    """
    listing = scan_folder(root)
    if not listing.cases:
        raise InputError(
            f"'{Path(root).name}' holds no NIfTI image and {len(listing.without_image)} label maps; expected"
            " NAME.nii.gz, with NAME_seg.nii.gz beside it or in a folder 'masks'"
        )
    return list(listing.cases)


def scan_folder(root: Path) -> Listing:
    """Everything under `root`: cases, images without a label map, label maps without an image.

    Facts come from a table `*.csv` in `root` (`datasets.facts_table`). A case with two images of one view, two label
    maps of one image, or a fact that cannot be is listed with the problem. Raises `InputError` for a folder that is
    not there and for facts of two tables.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"'{root.name}' is no folder; expected a folder of NIfTI images and label maps")
    files = [path for path in paths_below(root) if _is_nifti(path.relative_to(root))]
    masks = {path for path in files if _is_mask(path.relative_to(root))}
    pairs = {path: _masks_of(path, masks) for path in files if path not in masks}
    used = {mask for its in pairs.values() for mask in its}
    return Listing(
        cases=tuple(_cases(root, pairs)),
        without_mask=tuple(_relative(image, root) for image, its in pairs.items() if not its),
        without_image=tuple(_relative(mask, root) for mask in sorted(masks - used)),
    )


def read_case(case: Case, *, codes: Mapping[int, int] = LABEL_CODES) -> AnnotatedStudy:
    """The images of a case with the label maps that there are, `codes` translated (the file's code -> ours).

    A frame without any label is taken as not labelled. Raises `InputError` for a code that is not in `codes` and
    for label maps that are all empty, `GeometryError` for a label map on another grid than its image.
    """
    case.check()
    cines: list[Cine] = []
    issues: list[Issue] = []
    labels: dict[View, LabelMap] = {}
    frames: dict[View, tuple[int, ...]] = {}
    for image, mask in case.facts["files"].items():
        cine, odd = read_nifti_cine(case.folder / image, view=_view(image))
        cines.append(cine)
        issues += odd
        if mask is None:
            continue
        array = read_label_codes(case.folder / mask, cine.array.shape, codes=codes, image_header=cine.nifti_header)
        labels[cine.view] = LabelMap(array=array)
        frames[cine.view] = tuple(int(frame) for frame in np.flatnonzero(array.any(axis=(0, 1, 2))))
    if labels and not any(frames.values()):
        raise InputError(f"the label maps of '{case.name}' are empty; expected the codes {sorted(codes)}")
    subject = Subject(**{name: case.facts[name] for name in _SUBJECT if name in case.facts})
    return AnnotatedStudy(
        study=Study(name=case.name, cines=tuple(cines), subject=subject, issues=tuple(issues)),
        patient=case.patient,
        labels=labels,
        labelled_frames=frames,
        landmarks=_landmarks(case.folder / "landmarks.json"),
        facts=case.facts,
    )


DATASET = Dataset(card=CARD, list_cases=list_cases, read_case=read_case)


def _is_nifti(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and path.name.lower().endswith((".nii", ".nii.gz"))


def _is_mask(path: Path) -> bool:
    in_folder = any(part.lower() in _MASK_FOLDERS for part in path.parts[:-1])
    return in_folder or stem_of(path).lower().endswith(_ENDS)


def _masks_of(image: Path, masks: set[Path]) -> list[Path]:
    """The label maps that could be the image's."""
    stem = stem_of(image)
    folders = [image.parent / name for name in _MASK_FOLDERS]
    folders += [image.parent.parent / name for name in _MASK_FOLDERS if _holds_images(image.parent)]
    named = {image.parent: [stem + end for end in _ENDS]}
    named |= {folder: [stem, *(stem + end for end in _ENDS)] for folder in folders}
    return sorted(path for path in masks if stem_of(path) in named.get(path.parent, []))


def _holds_images(folder: Path) -> bool:
    return folder.name.lower() in _IMAGE_FOLDERS


def _cases(root: Path, images: Mapping[Path, Sequence[Path]]) -> Iterator[Case]:
    facts = read_facts(root)
    for name, (patient, its) in sorted(_grouped(root, images).items()):
        folder = _folder(its[0], root)
        masks = {image: images[image][0] if images[image] else None for image in its}
        files = {_relative(image, folder): mask and _relative(mask, folder) for image, mask in masks.items()}
        known = {**facts.get(patient, {}), **facts.get(name, {})}
        part = {} if known or any(masks.values()) else {"part": "unlabelled"}
        yield Case(
            name=name,
            patient=patient,
            folder=folder,
            facts={**known, **part, "files": files},
            files=(*its, *(mask for mask in masks.values() if mask)),
            problem=_problem(root, {image: images[image] for image in its}) or problem_in(known),
        )


def _problem(root: Path, images: Mapping[Path, Sequence[Path]]) -> str | None:
    """Two images of one view or two label maps of one image, or None."""
    views: dict[View, list[str]] = defaultdict(list)
    for image, masks in images.items():
        views[_view(image.name)].append(_relative(image, root))
        if len(masks) > 1:
            names = " and ".join(f"'{mask.parent.name}/{mask.name}'" for mask in masks)
            return f"'{image.name}' has two label maps, {names}; keep one"
    twice = next((paths for paths in views.values() if len(paths) > 1), None)
    return f"two images of one view, {' and '.join(twice)}; keep one" if twice else None


def _grouped(root: Path, images: Iterable[Path]) -> dict[str, tuple[str, list[Path]]]:
    """Case name -> patient and images; images of one folder that are named by views make one case."""
    found: dict[str, tuple[str, list[Path]]] = {}
    for image in images:
        patient = _patient(image, root)
        own = patient == stem_of(image)
        name = patient if own or _is_view(image) else f"{patient}-{stem_of(image)}"
        found.setdefault(name, (patient, []))[1].append(image)
    return found


def _folder(image: Path, root: Path) -> Path:
    """The folder that holds an image and its label map, be they beside each other or in folders of their own."""
    return image.parent.parent if _holds_images(image.parent) and image.parent != root else image.parent


def _patient(image: Path, root: Path) -> str:
    """The subfolder that an image lies in, or its own stem where it lies in the folder itself."""
    parts = [part for part in image.relative_to(root).parts[:-1] if part.lower() not in _IMAGE_FOLDERS]
    return "-".join(parts) if parts else stem_of(image)


def _is_view(image: Path) -> bool:
    return stem_of(image).lower() in tuple(View)


def _view(name: str) -> View:
    return view_from_name(stem_of(name)) or View.SAX


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _landmarks(path: Path) -> dict[View, Landmarks]:
    """Points of each view, RAS mm, from the file that a phantom cohort has; none where there is no such file."""
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {View(view): _points(View(view), tracks) for view, tracks in content.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise UnreadableFileError(
            f"'{path.parent.name}/{path.name}' cannot be read ({error}); expected view -> name -> points"
        ) from error


def _points(view: View, tracks: Mapping[str, Sequence[Any]]) -> Landmarks:
    absent = [np.nan] * 3
    points = {name: np.array([p or absent for p in track], dtype=np.float64) for name, track in tracks.items()}
    return Landmarks(view=view, points=points)
