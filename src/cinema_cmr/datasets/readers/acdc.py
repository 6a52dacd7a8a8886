"""ACDC, the Automated Cardiac Diagnosis Challenge: short-axis stacks at ED and ES with expert masks."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Fact, Facts, Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard, Split, read_split
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.datasets.listing import index_by_name, number_fact
from cinema_cmr.datasets.phase_files import read_phases
from cinema_cmr.files.text import read_text
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.walk import paths_below

__all__ = ["CARD", "DATASET", "LABEL_CODES", "list_cases", "packaged_split", "read_case", "read_cycle"]

CARD = DatasetCard(
    name="acdc",
    title="Automated Cardiac Diagnosis Challenge",
    licence="CC BY-NC-SA 4.0",
    citation="Bernard et al., IEEE Transactions on Medical Imaging 37(11):2514-2525, 2018,"
    " doi 10.1109/TMI.2018.2837502",
    how_to_get="Register at the challenge's site, download the database and unpack it: database/training/patientNNN/.",
    derived_licence="CC BY-NC-SA 4.0: non-commercial use, attribution, same condition",
    n_cases=150,
)

_CYCLE = "_4d.nii.gz"

LABEL_CODES = {1: 1, 2: 2, 3: 3}
"""The challenge's codes equal ours: 1 right ventricle, 2 myocardium, 3 left ventricle."""


def list_cases(root: Path) -> list[Case]:
    """List every `patientNNN` folder under `root` (the download, its `database` or one part of it), by name.

    Whole cycles, `patientNNN_4d.nii.gz`, may lie in the patient's folder or anywhere else below `root`. A patient with
    an incomplete `Info.cfg` is listed with the problem. Raises `InputError` if there is no patient, or
    one is present twice.
    """
    found = (path.parent for path in paths_below(root, "Info.cfg") if path.parent.name.startswith("patient"))
    folders = index_by_name(((folder.name, folder) for folder in found), expected="patientNNN/Info.cfg")
    cycles = {path.name.removesuffix(_CYCLE): path for path in paths_below(root, f"patient*{_CYCLE}")}
    return [_case(folder, cycles.get(folder.name)) for folder in folders.values()]


def read_case(case: Case) -> AnnotatedStudy:
    """Read the ED and ES stacks of a patient as a cine of two frames, ED first, with the expert masks.

    Raises `InputError` if an image or mask is missing or has a code that is not the challenge's, `GeometryError` if the
    two phases or a mask lie on different grids.
    """
    case.check()
    stems = [case.folder / f"{case.name}_frame{case.facts[phase]:02d}" for phase in ("ED", "ES")]
    cine, labels, issues = read_phases(
        [stem.with_name(f"{stem.name}.nii.gz") for stem in stems],
        [stem.with_name(f"{stem.name}_gt.nii.gz") for stem in stems],
        view=View.SAX,
        codes=LABEL_CODES,
        name=case.name,
    )
    study = Study(name=case.name, cines=(cine,), subject=_subject(case.facts), issues=issues)
    return AnnotatedStudy(
        study=study,
        patient=case.patient,
        labels={View.SAX: labels},
        labelled_frames={View.SAX: (0, 1)},
        frame_names={View.SAX: tuple(stem.name for stem in stems)},
        facts=case.facts,
    )


def read_cycle(case: Case) -> Study:
    """Read the whole cycle of a patient, without labels; ED and ES only if `patientNNN_4d.nii.gz` is missing."""
    path = next((path for path in case.files if path.name.endswith(_CYCLE)), case.folder / f"{case.name}{_CYCLE}")
    if not path.exists():
        return read_case(case).study
    cine, issues = read_nifti_cine(path, view=View.SAX)
    return Study(name=case.name, cines=(cine,), subject=_subject(case.facts), issues=issues)


def packaged_split() -> Split:
    """Return our split of the 100 training patients, used by all our runs: 80 for training, 20 for validation."""
    with as_file(files("cinema_cmr.datasets.readers") / "acdc_split.json") as path:
        return read_split(path)


DATASET = Dataset(card=CARD, list_cases=list_cases, read_case=read_case, read_cycle=read_cycle, split=packaged_split)


def _case(folder: Path, cycle: Path | None) -> Case:
    """Return a patient's case; its `files` name the whole cycle if that lies in another folder."""
    files = () if cycle is None or cycle.parent == folder else (folder, cycle)
    part = {"part": "test"} if "testing" in folder.parts else {}
    try:
        facts, problem = _facts(folder / "Info.cfg"), None
    except InputError as error:
        facts, problem = {}, str(error)
    return Case(
        name=folder.name, patient=folder.name, folder=folder, files=files, facts={**facts, **part}, problem=problem
    )


def _facts(path: Path) -> dict[str, Fact]:
    """Read ED and ES (counted from 1, as in the file names), group, height in cm and weight in kg."""
    lines = (line.partition(":") for line in read_text(path).splitlines() if ":" in line)
    texts = {key.strip(): value.strip() for key, _, value in lines}
    missing = {"ED", "ES", "Group"} - texts.keys()
    if missing:
        raise InputError(
            f"'{path.parent.name}/Info.cfg' lacks {sorted(missing)}; expected ED, ES and Group: unpack the dataset"
            " again"
        )
    facts: dict[str, Fact] = {"group": texts["Group"]}
    for key, parse in (("ED", int), ("ES", int), ("Height", float), ("Weight", float)):
        try:
            facts |= {key: parse(texts[key])} if key in texts else {}
        except ValueError as error:
            raise InputError(
                f"'{path.parent.name}/Info.cfg' has {key} '{texts[key]}'; expected a number: unpack the dataset again"
            ) from error
    return facts


def _subject(facts: Facts) -> Subject:
    return Subject(height_cm=number_fact(facts, "Height"), weight_kg=number_fact(facts, "Weight"))
