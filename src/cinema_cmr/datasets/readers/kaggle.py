"""Kaggle's Second Annual Data Science Bowl: DICOM of whole cycles, labelled with left ventricular volumes.

Masks drawn later on some of the cases are read from NIfTI instead: `datasets.readers.kaggle_masks`.

```
train/train/1/study/{2ch_21, 4ch_22, sax_5, ...}/*.dcm    500 cases; validate/validate/ 200, test/test/ 440
train.csv, validate.csv    Id, Systole, Diastole          ml
solution.csv               Id ("701_Diastole"), Volume    ml, test part; published after the competition
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from cinema_cmr.core.study import Issue
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.datasets.listing import (
    find_rows,
    index_by_name,
    number_fact,
    parse_integer,
    parse_number,
    require_path,
    volume_facts,
)
from cinema_cmr.datasets.readers.kaggle_masks import list_mask_cases, read_mask_case
from cinema_cmr.io.read import read_study

__all__ = ["CARD", "DATASET", "list_cases", "read_case"]

CARD = DatasetCard(
    name="kaggle",
    title="Second Annual Data Science Bowl (Kaggle, 2015-2016)",
    licence="rules of the competition",
    citation="Booz Allen Hamilton and Kaggle, Second Annual Data Science Bowl: Transforming How We Diagnose Heart"
    " Disease, 2015-2016; images of the National Heart, Lung, and Blood Institute",
    how_to_get="Accept the rules of the competition 'second-annual-data-science-bowl' at Kaggle, download it and unpack"
    " the archives where they are: train/train/1/study/… with train.csv, validate.csv and solution.csv.",
    derived_licence="rules of the competition",
    n_cases=1140,
)

_PARTS = {"train": "train", "validate": "validation", "test": "test"}
_VOLUMES = {"Diastole": "lv_edv_ml", "Systole": "lv_esv_ml"}


def list_cases(root: Path) -> list[Case]:
    """List every `NUMBER/study` folder up to three levels below `root`, by number, and every row of the tables.

    A folder of stacks and planes with masks (`datasets.readers.kaggle_masks`) is listed as such. Facts are `lv_edv_ml`,
    `lv_esv_ml` and `lv_ef_percent` if the tables have them.
    """
    root = Path(root)
    if drawn := list_mask_cases(root):
        return drawn
    studies = (path for depth in ("", "*/", "*/*/") for path in root.glob(f"{depth}*/study"))
    folders = index_by_name(
        ((f"{int(path.parent.name):04d}", path) for path in studies if path.parent.name.isdecimal()),
        expected="train/train/1/study/sax_5/*.dcm and so on",
    )
    volumes = _volumes(root)
    absent = {name: root / str(int(name)) / "study" for name in volumes}
    return [
        Case(name=name, patient=name, folder=folder, facts={**_part(folder), **_facts(volumes.get(name, {}))})
        for name, folder in sorted({**absent, **folders}.items())
    ]


def read_case(case: Case) -> AnnotatedStudy:
    """Read the study as any DICOM folder, with views recognised by geometry, without label maps; or a case with masks.

    Raises `MissingFileError` if the images of a row are absent, and what `read_study` raises.
    """
    if case.masks:
        return read_mask_case(case)
    study = read_study(require_path(case.folder), name=case.name)
    edv, esv = (number_fact(case.facts, name) for name in ("lv_edv_ml", "lv_esv_ml"))
    if edv is not None and esv is not None and edv <= esv:
        message = f"the table has an end-diastolic volume of {edv:g} ml and an end-systolic volume of {esv:g} ml"
        study = study.with_issues(Issue(code="volumes-implausible", severity="warning", message=message))
    return AnnotatedStudy(study=study, patient=case.patient, facts=case.facts)


DATASET = Dataset(card=CARD, list_cases=list_cases, read_case=read_case)


def _part(folder: Path) -> dict[str, str]:
    return next(({"part": _PARTS[name]} for name in reversed(folder.parts) if name in _PARTS), {})


def _volumes(root: Path) -> dict[str, dict[str, float]]:
    """Return case -> volumes in ml by our names, from the available tables."""
    found: dict[str, dict[str, float]] = {}
    for name, column, text in _cells(root):
        value = parse_number(text)
        if name is not None and column in _VOLUMES and value is not None:
            found.setdefault(f"{name:04d}", {})[_VOLUMES[column]] = value
    return found


def _cells(root: Path) -> Iterator[tuple[int | None, str, str]]:
    for row in find_rows(root, needs=("Id", "Systole", "Diastole")):
        yield from ((parse_integer(row["Id"]), column, row[column]) for column in _VOLUMES)
    for row in find_rows(root, needs=("Id", "Volume")):
        case, _, column = row["Id"].partition("_")
        yield parse_integer(case), column, row["Volume"]


def _facts(volumes: Mapping[str, float]) -> dict[str, float]:
    return volume_facts(volumes.get("lv_edv_ml"), volumes.get("lv_esv_ml"))
