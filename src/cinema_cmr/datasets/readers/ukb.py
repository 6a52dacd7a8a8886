"""UK Biobank: cardiac MRI as zips of DICOM, one of long-axis and one of short-axis images per visit; no annotations.

```
1234567_20208_2_0.zip    long axis:  participant, data field, visit, array
1234567_20209_2_0.zip    short axis
```
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Issue
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.datasets.listing import index_by_name
from cinema_cmr.io.archive import extract_archive
from cinema_cmr.io.dicom.study import read_dicom
from cinema_cmr.io.read import input_files
from cinema_cmr.io.walk import paths_below

__all__ = ["CARD", "DATASET", "list_cases", "read_case"]

CARD = DatasetCard(
    name="ukb",
    title="UK Biobank, cardiovascular magnetic resonance",
    licence="UK Biobank's material transfer agreement",
    citation="Petersen et al., Journal of Cardiovascular Magnetic Resonance 15:46, 2013, doi 10.1186/1532-429X-15-46",
    how_to_get="Apply for access at UK Biobank (ukbiobank.ac.uk) and fetch data fields 20208 (long axis) and 20209"
    " (short axis); leave the zips packed, EID_20209_2_0.zip.",
    derived_licence="UK Biobank's material transfer agreement: weights may have to be returned or approved",
)

_FIELDS = {"20208": "long-axis", "20209": "short-axis"}
_NAME = re.compile(r"(?P<eid>\d+)_(?P<field>20208|20209)_(?P<visit>\d+_\d+)\.zip")


def list_cases(root: Path) -> list[Case]:
    """List every visit with a zip under `root`; the visits of a participant are one patient's."""
    matches = ((path, _NAME.fullmatch(path.name)) for path in paths_below(root, "*_2020[89]_*.zip"))
    files = index_by_name(
        ((f"{match['eid']}_{match['visit']}/{match['field']}", path) for path, match in matches if match),
        expected="1234567_20209_2_0.zip and so on",
    )
    visits = groupby(files, key=lambda name: name.partition("/")[0])
    return [_case(visit, tuple(files[name] for name in names)) for visit, names in visits]


def read_case(case: Case) -> AnnotatedStudy:
    """Read both zips as one study, with views recognised by geometry.

    One absent or broken zip is an issue, two are an error. Raises what `io.archive.extract_archive` and `read_dicom`
    raise.
    """
    issues = [
        _issue("zip-absent", f"no zip of {title} images")
        for field, title in _FIELDS.items()
        if not _has_field(case, field)
    ]
    with ExitStack() as stack:
        files: list[Path] = []
        for archive in case.files:
            try:
                files += input_files(stack.enter_context(extract_archive(archive)))
            except InputError as error:
                issues.append(_issue("zip-broken", str(error)))
                if len(issues) == len(_FIELDS):
                    raise
        study = read_dicom(files, name=case.name)
    return AnnotatedStudy(study=study.with_issues(*issues), patient=case.patient, facts=case.facts)


DATASET = Dataset(card=CARD, list_cases=list_cases, read_case=read_case)


def _case(visit: str, files: tuple[Path, ...]) -> Case:
    eid, _, number = visit.partition("_")
    return Case(name=visit, patient=eid, folder=files[0].parent, files=files, facts={"visit": number})


def _has_field(case: Case, field: str) -> bool:
    return any(f"_{field}_" in path.name for path in case.files)


def _issue(code: str, message: str) -> Issue:
    return Issue(code=code, severity="warning", message=message)
