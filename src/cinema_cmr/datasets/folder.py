"""The user's own folder: NIfTI images, label maps beside them and a table of facts where there are any.

An image `A.nii.gz` has its label map in `A_seg`, `A_gt`, `A_mask`, `A_label` or `A_labels.nii.gz` beside it, or
under one of these names or its own in a folder `masks`, `labels`, `segmentations` or `gt`, in its folder or next to it.
All images of a subfolder are one patient's, and those named by views (`sax`, `lax_4c`, ...) are one study; of images
directly in the folder, those whose names differ only in phase, frame or view (`datasets.folder_layout`). `A_ED` and
`A_ES` are one study of two frames. A cohort of phantoms (`phantom/cohort.py`) is such a folder.
For research use only; not a medical device.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
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
from cinema_cmr.datasets.facts_table import problem_in, read_facts, tables_without_names
from cinema_cmr.datasets.folder_layout import ImageGroup, folder_of, grouped, is_mask, is_nifti, masks_of
from cinema_cmr.datasets.phase_files import read_phases
from cinema_cmr.io.names import file_stem
from cinema_cmr.io.read import view_from_name
from cinema_cmr.io.walk import paths_below

__all__ = ["CARD", "DATASET", "LABEL_CODES", "Listing", "list_cases", "read_case", "remarks", "scan_folder"]

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

_SUBJECT = ("sex", "age_years", "height_cm", "weight_kg", "heart_rate_bpm")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What a folder holds; paths are relative to it."""

    cases: tuple[Case, ...]
    """Each with `facts["files"]`: image -> its label map or None, relative to the case's folder; of one view one image,
    or those of its ED and ES."""
    without_mask: tuple[str, ...]
    """Images that nobody labelled."""
    without_image: tuple[str, ...]
    """Label maps that belong to no image."""
    remarks: tuple[str, ...] = ()
    """What of the folder counts for nothing, a sentence each: label maps, rows and tables of facts."""


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
    files = [path for path in paths_below(root) if is_nifti(path.relative_to(root))]
    masks = {path for path in files if is_mask(path.relative_to(root))}
    pairs = {path: masks_of(path, masks) for path in files if path not in masks}
    used = {mask for its in pairs.values() for mask in its}
    unused = tuple(_relative(mask, root) for mask in sorted(masks - used))
    facts = read_facts(root)
    cases = tuple(_cases(root, pairs, facts))
    return Listing(
        cases=cases,
        without_mask=tuple(_relative(image, root) for image, its in pairs.items() if not its),
        without_image=unused,
        remarks=(*_unused_masks(unused), *_unused_facts(cases, facts), *tables_without_names(root)),
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
    names: dict[View, tuple[str, ...]] = {}
    for view, (images, masks) in _by_view(case.facts["files"]).items():
        cine, drawn, odd = read_phases(
            [case.folder / image for image in images],
            [None if mask is None else case.folder / mask for mask in masks],
            view=view,
            codes=codes,
            name=case.name,
        )
        cines.append(cine)
        issues += odd
        if not any(masks):
            continue
        labels[view] = drawn
        frames[view] = tuple(int(frame) for frame in np.flatnonzero(drawn.array.any(axis=(0, 1, 2))))
        if len(images) > 1:
            names[view] = tuple(file_stem(images[frame]) for frame in frames[view])
    if labels and not any(frames.values()):
        raise InputError(f"the label maps of '{case.name}' are empty; expected the codes {sorted(codes)}")
    subject = Subject(**{name: case.facts[name] for name in _SUBJECT if name in case.facts})
    return AnnotatedStudy(
        study=Study(name=case.name, cines=tuple(cines), subject=subject, issues=tuple(issues)),
        patient=case.patient,
        labels=labels,
        labelled_frames=frames,
        frame_names=names,
        landmarks=_landmarks(case.folder / "landmarks.json"),
        facts=case.facts,
    )


def remarks(root: Path) -> tuple[str, ...]:
    """What of a folder counts for nothing (`Listing.remarks`)."""
    return scan_folder(root).remarks


DATASET = Dataset(card=CARD, list_cases=list_cases, read_case=read_case, remarks=remarks)


def _cases(root: Path, images: Mapping[Path, Sequence[Path]], facts: Mapping[str, dict[str, Any]]) -> Iterator[Case]:
    for name, group in sorted(grouped(root, images).items()):
        folder = folder_of(group.images[0], root)
        masks = {image: images[image][0] if images[image] else None for image in group.images}
        files = {_relative(image, folder): mask and _relative(mask, folder) for image, mask in masks.items()}
        known = {**facts.get(group.patient, {}), **facts.get(name, {})}
        part = {} if known or any(masks.values()) else {"part": "unlabelled"}
        yield Case(
            name=name,
            patient=group.patient,
            folder=folder,
            facts={**known, **part, "files": files},
            files=(*group.images, *(mask for mask in masks.values() if mask)),
            problem=_problem(root, group, images) or problem_in(known),
        )


def _problem(root: Path, group: ImageGroup, images: Mapping[Path, Sequence[Path]]) -> str | None:
    """Two images of one view that are not its ED and ES, or two label maps of one image, or None."""
    views: dict[View, list[str]] = defaultdict(list)
    for image in group.images:
        if image not in group.second:
            views[_view(image.name)].append(_relative(image, root))
        if len(masks := images[image]) > 1:
            names = " and ".join(f"'{mask.parent.name}/{mask.name}'" for mask in masks)
            return f"'{image.name}' has two label maps, {names}; keep one"
    twice = next((paths for paths in views.values() if len(paths) > 1), None)
    return f"two images of one view, {' and '.join(twice)}; keep one" if twice else None


def _unused_masks(masks: Sequence[str]) -> Iterator[str]:
    if masks:
        yield f"{len(masks)} label maps belong to no image, e.g. '{masks[0]}'; call each as its image, NAME_seg.nii.gz"


def _unused_facts(cases: Sequence[Case], facts: Mapping[str, Any]) -> Iterator[str]:
    """Rows of the table whose name no case and no patient has."""
    known = {name for case in cases for name in (case.name, case.patient)}
    unused = sorted(set(facts) - known)
    if unused and known:
        yield (
            f"{len(unused)} of {len(facts)} rows of the table of facts are of no study here, e.g. '{unused[0]}';"
            f" studies are called by their files or folders, e.g. '{min(known)}'"
        )


def _by_view(files: Mapping[str, str | None]) -> dict[View, tuple[list[str], list[str | None]]]:
    """Images of each view with their label maps, in their order: one, or ED and ES."""
    found: dict[View, tuple[list[str], list[str | None]]] = {}
    for image, mask in files.items():
        images, masks = found.setdefault(_view(image), ([], []))
        images.append(image)
        masks.append(mask)
    return found


def _view(name: str) -> View:
    return view_from_name(file_stem(name)) or View.SAX


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
