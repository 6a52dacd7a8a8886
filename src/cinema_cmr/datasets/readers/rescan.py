"""Rescan: two scans of each patient a short time apart, from five UK centres, after conversion of its pickles.

```
train/A/s_0000/{SAX, SAX_segs, 2C, 4C}.pickle       one scan; label maps of all frames, made by a program
test/scan_00_{A,B}/...                              the two scans of a patient, likewise
test_retest_100/1027/{SAX, 2C, 4C}.pickle           without label maps
test_retest_100/labels.csv                          A, B1, B2: folders; EDV_A, ESV_A, EDV_B1, ... ml
```

`cinema datasets convert rescan:ROOT -o OUT` writes the same tree with `sax.nii.gz`, `sax_segs.nii.gz`, `lax_2c.nii.gz`
and `lax_4c.nii.gz` instead of the pickles (`datasets.rescan_convert`); only the converted tree is read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Fact, Facts, Issue, Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.datasets.listing import (
    find_rows,
    index_by_name,
    parse_integer,
    parse_number,
    require_path,
    volume_facts,
)
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.io.nifti.source import stored_header
from cinema_cmr.io.walk import paths_below

__all__ = ["CARD", "DATASET", "LABEL_CODES", "VIEW_FILES", "list_cases", "read_case"]

CARD = DatasetCard(
    name="rescan",
    title="Scan-rescan of five centres (Rescan)",
    licence="agreement with its owners",
    citation="Bhuva et al., Circulation: Cardiovascular Imaging 12(10):e009214, 2019,"
    " doi 10.1161/CIRCIMAGING.119.009214",
    how_to_get="Ask the authors (University College London); then `cinema datasets convert rescan:ROOT -o OUT` turns"
    " its pickles into NIfTI, and `rescan:OUT` is the dataset.",
    derived_licence="agreement with the owners of the images",
)

LABEL_CODES = {1: 3, 2: 2, 3: 1}
"""The dataset's 1 left ventricle, 2 myocardium, 3 right ventricle -> our codes."""

VIEW_FILES = {View.SAX: "SAX", View.LAX_2C: "2C", View.LAX_4C: "4C"}
"""Stem of each view's pickle; a converted file is named by its view."""

_PARTS = {"train": "train", "test": "test", "test_retest_100": "retest"}
_NOT_CONVERTED = "its images are pickles; expected NIfTI: run cinema datasets convert rescan:ROOT -o OUT first"


def list_cases(root: Path) -> list[Case]:
    """List every scan folder under `root`, and the scans of `labels.csv` without a folder.

    A patient is a pair of scans. Facts: `scan` ("A", "B", ...), `lv_edv_ml`, `lv_esv_ml` and `lv_ef_percent` if the
    table has them, `centre` of the unpaired scans.
    """
    root = Path(root)
    files = [*paths_below(root, "*.nii.gz"), *paths_below(root, "*.pickle")]
    stems = {*VIEW_FILES.values(), *(str(view) for view in VIEW_FILES)}
    found = {path.parent for path in files if path.name.removesuffix(".nii.gz").removesuffix(".pickle") in stems}
    pairs = _pairs(root)
    named_folders = {("retest-" + folder.name if folder.name in pairs else _name(folder), folder) for folder in found}
    folders = index_by_name(named_folders, expected="test/scan_00_A/sax.nii.gz and so on")
    unlisted = {f"retest-{name}": root / "test_retest_100" / name for name in pairs}
    return [_case(name, folder, pairs) for name, folder in sorted({**unlisted, **folders}.items())]


def read_case(case: Case) -> AnnotatedStudy:
    """Read the whole cycle of all available views, with the short-axis label maps if available.

    Raises `InputError` for a case that is not converted yet and for another code, `MissingFileError` without a short
    axis, or for a case of "train" or "test" without a label map.
    """
    case.check()
    require_path(case.folder / "sax.nii.gz")
    paths = {view: case.folder / f"{view}.nii.gz" for view in VIEW_FILES}
    read = {view: read_nifti_cine(path, view=view) for view, path in paths.items() if path.exists()}
    issues = [issue for _, found in read.values() for issue in found]
    issues += [
        Issue(code="view-absent", severity="warning", message=f"no {v.title} file") for v in paths if v not in read
    ]
    study = Study(name=case.name, cines=tuple(cine for cine, _ in read.values()), issues=tuple(issues))
    mask = case.folder / "sax_segs.nii.gz"
    if case.facts.get("part") == "retest" and not mask.exists():
        return AnnotatedStudy(study=study, patient=case.patient, facts=case.facts)
    labels = _labels(require_path(mask), study.cine(View.SAX))
    return AnnotatedStudy(
        study=study,
        patient=case.patient,
        labels={View.SAX: labels},
        labelled_frames={View.SAX: tuple(np.flatnonzero(labels.array.any(axis=(0, 1, 2))).tolist())},
        facts={**case.facts, "drawn_by": "a program"},
    )


DATASET = Dataset(card=CARD, list_cases=list_cases, read_case=read_case)


def _case(name: str, folder: Path, pairs: Mapping[str, Facts]) -> Case:
    part = next((_PARTS[one] for one in reversed(folder.parts) if one in _PARTS), None)
    facts: dict[str, Fact] = {"part": part} if part is not None else {}
    patient = name
    if folder.name in pairs:
        facts |= {"part": "retest", **pairs[folder.name]}
        patient = str(facts.pop("pair"))
    elif part == "train":
        facts["centre"] = folder.parent.name
    elif part == "test":
        patient, _, facts["scan"] = name.rpartition("_")
    pickled = any(folder.glob("*.pickle")) and not any(folder.glob("*.nii.gz"))
    return Case(name=name, patient=patient, folder=folder, facts=facts, problem=_NOT_CONVERTED if pickled else None)


def _name(folder: Path) -> str:
    """Return `train-A-s_0000`, `test-scan_00_A`: the path from the part on."""
    parts = folder.parts
    first = max((index for index, one in enumerate(parts) if one in _PARTS), default=len(parts) - 1)
    return "-".join(parts[first:])


def _pairs(root: Path) -> dict[str, dict[str, Fact]]:
    """Return folder -> its pair, scan and volumes, from the table of pairs."""
    found: dict[str, dict[str, Fact]] = {}
    for index, row in enumerate(find_rows(root, needs=("A", "B1", "EDV_A", "ESV_A"))):
        for scan in ("A", "B1", "B2"):
            folder = parse_integer(row.get(scan))
            if folder is not None:
                found[str(folder)] = {"pair": f"pair_{index:03d}", "scan": scan, **_volumes(row, scan)}
    return found


def _volumes(row: Mapping[str, str], scan: str) -> dict[str, float]:
    edv, esv = (parse_number(row.get(f"{what}_{scan}")) for what in ("EDV", "ESV"))
    return volume_facts(edv, esv)


def _labels(mask: Path, cine: Cine) -> LabelMap:
    labels = read_label_codes(mask, cine.array.shape, codes=LABEL_CODES, image_header=stored_header(cine))
    if not labels.any():
        raise InputError(f"'{mask.name}' is empty; expected label maps: convert the dataset again")
    return LabelMap(array=labels)
