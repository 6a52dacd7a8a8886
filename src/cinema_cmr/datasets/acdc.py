"""ACDC: the Automated Cardiac Diagnosis Challenge, short-axis stacks at ED and ES with expert masks."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard, Split, read_split
from cinema_cmr.io.nifti import read_nifti_cine
from cinema_cmr.io.nifti_labels import read_label_codes

__all__ = ["CARD", "LABEL_CODES", "list_cases", "our_split", "read_case"]

CARD = DatasetCard(
    name="acdc",
    title="Automated Cardiac Diagnosis Challenge",
    licence="CC BY-NC-SA 4.0",
    citation="Bernard et al., IEEE Transactions on Medical Imaging 37(11):2514-2525, 2018, doi 10.1109/TMI.2018.2837502",
    how_to_get="Register at the challenge's site, download the database and unpack it: database/training/patientNNN/.",
    derived_licence="CC BY-NC-SA 4.0: non-commercial use, attribution, same condition",
)

LABEL_CODES = {1: 1, 2: 2, 3: 3}
"""The challenge's codes are ours: 1 right ventricle, 2 myocardium, 3 left ventricle."""

GROUPS = ("DCM", "HCM", "MINF", "NOR", "RV")


def list_cases(root: Path) -> list[Case]:
    """Every `patientNNN` folder under `root` (the download, its `database` or one part of it), by name.

    Raises `InputError` where there is none.
    """
    folders = sorted(
        {path.parent for path in Path(root).rglob("Info.cfg") if path.parent.name.startswith("patient")}
    )
    if not folders:
        raise InputError(
            f"no patientNNN/Info.cfg under '{Path(root).name}'; expected the unpacked ACDC database"
        )
    return [Case(name=f.name, patient=f.name, folder=f, facts=_facts(f / "Info.cfg")) for f in folders]


def read_case(case: Case) -> AnnotatedStudy:
    """The ED and ES stacks of a patient as a cine of two frames, ED first, with the expert's masks.

    Raises `InputError` where an image or mask is missing or the two phases lie on different grids.
    """
    stems = [f"{case.name}_frame{int(case.facts[phase]):02d}" for phase in ("ED", "ES")]
    read = [read_nifti_cine(_existing(case.folder / f"{stem}.nii.gz"), view=View.SAX) for stem in stems]
    cines = [cine for cine, _ in read]
    if cines[0].array.shape != cines[1].array.shape:
        raise InputError(
            f"{case.name}: ED has shape {cines[0].array.shape}, ES {cines[1].array.shape}; expected one grid"
        )
    masks = [
        read_label_codes(
            _existing(case.folder / f"{stem}_gt.nii.gz"), cines[0].array.shape, codes=LABEL_CODES
        )
        for stem in stems
    ]
    both = cines[0].with_array(np.concatenate([cine.array for cine in cines], axis=3))
    study = Study(name=case.name, cines=(both,), subject=_subject(case.facts), issues=read[0][1])
    labels = {View.SAX: LabelMap(array=np.concatenate(masks, axis=3))}
    frames = {View.SAX: (0, 1)}
    return AnnotatedStudy(
        study=study, patient=case.patient, labels=labels, labelled_frames=frames, facts=case.facts
    )


def our_split() -> Split:
    """The split of the 100 training patients that every run of ours uses: 80 to learn from, 20 for validation."""
    with as_file(files("cinema_cmr.datasets") / "acdc_split.json") as path:
        return read_split(path)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise InputError(f"'{path.name}' is missing; expected it beside Info.cfg: unpack the dataset again")
    return path


def _facts(path: Path) -> dict[str, Any]:
    """ED and ES (counted from 1, as in the file names), group, height and weight."""
    lines = (line.partition(":") for line in path.read_text(encoding="utf-8").splitlines() if ":" in line)
    texts = {key.strip(): value.strip() for key, _, value in lines}
    missing = {"ED", "ES", "Group"} - texts.keys()
    if missing:
        raise InputError(f"'{path.parent.name}/Info.cfg' lacks {sorted(missing)}; expected ED, ES and Group")
    numbers = {key: float(texts[key]) for key in ("Height", "Weight") if key in texts}
    return {"ED": int(texts["ED"]), "ES": int(texts["ES"]), "group": texts["Group"], **numbers}


def _subject(facts: Any) -> Subject:
    return Subject(height_cm=facts.get("Height"), weight_kg=facts.get("Weight"))
