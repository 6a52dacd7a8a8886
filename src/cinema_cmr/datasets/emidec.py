"""EMIDEC: late gadolinium enhancement of the left ventricle, with infarct and no-reflow drawn by experts.

```
Case_N006/Images/Case_N006.nii.gz      N: normal, P: infarct
Case_N006/Contours/Case_N006.nii.gz    0 background, 1 cavity, 2 normal myocardium, 3 infarct, 4 no-reflow
Case_N006.txt  or  "Case N006.txt"     clinical facts, "Age : 57" a line; in the folder or beside it; may be absent
```
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import NOMINAL_SPACING, Study, Subject
from cinema_cmr.core.vocabulary import SCAR_LABELS, View
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard, Split, read_split
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.io.walk import paths_below

__all__ = ["CARD", "DATASET", "LABEL_CODES", "list_cases", "packaged_split", "read_case"]

CARD = DatasetCard(
    name="emidec",
    title="EMIDEC, automatic evaluation of myocardial infarction from delayed-enhancement MRI",
    licence="CC BY-NC-SA 4.0",
    citation="Lalande et al., Data 5(4):89, 2020, doi 10.3390/data5040089",
    how_to_get="Download the training set from the challenge's site (emidec.com) and unpack it:"
    " Case_N006/Images and Case_N006/Contours, and so on.",
    derived_licence="CC BY-NC-SA 4.0: non-commercial use, attribution, same condition",
    n_cases=150,
)

LABEL_CODES = {label.code: label.code for label in SCAR_LABELS}
"""The challenge's codes are those of the scheme "scar"."""

_CASE_NAME = re.compile(r"Case_(?P<kind>[NP])(?P<number>\d+)")
_GROUPS = {"N": "normal", "P": "infarct"}
_LINE = re.compile(r"\s*(?P<key>[A-Za-z][^:]*?)\s*:\s*(?P<text>\S[^\r\n]*?)\s*")
_SEXES: dict[str, Literal["F", "M"]] = {"F": "F", "M": "M", "FEMALE": "F", "MALE": "M"}


def list_cases(root: Path) -> list[Case]:
    """Every `Case_N…` and `Case_P…` folder with Images under `root`, by name; the group is "normal" or "infarct".

    Raises `InputError` where there is none, or a case is there twice.
    """
    found = {path.parent for path in paths_below(root, "Images") if _CASE_NAME.fullmatch(path.parent.name)}
    folders = sorted(found, key=lambda folder: folder.name)
    if not folders:
        raise InputError(f"no Case_N… or Case_P… with Images under '{Path(root).name}'; expected the unpacked dataset")
    twice = sorted({a.name for a, b in pairwise(folders) if a.name == b.name})
    if twice:
        raise InputError(f"{twice[0]} is there more than once under '{Path(root).name}'; give one copy of the data")
    return [Case(name=f.name, patient=f.name, folder=f, facts=_facts(f)) for f in folders]


def read_case(case: Case) -> AnnotatedStudy:
    """The stack as a study of one frame, modality "lge", with its labels in the scheme "scar".

    The fact `spacing` is "nominal" where the header's voxel size is known to be a stand-in, else "true".
    Raises `InputError` where image or contours are missing or hold another code, `GeometryError` where they lie
    on different grids.
    """
    image, contours = (_existing(case.folder / part / f"{case.name}.nii.gz") for part in ("Images", "Contours"))
    cine, issues = read_nifti_cine(image, view=View.SAX)
    codes = read_label_codes(contours, cine.array.shape, codes=LABEL_CODES, image_header=cine.nifti_header)
    nominal = any(issue.code == NOMINAL_SPACING for issue in issues)
    study = Study(
        name=case.name,
        cines=(cine,),
        subject=_subject(case.facts),
        issues=issues,
        modality="lge",
    )
    return AnnotatedStudy(
        study=study,
        patient=case.patient,
        labels={View.SAX: LabelMap(array=codes, scheme="scar")},
        labelled_frames={View.SAX: (0,)},
        facts={**case.facts, "spacing": "nominal" if nominal else "true"},
    )


def packaged_split() -> Split:
    """The split of 80 cases of the training set for every run of ours: 64 to learn from, 16 for validation."""
    with as_file(files("cinema_cmr.datasets") / "emidec_split.json") as path:
        return read_split(path)


DATASET = Dataset(card=CARD, list_cases=list_cases, read_case=read_case, split=packaged_split)


def _existing(path: Path) -> Path:
    if not path.exists():
        where = f"{path.parent.parent.name}/{path.parent.name}"
        raise InputError(f"'{path.name}' is missing; expected it in {where}: unpack the dataset again")
    return path


def _facts(folder: Path) -> dict[str, Any]:
    """Group, and what the clinical file tells, its keys in small letters; no file, no facts."""
    match = _CASE_NAME.fullmatch(folder.name)
    facts: dict[str, Any] = {"group": _GROUPS[match["kind"]]} if match else {}
    names = (f"{folder.name}.txt", f"{folder.name.replace('_', ' ')}.txt")
    path = next((p for place in (folder, folder.parent) for n in names if (p := place / n).is_file()), None)
    if path is None:
        return facts
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    told = (_LINE.fullmatch(line) for line in lines)
    return {**{m["key"].lower(): m["text"] for m in told if m}, **facts}


def _subject(facts: Mapping[str, Any]) -> Subject:
    """Sex and age where the clinical file tells them plausibly."""
    age = str(facts.get("age", ""))
    return Subject(
        sex=_SEXES.get(str(facts.get("sex", "")).upper()),
        age_years=float(age) if age.isdecimal() and 0 < int(age) < 120 else None,
    )
