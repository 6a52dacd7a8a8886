"""A folder of the user's own: NIfTI, NRRD or MHA images, with label maps and a table of facts if available.

The label map of `A.nii.gz` is `A_seg`, `A_gt`, `A_mask`, `label_A` and the like (or `A.seg.nrrd`) beside it, or has one
of these names or that of the image in a folder `masks`, `labels`, `labelsTr` or the like, in its folder or beside that.
All images in a subfolder belong to one patient, and those named by view (`sax`, `lax_4c`, ...) form one
study. Images directly in the folder form one study if their names differ only in phase, frame or view
(`datasets.folder_layout`). `A_ED` and `A_ES` form one study of two frames. A phantom cohort (`phantom/cohort.py`) has
this layout. For research use only; not a medical device.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.core.study import Facts, Issue, Study
from cinema_cmr.core.vocabulary import ATRIUM_LABELS, CHAMBER_LABELS, CINE_LABELS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard
from cinema_cmr.data.label_check import check_nesting
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.datasets.facts_table import fact_problem, read_facts, tables_without_names
from cinema_cmr.datasets.label_statement import LABELS_FILE, LabelStatement, read_label_statement
from cinema_cmr.datasets.listing import subject_from
from cinema_cmr.datasets.passed_over import passed_over
from cinema_cmr.datasets.phase_files import read_phases
from cinema_cmr.datasets.readers.folder_layout import (
    ImageGroup,
    case_folder,
    group_images,
    is_image,
    is_mask,
    pair_masks,
)
from cinema_cmr.datasets.readers.results import results_folders, within
from cinema_cmr.files.text import read_json
from cinema_cmr.io.names import file_stem
from cinema_cmr.io.read import view_from_name
from cinema_cmr.io.walk import paths_below

__all__ = ["CARD", "DATASET", "LABEL_CODES", "Listing", "list_cases", "read_case", "remarks", "scan_folder"]

CARD = DatasetCard(
    name="folder",
    title="A folder of your own",
    licence="set by the owner of the images",
    citation="",
    how_to_get="Put each image's label map beside it as NAME_seg.nii.gz or in a folder 'masks', and facts in a table"
    " *.csv with a column 'name'; both may be absent.",
    derived_licence="set by the owner of the images",
)

LABEL_CODES = {label.code: label.code for label in CINE_LABELS}
"""Our codes: 1 right ventricle, 2 myocardium, 3 left ventricle; pass others to `read_case`."""

_LONG_AXIS_CODES = {label.code: label.code for label in CHAMBER_LABELS}


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Contents of a folder, as paths relative to it."""

    cases: tuple[Case, ...]
    """Each with `masks`, image -> label map or None: one image per view, or its ED and ES."""
    without_mask: tuple[str, ...]
    """Images without a label map."""
    without_image: tuple[str, ...]
    """Label maps without an image."""
    remarks: tuple[str, ...] = ()
    """Label maps, table rows, tables and other files that are not used, one sentence each."""


def list_cases(root: Path) -> list[Case]:
    """List the cases under `root`, by name; raises `InputError` if there is no image.

    A case with neither a label map nor a row in the table of facts is in the part "unlabelled".
    """
    listing = scan_folder(root)
    if not listing.cases:
        raise InputError(
            f"'{Path(root).name}' holds no image and {len(listing.without_image)} label maps; expected NAME.nii.gz,"
            f" with NAME_seg.nii.gz beside it or in a folder 'masks': add the images{_why(listing.remarks)}"
        )
    return list(listing.cases)


