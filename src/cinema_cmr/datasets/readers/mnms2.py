"""M&Ms-2: short-axis and 4-chamber cines of three vendors, with masks at ED and ES in both views.

```
MnM2/
  dataset_information.csv                                 SUBJECT_CODE, DISEASE, VENDOR, SCANNER, FIELD
  dataset/001/001_{SA,LA}_{CINE,ED,ED_gt,ES,ES_gt}.nii.gz    to 360; by number 160, 40 and 160 cases
```
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from cinema_cmr.core.errors import MissingFileError
from cinema_cmr.core.study import Fact, Issue, Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.datasets.listing import find_rows, index_by_name, parse_integer, parse_number, text_facts
from cinema_cmr.datasets.phase_files import read_phases
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.walk import paths_below

__all__ = ["CARD", "DATASET", "LABEL_CODES", "list_cases", "read_case", "read_cycle"]

CARD = DatasetCard(
    name="mnms2",
    title="Multi-Disease, Multi-View & Multi-Center Right Ventricular Segmentation in Cardiac MRI (M&Ms-2)",
    licence="data agreement of the challenge",
    citation="Martín-Isla et al., IEEE Journal of Biomedical and Health Informatics 27(7):3302-3313, 2023,"
    " doi 10.1109/JBHI.2023.3267857",
    how_to_get="Ask for it at the challenge's site (ub.edu/mnms-2) and unpack it: MnM2/ with dataset_information.csv"
    " and dataset/001 to 360.",
    derived_licence="data agreement of the challenge",
    n_cases=360,
)

LABEL_CODES = {1: 3, 2: 2, 3: 1}
"""The challenge's 1 left ventricle, 2 myocardium, 3 right ventricle -> our codes."""

_VIEWS = {View.SAX: "SA", View.LAX_4C: "LA"}
_LAST = {"train": 160, "validation": 200, "test": 360}
"""Number of the last case of each part; the parts are consecutive."""


def list_cases(root: Path) -> list[Case]:
    """List every three-digit folder with images under `root`, and every row of the table, by number."""
    root = Path(root)
    images = (path.parent for path in paths_below(root, "[0-9][0-9][0-9]_[SL]A_*.nii.gz"))
    folders = index_by_name(
        {(folder.name, folder) for folder in images if re.fullmatch(r"\d{3}", folder.name)},
        expected="dataset/001/001_SA_ED.nii.gz and so on",
    )
    table = find_rows(root, needs=("SUBJECT_CODE", "DISEASE"))
    rows = {f"{n:03d}": row for row in table if (n := parse_integer(row["SUBJECT_CODE"])) is not None}
    parent = next(iter(folders.values())).parent
    return [
        Case(name=name, patient=name, folder=folder, facts=_facts(name, rows.get(name, {})))
        for name, folder in sorted({**{name: parent / name for name in rows}, **folders}.items())
    ]


def read_case(case: Case) -> AnnotatedStudy:
    """Read ED and ES of both views as cines of two frames, ED first, with their masks; a missing view is an issue.

    Raises `MissingFileError` if a view is incomplete or both are missing, `InputError` for another code,
    `GeometryError` if the frames or masks of a view lie on different grids.
    """
    present = {view: short for view, short in _VIEWS.items() if any(case.folder.glob(f"{case.name}_{short}_E*"))}
    _check_present(case, present)
    stems = {
        view: [case.folder / f"{case.name}_{short}_{phase}" for phase in ("ED", "ES")]
        for view, short in present.items()
    }
    read = {
        view: read_phases(
            [stem.with_name(f"{stem.name}.nii.gz") for stem in pair],
            [stem.with_name(f"{stem.name}_gt.nii.gz") for stem in pair],
            view=view,
            codes=LABEL_CODES,
            name=case.name,
        )
        for view, pair in stems.items()
    }
    issues = [*_absent_view_issues(present), *(issue for _, _, found in read.values() for issue in found)]
    return AnnotatedStudy(
        study=Study(name=case.name, cines=tuple(cine for cine, _, _ in read.values()), issues=tuple(issues)),
        patient=case.patient,
        labels={view: labels for view, (_, labels, _) in read.items()},
        labelled_frames=dict.fromkeys(read, (0, 1)),
        frame_names={view: tuple(stem.name for stem in pair) for view, pair in stems.items()},
        facts=case.facts,
    )


def read_cycle(case: Case) -> Study:
    """Read all frames of both views, without labels; raises `MissingFileError` if both are missing."""
    paths = {view: case.folder / f"{case.name}_{short}_CINE.nii.gz" for view, short in _VIEWS.items()}
    present = {view: path for view, path in paths.items() if path.exists()}
    _check_present(case, present)
    read = [read_nifti_cine(path, view=view) for view, path in present.items()]
    issues = [*_absent_view_issues(present), *(issue for _, found in read for issue in found)]
    return Study(name=case.name, cines=tuple(cine for cine, _ in read), issues=tuple(issues))


DATASET = Dataset(card=CARD, list_cases=list_cases, read_case=read_case, read_cycle=read_cycle)


def _facts(name: str, row: Mapping[str, str]) -> dict[str, Fact]:
    part = next((part for part, last in _LAST.items() if int(name) <= last), None)
    field_tesla = parse_number(row.get("FIELD", "").upper().removesuffix("T"))
    return {
        **text_facts(row, {"group": "DISEASE", "vendor": "VENDOR", "scanner": "SCANNER"}),
        **({"field_tesla": field_tesla} if field_tesla is not None else {}),
        **({"part": part} if part is not None else {}),
    }


def _check_present(case: Case, present: Mapping[View, object]) -> None:
    if not present:
        raise MissingFileError(
            f"'{case.name}' has no images; expected '{case.name}_SA_ED.nii.gz' and so on: unpack the dataset again"
        )


def _absent_view_issues(present: Mapping[View, object]) -> list[Issue]:
    missing = [view for view in _VIEWS if view not in present]
    return [
        Issue(code="view-absent", severity="warning", message=f"there are no {view.title} files") for view in missing
    ]
