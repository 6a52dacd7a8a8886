"""Results folders of `cinema analyse` as a dataset: the images that it wrote, and the masks that a reader corrected.

One results folder, or a folder of many. Only frames whose mask differs from the model's own count as labelled; a study
without any is unlabelled. The dataset `results_all` takes every frame, the model's own masks among them. For research
use only; not a medical device.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cinema_cmr.core.annotation import LabelMap, without_empty_atria
from cinema_cmr.core.errors import InputError, UnreadableFileError, UsageError
from cinema_cmr.core.study import Fact, Issue, Study
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.datasets.listing import subject_from
from cinema_cmr.files.text import read_json
from cinema_cmr.io.names import is_nifti_name
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.io.nifti.source import stored_header
from cinema_cmr.io.walk import paths_below

__all__ = [
    "CARD",
    "CARD_ALL",
    "DATASET",
    "DATASET_ALL",
    "holds_results_alone",
    "list_cases",
    "read_case",
    "results_folders",
    "within",
]

_OWNER = "set by the owner of the images; masks that a model made carry its licence too"
_RECORD = "measurements.json"
_RUN = "run.json"
_HOW = "`cinema analyse STUDIES -o RESULTS`, correct the masks, `cinema remeasure RESULTS/STUDY --overwrite`"

CARD = DatasetCard(
    name="results",
    title="Results of cinema analyse, the frames that a reader corrected",
    licence=_OWNER,
    citation="",
    how_to_get=_HOW,
    derived_licence=_OWNER,
)
CARD_ALL = replace(
    CARD, name="results_all", title="Results of cinema analyse, every frame, the model's own masks among them"
)


def results_folders(root: Path) -> list[Path]:
    """Return the results folders at or below `root`, by name."""
    records = (path.parent for path in paths_below(root, _RECORD))
    return [folder for folder in records if (folder / _RUN).exists()]


def holds_results_alone(root: Path) -> bool:
    """Return whether `root` has results folders, and no NIfTI file outside of them."""
    folders = results_folders(root)
    outside = (path for path in paths_below(root) if is_nifti_name(path) and not within(path, folders))
    return bool(folders) and next(outside, None) is None


def within(path: Path, folders: Collection[Path]) -> bool:
    """Return whether a path lies in one of the folders."""
    return any(parent in folders for parent in path.parents)


def list_cases(root: Path, *, every_frame: bool = False) -> list[Case]:
    """List the studies of results folders under `root`, by name.

    Raises `InputError` if there is none, or without `every_frame` none with a corrected mask.
    """
    root = Path(root)
    cases = [_case(folder, root, every_frame) for folder in results_folders(root)]
    if not cases:
        raise InputError(
            f"'{root.name}' holds no results; expected folders that `cinema analyse` wrote: check the path"
        )
    if all(case.facts.get("part") == "unlabelled" for case in cases):
        raise InputError(
            f"no mask of the {len(cases)} result{'s' if len(cases) > 1 else ''} in '{root.name}' was corrected, and a"
            " model's own masks are no labels; expected corrected ones: edit them, then `cinema remeasure RESULTS"
            f" --overwrite`, or take every frame as it is with --data results_all:{root.name}"
        )
    return cases


def read_case(case: Case, *, every_frame: bool = False) -> AnnotatedStudy:
    """Read the images and masks of a results folder; frames without a correction have no labels.

    Raises `InputError` for results without images, `GeometryError` for a mask on another grid.
    """
    case.check()
    cines: list[Cine] = []
    issues: list[Issue] = []
    labels: dict[View, LabelMap] = {}
    frames: dict[View, tuple[int, ...]] = {}
    scheme = str(case.facts.get("scheme", "cine"))
    for image, mask in case.masks.items():
        view = View(image.name.removesuffix(".nii.gz"))
        cine, found = read_nifti_cine(image, view=view)
        cines.append(cine)
        issues += found
        if mask is None:
            continue
        found_labels, corrected = _labels(cine, mask, _scheme_of(view, scheme), every_frame=every_frame)
        if corrected:
            labels[view], frames[view] = found_labels, corrected
    return AnnotatedStudy(
        study=Study(
            name=case.name,
            cines=tuple(cines),
            subject=subject_from(case.facts),
            issues=tuple(issues),
            modality="lge" if scheme == "scar" else "cine",
        ),
        patient=case.patient,
        labels=labels,
        labelled_frames=frames,
        facts={name: value for name, value in case.facts.items() if name != "scheme"},
    )


def _scheme_of(view: View, scheme: str) -> str:
    """Return the scheme of the codes that a view's mask may hold: in the long axes of a cine, the atria too."""
    return view.cine_scheme if scheme == "cine" else scheme