def scan_folder(root: Path) -> Listing:
    """List everything under `root`: cases, images without a label map, label maps without an image.

    Facts come from a table `*.csv` in `root` (`datasets.facts_table`), codes and drawn structures from `labels.json`
    in the case's folder, else in `root` (`datasets.label_statement`). A case with two images of one view, two label
    maps of one image, or an invalid fact is listed with the problem. Raises `InputError` if the folder does not exist
    and for two tables of facts.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(
            f"'{root.name}' is not a folder; expected a folder of NIfTI images and label maps: check the path"
        )
    results = results_folders(root)
    found = [path for path in paths_below(root) if not path.is_dir() and not within(path, results)]
    files = [path for path in found if is_image(path.relative_to(root))]
    masks = {path for path in files if is_mask(path.relative_to(root))}
    pairs = pair_masks(root, [path for path in files if path not in masks], masks)
    used = {mask for image_masks in pairs.values() for mask in image_masks}
    unused = tuple(_relative(mask, root) for mask in sorted(masks - used))
    facts = read_facts(root)
    statement = read_label_statement(root)
    cases = tuple(_cases(root, pairs, facts, statement))
    return Listing(
        cases=cases,
        without_mask=tuple(_relative(image, root) for image, image_masks in pairs.items() if not image_masks),
        without_image=unused,
        remarks=(
            *_mask_remarks(unused),
            *_patient_remarks(cases),
            *_fact_remarks(cases, facts),
            *tables_without_names(root),
            *_results_remarks(results),
            *passed_over([path.relative_to(root) for path in found], is_image),
        ),
    )


def read_case(case: Case, *, codes: Mapping[int, int] | None = None) -> AnnotatedStudy:
    """Read the images of a case with the available label maps, translated by `codes` (file code -> our code).

    None takes the codes of the folder's `labels.json`, or ours; that file also states which structures were drawn.
    Atria count in long-axis views, where they were drawn; in the short axis they are background. A frame without any
    label counts as unlabelled. Raises `InputError` for a code that is not in `codes`, if all label maps are empty, and
    for exchanged codes (`data.label_check`), `GeometryError` for a label map on another grid than its image.
    """
    case.check()
    stated = codes or case.label_codes
    cines: list[Cine] = []
    issues: list[Issue] = []
    labels: dict[View, LabelMap] = {}
    frames: dict[View, tuple[int, ...]] = {}
    names: dict[View, tuple[str, ...]] = {}
    for view, (images, masks) in _by_view(case.masks).items():
        codes = _codes_of(view, stated)
        cine, reference, cine_issues = read_phases(
            images,
            masks,
            view=view,
            codes=codes,
            name=case.name,
        )
        cines.append(cine)
        issues += cine_issues
        if not any(masks) or not (view.is_long_axis or _ventricles_drawn(case)):
            continue
        labels[view] = _as_stated(reference, case, view)
        if view is View.SAX:
            check_nesting(reference, codes, name=case.name)
        frames[view] = tuple(int(frame) for frame in np.flatnonzero(reference.array.any(axis=(0, 1, 2))))
        if len(images) > 1:
            names[view] = tuple(file_stem(images[frame].name) for frame in frames[view])
    if labels and not any(frames.values()):
        raise InputError(
            f"the label maps of '{case.name}' are empty; expected the codes {sorted(stated or LABEL_CODES)}: export"
            " them again"
        )
    return AnnotatedStudy(
        study=Study(name=case.name, cines=tuple(cines), subject=subject_from(case.facts), issues=tuple(issues)),
        patient=case.patient,
        labels=labels,
        labelled_frames=frames,
        frame_names=names,
        landmarks=_landmarks(case.folder / "landmarks.json"),
        facts=case.facts,
    )


def _codes_of(view: View, stated: Mapping[int, int]) -> Mapping[int, int]:
    """Return the codes of a view's label maps: those stated, else ours; atria are background in the short axis."""
    if view.is_long_axis:
        return stated or _LONG_AXIS_CODES
    atria = {label.code for label in ATRIUM_LABELS}
    return {code: 0 if ours in atria else ours for code, ours in (stated or LABEL_CODES).items()}


def _ventricles_drawn(case: Case) -> bool:
    """Whether any structure but the atria counts as drawn."""
    return not case.drawn or not set(case.drawn) <= {label.name for label in ATRIUM_LABELS}


def _as_stated(labels: LabelMap, case: Case, view: View) -> LabelMap:
    """Return the label map with the structures and slices that count as drawn."""
    slices = None if case.empty_slices_drawn else np.asarray(labels.array.any(axis=(0, 1)))
    labels = replace(labels, drawn_slices=slices)
    found = [label.name for label in ATRIUM_LABELS if (labels.array == label.code).any()]
    stated = [label.name for label in ATRIUM_LABELS if label.name in case.drawn]
    if view.is_long_axis and (found or stated):
        return replace(labels, scheme="chambers", drawn=case.drawn or _drawn_chambers(found, view))
    drawn = tuple(name for name in case.drawn if name not in stated)
    return replace(labels, drawn=drawn)


def _drawn_chambers(atria: Sequence[str], view: View) -> tuple[str, ...]:
    """Return the ventricles' structures and the atria of a map, or () for all; only the 4-chamber view has a right
    atrium to draw."""
    names = [label.name for label in CHAMBER_LABELS]
    seen = {"ra", *atria} if view is not View.LAX_4C and "la" in atria else set(atria)
    drawn = tuple(name for name in names if name in seen or name not in {label.name for label in ATRIUM_LABELS})
    return () if len(drawn) == len(names) else drawn


def remarks(root: Path) -> tuple[str, ...]:
    """Return the remarks on a folder (`Listing.remarks`)."""
    return scan_folder(root).remarks


DATASET = Dataset(card=CARD, list_cases=list_cases, read_case=read_case, remarks=remarks)


