"""MyoPS 2020: late enhancement, bSSFP and T2 of one heart on one grid, with oedema and scar labelled.

```
train25/myops_training_101_{C0,DE,T2}.nii.gz     to 125; C0 is bSSFP, DE late enhancement
train25_myops_gd/myops_training_101_gd.nii.gz
test20/myops_test_201_{C0,DE,T2}.nii.gz          to 220, without labels
```
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import GeometryError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import PATHOLOGY_LABELS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.datasets.listing import index_by_name, require_path
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.io.nifti.source import stored_header
from cinema_cmr.io.walk import paths_below

__all__ = ["CARD", "DATASET", "LABEL_CODES", "SEQUENCES", "list_cases", "read_case"]

CARD = DatasetCard(
    name="myops",
    title="Myocardial Pathology Segmentation combining multi-sequence CMR, 2020 (MyoPS)",
    licence="data agreement of the challenge",
    citation="Li et al., Medical Image Analysis 87:102808, 2023, doi 10.1016/j.media.2023.102808;"
    " Zhuang, IEEE Transactions on Pattern Analysis and Machine Intelligence 41(12):2933-2946, 2019,"
    " doi 10.1109/TPAMI.2018.2869576",
    how_to_get="Register at the challenge's site (zmiclab.github.io/zxh/0/myops20) and unpack it: train25,"
    " train25_myops_gd and test20 beside each other.",
    derived_licence="data agreement of the challenge",
    n_cases=45,
)

_CODES = {label.name: label.code for label in PATHOLOGY_LABELS}
LABEL_CODES = {
    200: _CODES["myo"],
    500: _CODES["lv"],
    600: _CODES["rv"],
    1220: _CODES["edema"],
    2221: _CODES["scar"],
}
"""The challenge's codes -> those of the scheme "pathology"."""

SEQUENCES = {"DE": "LGE", "C0": "bSSFP", "T2": "T2"}
"""File name suffix -> label of the cine, in the order of the cines in a study."""

_NAME = re.compile(r"myops_[a-z]+_(?P<number>\d+)_(?P<kind>C0|DE|T2|gd)\.nii(\.gz)?")
_FIRST_OF_TEST = 201


def list_cases(root: Path) -> list[Case]:
    """List every case number with a sequence or a label map under `root`, with all its files."""
    names = ((path, _NAME.fullmatch(path.name)) for path in paths_below(root, "myops_*.nii*"))
    files = index_by_name(
        ((f"{match['number']}/{match['kind']}", path) for path, match in names if match),
        expected="train25/myops_training_101_DE.nii.gz and so on",
    )
    numbers = groupby(files, key=lambda name: name.partition("/")[0])
    return [_case(number, {name.partition("/")[2]: files[name] for name in group}) for number, group in numbers]


def read_case(case: Case) -> AnnotatedStudy:
    """Read the late enhancement as the short-axis view of the study, bSSFP and T2 as other views, each of one frame.

    Labels have the scheme "pathology" and the grid of the late enhancement; the test cases have none. Raises
    `MissingFileError` if a sequence, or the label map of a training case, is missing, `InputError` for another code,
    `GeometryError` if the three are not on one grid.
    """
    found = {_NAME.fullmatch(path.name)["kind"]: path for path in case.files}  # type: ignore[index]
    paths = {kind: require_path(found.get(kind, case.folder / f"{case.name}_{kind}.nii.gz")) for kind in SEQUENCES}
    read = {kind: read_nifti_cine(path, view=View.SAX if kind == "DE" else View.OTHER) for kind, path in paths.items()}
    cines = tuple(replace(cine, label=SEQUENCES[kind]) for kind, (cine, _) in read.items())
    _check_one_grid(case.name, cines)
    study = Study(
        name=case.name,
        cines=cines,
        issues=tuple(issue for _, issues in read.values() for issue in issues),
        modality="lge",
    )
    if case.facts["part"] == "test" and "gd" not in found:
        return AnnotatedStudy(study=study, patient=case.patient, facts=case.facts)
    mask = require_path(found.get("gd", case.folder / f"{case.name}_gd.nii.gz"))
    labels = read_label_codes(mask, cines[0].array.shape, codes=LABEL_CODES, image_header=stored_header(cines[0]))
    return AnnotatedStudy(
        study=study,
        patient=case.patient,
        labels={View.SAX: LabelMap(array=labels, scheme="pathology")},
        labelled_frames={View.SAX: (0,)},
        facts=case.facts,
    )


DATASET = Dataset(card=CARD, list_cases=list_cases, read_case=read_case)


def _case(number: str, files: Mapping[str, Path]) -> Case:
    first = next(iter(files.values()))
    part = "test" if int(number) >= _FIRST_OF_TEST else "train"
    paths = tuple(files.values())
    return Case(name=f"myops_{number}", patient=number, folder=first.parent, facts={"part": part}, files=paths)


def _check_one_grid(name: str, cines: Sequence[Cine]) -> None:
    first = cines[0]
    for cine in cines[1:]:
        same = cine.array.shape == first.array.shape
        if not same or not np.allclose(cine.spacing_mm, first.spacing_mm, rtol=0.01):
            raise GeometryError(
                f"{name}: {cine.label} has shape {cine.array.shape} and voxels of {cine.spacing_mm} mm, {first.label}"
                f" {first.array.shape} and {first.spacing_mm} mm; expected the aligned sequences of the challenge:"
                " unpack it again"
            )
