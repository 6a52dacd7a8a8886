"""M&Ms: short-axis cines of four vendors and six centres, with masks at ED and ES."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Issue, Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard
from cinema_cmr.datasets.listing import by_name, existing, find_rows, number, whole_number
from cinema_cmr.io.nifti import read_nifti_cine
from cinema_cmr.io.nifti_labels import read_label_codes

__all__ = ["CARD", "LABEL_CODES", "list_cases", "read_case"]

CARD = DatasetCard(
    name="mnms",
    title="Multi-Centre, Multi-Vendor & Multi-Disease Cardiac Image Segmentation Challenge (M&Ms)",
    licence="as the challenge's data agreement says",
    citation="Campello et al., IEEE Transactions on Medical Imaging 40(12):3543-3554, 2021,"
    " doi 10.1109/TMI.2021.3090082",
    how_to_get="Ask for it at the challenge's site and unpack it: Training, Validation and Testing, with the table"
    " '…opendataset.csv' beside them.",
    derived_licence="as the challenge's data agreement says",
)

LABEL_CODES = {1: 3, 2: 2, 3: 1}
"""The challenge's 1 left ventricle, 2 myocardium, 3 right ventricle -> ours."""

_PARTS = {"training": "train", "validation": "validation", "testing": "test"}
_SEXES: dict[str, Literal["F", "M"]] = {"F": "F", "M": "M"}


def list_cases(root: Path) -> list[Case]:
    """Every `CODE/CODE_sa.nii.gz` under `root`, by code, with its row of the table and its official part.

    A row of the table without an image is a case too, in no part: `read_case` refuses it.
    """
    root = Path(root)
    images = ((path.name.removesuffix("_sa.nii.gz"), path.parent) for path in root.rglob("*_sa.nii.gz"))
    folders = by_name(images, expected="Training/Labeled/CODE/CODE_sa.nii.gz and so on")
    rows = {row["External code"]: row for row in find_rows(root, needs=("External code", "ED", "ES"))}
    return [
        Case(name=name, patient=name, folder=folder, facts=_facts(rows.get(name, {}), folder))
        for name, folder in sorted({**{code: root / code for code in rows}, **folders}.items())
    ]


def read_case(case: Case) -> AnnotatedStudy:
    """The whole cine with the masks of ED and ES; without any for the training cases that nobody labelled.

    Raises `InputError` where image or mask is missing, the mask is empty, or it holds another code.
    """
    cine, issues = read_nifti_cine(existing(case.folder / f"{case.name}_sa.nii.gz"), view=View.SAX)
    facts = case.facts
    subject = Subject(
        sex=_SEXES.get(facts.get("sex", "")),
        age_years=facts.get("age_years"),
        height_cm=facts.get("height_cm"),
        weight_kg=facts.get("weight_kg"),
    )
    study = Study(name=case.name, cines=(cine,), subject=subject, issues=issues)
    mask = case.folder / f"{case.name}_sa_gt.nii.gz"
    if not facts["labelled"] and not mask.exists():
        return AnnotatedStudy(study=study, patient=case.patient, facts=facts)
    labels = read_label_codes(
        existing(mask), cine.array.shape, codes=LABEL_CODES, image_header=cine.nifti_header
    )
    drawn = tuple(int(frame) for frame in np.flatnonzero(labels.any(axis=(0, 1, 2))))
    if not drawn:
        raise InputError(f"'{mask.name}' is empty; expected labels at ED and ES: unpack the dataset again")
    return AnnotatedStudy(
        study=study.with_issues(*_other_frames(facts, drawn)),
        patient=case.patient,
        labels={View.SAX: LabelMap(array=labels)},
        labelled_frames={View.SAX: drawn},
        facts=facts,
    )


def _facts(row: dict[str, str], folder: Path) -> dict[str, Any]:
    """Subject, vendor, centre and disease of a row; ED and ES are frames from 0."""
    named = {"group": "Pathology", "vendor": "Vendor", "centre": "Centre", "sex": "Sex"}
    facts: dict[str, Any] = {fact: row[column] for fact, column in named.items() if row.get(column)}
    facts |= {phase: frame for phase in ("ED", "ES") if (frame := whole_number(row.get(phase))) is not None}
    for fact, column in (("age_years", "Age"), ("height_cm", "Height"), ("weight_kg", "Weight")):
        value = number(row.get(column))
        facts |= {fact: value} if value is not None and value > 0 else {}
    folders = [part.lower() for part in folder.parts]
    parts = [_PARTS[part] for part in folders if part in _PARTS]
    return {**facts, "labelled": "unlabeled" not in folders, **({"part": parts[-1]} if parts else {})}


def _other_frames(facts: Any, drawn: tuple[int, ...]) -> tuple[Issue, ...]:
    told = sorted({facts[phase] for phase in ("ED", "ES") if phase in facts})
    if not told or told == list(drawn):
        return ()
    message = f"labels are in frames {list(drawn)}, the table says ED and ES are {told}; the labels count"
    return (Issue(code="other-frames-labelled", severity="warning", message=message),)