def _cases(
    root: Path, images: Mapping[Path, Sequence[Path]], facts: Mapping[str, Facts], statement: LabelStatement
) -> Iterator[Case]:
    for name, group in sorted(group_images(root, images).items()):
        folder = case_folder(group.images[0], root)
        masks = {image: images[image][0] if images[image] else None for image in group.images}
        stated = read_label_statement(folder) if (folder / LABELS_FILE).exists() else statement
        case_facts = {**facts.get(group.patient, {}), **facts.get(name, {})}
        part = {} if case_facts or any(masks.values()) else {"part": "unlabelled"}
        yield Case(
            name=name,
            patient=group.patient,
            folder=folder,
            facts={**case_facts, **part},
            files=(*group.images, *(mask for mask in masks.values() if mask)),
            masks=masks,
            label_codes=stated.file_codes,
            drawn=stated.structures,
            empty_slices_drawn=stated.empty_slices == "background",
            problem=_problem(root, group, images) or fact_problem(case_facts),
        )


def _problem(root: Path, group: ImageGroup, images: Mapping[Path, Sequence[Path]]) -> str | None:
    """Describe two images of one view that are not ED and ES, or two label maps of one image; None if there are
    none.
    """
    views: dict[View, list[str]] = defaultdict(list)
    for image in group.images:
        if image not in group.es_images:
            views[_view(image.name)].append(_relative(image, root))
    repeated = next((paths for paths in views.values() if len(paths) > 1), None)
    if repeated:
        return f"two images of one view, {' and '.join(repeated)}; expected one: remove the other"
    for image in group.images:
        if len(masks := images[image]) > 1:
            names = " and ".join(f"'{mask.parent.name}/{mask.name}'" for mask in masks)
            return f"'{image.name}' has two label maps, {names}; expected one: remove the other"
    return None


def _why(remarks: Sequence[str]) -> str:
    return "".join(f"; {remark}" for remark in remarks if " not read" in remark)


def _mask_remarks(masks: Sequence[str]) -> Iterator[str]:
    if masks:
        yield (
            f"{len(masks)} label maps match no image, e.g. '{masks[0]}'; expected the name of the image,"
            " NAME_seg.nii.gz, and of a cine one label map with all its frames, 0 where nothing was drawn"
        )


def _patient_remarks(cases: Sequence[Case]) -> Iterator[str]:
    """Yield a remark on a subfolder that holds all cases, which makes them one patient's."""
    patients = {case.patient for case in cases}
    if len(cases) > 1 and len(patients) == 1 and all(case.name != case.patient for case in cases):
        patient = min(patients)
        yield (
            f"all {len(cases)} studies count as one patient's, '{patient}', as they lie in one subfolder or differ in"
            " view and frame only; expected several patients: give that subfolder as the folder, or name by patient"
        )


def _results_remarks(results: Sequence[Path]) -> Iterator[str]:
    if results:
        yield (
            f"{len(results)} results folders of `cinema analyse`, e.g. '{results[0].name}', are not read with other"
            " images; to learn from corrected ones give their folder alone"
        )


def _fact_remarks(cases: Sequence[Case], facts: Mapping[str, Facts]) -> Iterator[str]:
    """Yield a remark on the rows of the table whose name matches no case and no patient."""
    names = {name for case in cases for name in (case.name, case.patient)}
    unused = sorted(set(facts) - names)
    if unused and names:
        yield (
            f"{len(unused)} of {len(facts)} rows of the table of facts match no study, e.g. '{unused[0]}';"
            f" expected names of files or folders, e.g. '{min(names)}'"
        )


def _by_view(files: Mapping[Path, Path | None]) -> dict[View, tuple[list[Path], list[Path | None]]]:
    """Return the images of each view with their label maps, in order: one, or ED and ES."""
    found: dict[View, tuple[list[Path], list[Path | None]]] = {}
    for image, mask in files.items():
        images, masks = found.setdefault(_view(image.name), ([], []))
        images.append(image)
        masks.append(mask)
    return found


def _view(name: str) -> View:
    return view_from_name(file_stem(name)) or View.SAX


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _landmarks(path: Path) -> dict[View, Landmarks]:
    """Read the landmarks of each view, RAS mm, from the file that a phantom cohort has; empty without it."""
    if not path.exists():
        return {}
    try:
        content: Any = read_json(path)
        return {View(view): _points(View(view), tracks) for view, tracks in content.items()}
    except (UnreadableFileError, ValueError, AttributeError, TypeError) as error:
        raise UnreadableFileError(
            f"'{path.parent.name}/{path.name}' cannot be read ({type(error).__name__}); expected view -> name -> points"
            ": generate the cohort again"
        ) from error


def _points(view: View, tracks: Mapping[str, Sequence[Sequence[float] | None]]) -> Landmarks:
    missing = [np.nan] * 3
    points = {name: np.array([p or missing for p in track], dtype=np.float64) for name, track in tracks.items()}
    return Landmarks(view=view, points=points)
