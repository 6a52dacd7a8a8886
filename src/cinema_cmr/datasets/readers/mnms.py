"""M&Ms: short-axis cines of four vendors and six centres, with masks at ED and ES.

```
OpenDataset/
  ..._Dataset_information_diagnosis_opendataset.csv   External code, Vendor, Centre, ED, ES, Age, Pathology, Sex, ...
  Training/Labeled/CODE/CODE_sa.nii.gz, CODE_sa_gt.nii.gz
  Training/Unlabeled/CODE/...      not annotated, whatever its masks contain
  Validation/CODE/...  Testing/CODE/...
```
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Fact, Facts, Issue, Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.datasets.listing import (
    find_rows,
    index_by_name,
    parse_integer,
    parse_number,
    require_path,
    subject_from,
    text_facts,
)
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.io.nifti.source import stored_header
from cinema_cmr.io.walk import paths_below

__all__ = ["CARD", "DATASET", "LABEL_CODES", "list_cases", "read_case"]

CARD = DatasetCard(
    name="mnms",
    title="Multi-Centre, Multi-Vendor & Multi-Disease Cardiac Image Segmentation Challenge (M&Ms)",
    licence="data agreement of the challenge",
    citation="Campello et al., IEEE Transactions on Medical Imaging 40(12):3543-3554, 2021,"
    " doi 10.1109/TMI.2021.3090082",
    how_to_get="Ask for it at the challenge's site (ub.edu/mnms) and unpack it: OpenDataset/ with Training,"
    " Validation, Testing and the table '…opendataset.csv'.",
    derived_licence="data agreement of the challenge",
    n_cases=345,
)

LABEL_CODES = {1: 3, 2: 2, 3: 1}
"""The challenge's 1 left ventricle, 2 myocardium, 3 right ventricle -> our codes."""

_PARTS = {"unlabeled": "unlabelled", "training": "train", "validation": "validation", "testing": "test"}
_FACTS = {"group": "Pathology", "vendor": "Vendor", "centre": "Centre", "sex": "Sex"}
_MEASURED = {"age_years": "Age", "height_cm": "Height", "weight_kg": "Weight"}


def list_cases(root: Path) -> list[Case]:
    """List every `CODE/CODE_sa.nii.gz` under `root`, by code, with its row of the table and its official part.

    A row of the table without an image is also a case, in no part.
    """
    root = Path(root)
    images = ((path.name.removesuffix("_sa.nii.gz"), path.parent) for path in paths_below(root, "*_sa.nii.gz"))
    folders = index_by_name(images, expected="Training/Labeled/CODE/CODE_sa.nii.gz and so on")
    rows = {row["External code"]: row for row in find_rows(root, needs=("External code", "ED", "ES"))}
    return [
        Case(name=name, patient=name, folder=folder, facts={**_facts(rows.get(name, {})), **_part(folder)})
        for name, folder in sorted({**{code: root / code for code in rows}, **folders}.items())
    ]


def read_case(case: Case) -> AnnotatedStudy:
    """Read the whole cine with the masks of ED and ES; without masks for the unlabelled training cases.

    Raises `InputError` if image or mask is missing, or the mask is empty or has another code.
    """
    cine, issues = read_nifti_cine(require_path(case.folder / f"{case.name}_sa.nii.gz"), view=View.SAX)
    study = Study(name=case.name, cines=(cine,), subject=subject_from(case.facts), issues=issues)
    if case.facts.get("part") == "unlabelled":
        return AnnotatedStudy(study=study, patient=case.patient, facts=case.facts)
    mask = require_path(case.folder / f"{case.name}_sa_gt.nii.gz")
    labels = read_label_codes(mask, cine.array.shape, codes=LABEL_CODES, image_header=stored_header(cine))
    labelled = tuple(int(frame) for frame in np.flatnonzero(labels.any(axis=(0, 1, 2))))
    if not labelled:
        raise InputError(f"'{mask.name}' is empty; expected labels at ED and ES: unpack the dataset again")
    return AnnotatedStudy(
        study=study.with_issues(*_other_frames(case.facts, labelled)),
        patient=case.patient,
        labels={View.SAX: LabelMap(array=labels)},
        labelled_frames={View.SAX: labelled},
        facts=case.facts,
    )


DATASET = Dataset(card=CARD, list_cases=list_cases, read_case=read_case)


def _facts(row: Mapping[str, str]) -> dict[str, Fact]:
    """Return subject, vendor, centre and disease in a row; ED and ES are frames from 0."""
    frames = {phase: parse_integer(row.get(phase)) for phase in ("ED", "ES")}
    values = {fact: parse_number(row.get(column)) for fact, column in _MEASURED.items()}
    measured = {fact: value for fact, value in values.items() if value is not None and value > 0}
    return {**text_facts(row, _FACTS), **{k: frame for k, frame in frames.items() if frame is not None}, **measured}


def _part(folder: Path) -> dict[str, str]:
    names = {part.lower() for part in folder.parts}
    return next(({"part": part} for name, part in _PARTS.items() if name in names), {})


def _other_frames(facts: Facts, labelled: tuple[int, ...]) -> tuple[Issue, ...]:
    stated = sorted({frame for phase in ("ED", "ES") if isinstance(frame := facts.get(phase), int)})
    if not stated or stated == list(labelled):
        return ()
    message = f"labels are in frames {list(labelled)}, the table has ED and ES at {stated}; the labels were used"
    return (Issue(code="other-frames-labelled", severity="warning", message=message),)
