"""Masks drawn later on cases of the Data Science Bowl: short-axis stacks and four-chamber planes as NIfTI.

```
kaggle_sax/0001_a.nii.gz, 0001_b.nii.gz         two frames of the stack, near ED and near ES; 0001_a_seg.nii.gz: 3 LV
kaggle_sax/facts.csv                            study, edv_ml, esv_ml (the official volumes), slice_locations_mm
kaggle_4c/0001_01_lax_4c.nii.gz, 0001_12_...    two frames of the four-chamber plane, with 0001_01_lax_4c_seg.nii.gz
```

Only the cavity of the left ventricle was drawn; the right ventricle and the myocardium are unknown. Every tenth case,
whose number ends in 0, is held out for validation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Fact, Issue, Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy, Case
from cinema_cmr.datasets.listing import find_rows, parse_number, volume_facts
from cinema_cmr.datasets.phase_files import read_phases
from cinema_cmr.io.walk import paths_below

__all__ = ["list_mask_cases", "read_mask_case"]

_NAME = re.compile(r"(?P<case>\d{4})_(?:(?P<phase>[ab])|(?P<frame>\d+)_lax_4c)\.nii\.gz")
_LV = {3: 3}
_DRAWN = ("lv",)
_LOCATIONS = "slice_locations_mm"


def list_mask_cases(root: Path) -> list[Case]:
    """List the cases with masks below `root`, by number; empty if there is none.

    Facts are the official volumes, `lv_edv_ml`, `lv_esv_ml` and `lv_ef_percent`, and the part of the split.
    """
    files: dict[str, list[Path]] = {}
    for path in paths_below(root, "*.nii.gz"):
        if match := _NAME.fullmatch(path.name):
            files.setdefault(match["case"], []).append(path)
    rows = {row["study"]: row for row in find_rows(root, needs=("study", "edv_ml", "esv_ml"))}
    return [
        Case(
            name=name,
            patient=name,
            folder=paths[0].parent,
            files=tuple(file for path in paths for file in (path, _mask_of(path))),
            masks={path: _mask_of(path) for path in paths},
            facts={"part": "validation" if name.endswith("0") else "train", **_facts(rows.get(name, {}))},
        )
        for name, paths in sorted(files.items())
    ]


def read_mask_case(case: Case) -> AnnotatedStudy:
    """Read the two frames of each view with the cavity of the left ventricle.

    Where the planes lie in the patient is lost, and some are mirrored: their axes are nominal.

    Raises `InputError` if a file is missing, has another code than 3, or the frames of a view have several grids.
    """
    cines: list[Cine] = []
    labels: dict[View, LabelMap] = {}
    issues: list[Issue] = []
    for view, images in _by_view(case.masks).items():
        cine, label_map, found = read_phases(
            images, [case.masks[image] for image in images], view=view, codes=_LV, name=case.name
        )
        cine = replace(cine, orientation_known=False)
        cines.append(_placed(cine, str(case.facts.get(_LOCATIONS, ""))) if view is View.SAX else cine)
        labels[view] = replace(label_map, drawn=_DRAWN)
        issues += found
    return AnnotatedStudy(
        study=Study(name=case.name, cines=tuple(cines), issues=tuple(issues)),
        patient=case.patient,
        labels=labels,
        labelled_frames={cine.view: tuple(range(cine.n_frames)) for cine in cines},
        facts={name: value for name, value in case.facts.items() if name != _LOCATIONS},
    )


def _mask_of(image: Path) -> Path:
    return image.with_name(image.name.replace(".nii.gz", "_seg.nii.gz"))


def _facts(row: Mapping[str, str]) -> dict[str, Fact]:
    volumes = volume_facts(parse_number(row.get("edv_ml")), parse_number(row.get("esv_ml")))
    return {**volumes, **({_LOCATIONS: row[_LOCATIONS]} if row.get(_LOCATIONS) else {})}


def _by_view(masks: Mapping[Path, Path | None]) -> dict[View, list[Path]]:
    found: dict[View, list[Path]] = {}
    for image in sorted(masks):
        found.setdefault(View.LAX_4C if "lax_4c" in image.name else View.SAX, []).append(image)
    return found


def _placed(cine: Cine, locations: str) -> Cine:
    """Return the stack with its slices where the table has them: whole mm cut towards zero, gaps included."""
    if not locations:
        return cine
    positions = _uncut(np.array([float(text) for text in locations.split()]))
    if len(positions) != cine.n_slices or (np.diff(positions) <= 0).any():
        raise InputError(
            f"{len(positions)} slice locations, {locations}, for a stack of {cine.n_slices} slices; expected one each,"
            " ascending: expand the data again"
        )
    return replace(cine, slice_positions_mm=positions)


def _uncut(locations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return positions from the first slice, without the millimetre that cutting takes from the gap around zero."""
    gaps = np.diff(locations)
    usual = float(np.median(gaps)) if len(gaps) else 0.0
    at_zero = (locations[:-1] <= 0) & (locations[1:] >= 0) & (gaps == usual - 1)
    whole: NDArray[np.float64] = np.concatenate([[0.0], np.cumsum(np.where(at_zero, usual, gaps))])
    return whole
