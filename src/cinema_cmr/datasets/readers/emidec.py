"""EMIDEC: late gadolinium enhancement of the left ventricle, with infarct and no-reflow labelled by experts.

```
Case_N006/Images/Case_N006.nii.gz      N: normal, P: infarct
Case_N006/Contours/Case_N006.nii.gz    0 background, 1 cavity, 2 normal myocardium, 3 infarct, 4 no-reflow
Case_N006.txt  or  "Case N006.txt"     clinical facts, one "Age : 57" per line; in the folder or beside it; optional
```
"""

from __future__ import annotations

import re
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.study import NOMINAL_SPACING, Facts, Study, Subject
from cinema_cmr.core.vocabulary import SCAR_LABELS, View
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard, Split, read_split
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.datasets.listing import index_by_name, require_path
from cinema_cmr.files.text import read_text
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.io.nifti.source import stored_header
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
    """List every `Case_N…` and `Case_P…` folder with Images under `root`, by name; the group is "normal" or "infarct".

    Raises `InputError` if there is none, or a case is present twice.
    """
    found = (path.parent for path in paths_below(root, "Images") if _CASE_NAME.fullmatch(path.parent.name))
    folders = index_by_name(((folder.name, folder) for folder in found), expected="Case_N006/Images and so on")
    return [Case(name=name, patient=name, folder=folder, facts=_facts(folder)) for name, folder in folders.items()]


def read_case(case: Case) -> AnnotatedStudy:
    """Read the stack as a study of one frame, modality "lge", with labels in the scheme "scar".

    The fact `spacing` is "nominal" if the voxel size in the header is a known placeholder, else "true". Raises
    `InputError` if image or contours are missing or have another code, `GeometryError` if they lie on different grids.
    """
    image, contours = (require_path(case.folder / part / f"{case.name}.nii.gz") for part in ("Images", "Contours"))
    cine, issues = read_nifti_cine(image, view=View.SAX)
    codes = read_label_codes(contours, cine.array.shape, codes=LABEL_CODES, image_header=stored_header(cine))
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
    """Return our split of 80 cases of the training set, used by all our runs: 64 for training, 16 for validation."""
    with as_file(files("cinema_cmr.datasets.readers") / "emidec_split.json") as path:
        return read_split(path)


DATASET = Dataset(card=CARD, list_cases=list_cases, read_case=read_case, split=packaged_split)


def _facts(folder: Path) -> dict[str, str]:
    """Return the group and the entries of the clinical file, with lower-case keys; no entries without the file."""
    match = _CASE_NAME.fullmatch(folder.name)
    facts = {"group": _GROUPS[match["kind"]]} if match else {}
    names = (f"{folder.name}.txt", f"{folder.name.replace('_', ' ')}.txt")
    path = next((p for parent in (folder, folder.parent) for n in names if (p := parent / n).is_file()), None)
    if path is None:
        return facts
    lines = read_text(path, errors="replace").splitlines()
    matches = (_LINE.fullmatch(line) for line in lines)
    return {**{m["key"].lower(): m["text"] for m in matches if m}, **facts}


def _subject(facts: Facts) -> Subject:
    """Return sex and age if the clinical file has plausible values."""
    age = str(facts.get("age", ""))
    return Subject(
        sex=_SEXES.get(str(facts.get("sex", "")).upper()),
        age_years=float(age) if age.isdecimal() and 0 < int(age) < 120 else None,
    )