def _labels(cine: Cine, mask: Path, scheme: str, *, every_frame: bool) -> tuple[LabelMap, tuple[int, ...]]:
    """Return the mask, empty in frames without a correction, and the frames that count as labelled.

    A mask without an atrium in any frame, as of a model that has none, is in the scheme "cine".
    """
    codes = {label.code: label.code for label in LABEL_SCHEMES[scheme]}
    header = stored_header(cine)
    array = read_label_codes(mask, cine.shape, codes=codes, image_header=header)
    whole = without_empty_atria(LabelMap(array=array, scheme=scheme))
    if every_frame:
        labelled = array.any(axis=(0, 1, 2))
    else:
        own = _model_mask(mask)
        if not own.exists():
            return whole, ()
        labelled = (array != read_label_codes(own, cine.shape, codes=codes)).any(axis=(0, 1, 2))
    kept = replace(whole, array=whole.array * labelled.astype(np.uint8))
    return kept, tuple(int(frame) for frame in np.flatnonzero(labelled))


def _case(folder: Path, root: Path, every_frame: bool) -> Case:
    record = _read_record(folder)
    name = "-".join(folder.relative_to(root).parts) or folder.resolve().name
    pairs = dict(_pairs(folder))
    scheme: dict[str, Fact] = {"scheme": "scar"} if record.get("modality") == "lge" else {}
    facts = {**{k: v for k, v in record.items() if k != "modality" and v is not None}, **scheme}
    labelled = every_frame or any(mask and _is_corrected(mask) for mask in _masks(folder))
    return Case(
        name=name,
        patient=name,
        folder=folder,
        facts=facts if labelled else {**facts, "part": "unlabelled"},
        files=(*pairs, *(mask for mask in pairs.values() if mask)),
        masks=pairs,
        problem=None if pairs else _no_images(folder),
    )


def _no_images(folder: Path) -> str:
    return (
        f"'{folder.name}' holds no image of its masks; expected images/sax.nii.gz: analyse the study again with"
        " --images (by default none is written of NIfTI input)"
    )


def _masks(folder: Path) -> list[Path]:
    return [path for view in View if (path := folder / "segmentation" / f"{view}.nii.gz").exists()]


def _pairs(folder: Path) -> Iterator[tuple[Path, Path | None]]:
    """Yield the image of each view with its mask, or None."""
    masks = {path.name: path for path in _masks(folder)}
    for view in View:
        image = folder / "images" / f"{view}.nii.gz"
        if image.exists():
            yield image, masks.get(image.name)


def _model_mask(mask: Path) -> Path:
    return mask.parent / "original" / mask.name


def _is_corrected(mask: Path) -> bool:
    """Return whether the file differs from the model's own mask: frames are compared when it is read."""
    own = _model_mask(mask)
    return own.exists() and own.read_bytes() != mask.read_bytes()


def _read_record(folder: Path) -> Mapping[str, Fact]:
    """Return modality and subject data of the record; raises `UnreadableFileError` for a damaged one."""
    try:
        values: Any = read_json(folder / _RECORD)
        facts: dict[str, Fact] = {"modality": values["study"]["modality"], **values["subject"]}
    except (OSError, UnreadableFileError, KeyError, TypeError) as error:
        raise UnreadableFileError(
            f"'{folder.name}/{_RECORD}' cannot be read ({type(error).__name__}); expected results of `cinema analyse`:"
            " analyse the study again"
        ) from error
    wrong = [name for name, value in facts.items() if isinstance(value, dict | list)]
    if wrong:
        raise UsageError(f"'{folder.name}/{_RECORD}' has no plain {wrong[0]}; expected a number or text")
    return facts


DATASET = Dataset(card=CARD, list_cases=list_cases, read_case=read_case)
DATASET_ALL = Dataset(
    card=CARD_ALL,
    list_cases=partial(list_cases, every_frame=True),
    read_case=partial(read_case, every_frame=True),
)
