"""Values that stand for a patient in every text of DICOM and NIfTI files, looked for in all that each command gives.

    python benchmarks/canaries.py [--work FOLDER] [WORD ...]        only commands that have one of the words

A DICOM study has a canary in each text, UID, date and time of the standard's dictionary, in private and nested
elements, in the meta header, the preamble and the names of files and folders; a NIfTI file in each text and unused
number of its header, in an extension, in gzip's own name, and in the columns of a table beside it. Damaged and refused
variants show what errors quote. Each command runs in a fork; what it printed, each file it wrote, unpacked, and each
name is searched for canaries and their hashes. Left out are the DICOM objects of `export`, which belong to the patient
as the images do; a study is called after its own file or folder, which therefore has no canary. Writes
results/canaries.json.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib
import json
import os
import re
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch
from kills import call, make_model
from pydicom import config, dcmread
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset

from cinema_cmr.io.dicom.files import quiet_pydicom

RESULTS = Path(__file__).parent / "results" / "canaries.json"
USED = (
    *("cinema_cmr.pipeline.analyzer", "cinema_cmr.report.write", "cinema_cmr.engine.trainer", "cinema_cmr.recipes.run"),
    *("cinema_cmr.evaluation.evaluate", "cinema_cmr.interop.export", "cinema_cmr.interop.deidentify", "highdicom"),
)
"""Imported once, for every fork."""
GROUPS = (0x08, 0x10, 0x12, 0x18, 0x20, 0x28, 0x32, 0x38, 0x40, 0x54, 0x88, 0x4008)
TEXTS = {"LO": 64, "SH": 16, "ST": 64, "LT": 64, "UT": 64, "UC": 64, "AE": 16, "CS": 16, "PN": 64, "UR": 64}
"""Text types and how long a value of them may be, or is here."""
STATED = (
    *("SOPClassUID", "Modality", "ImageType", "SpecificCharacterSet", "PhotometricInterpretation", "PatientSex"),
    *("PatientAge", "TimezoneOffsetFromUTC", "ComplexImageComponent", "PhaseContrast", "AcquisitionContrast"),
    *("LossyImageCompression", "TransferSyntaxUID", "MediaStorageSOPClassUID"),
)
"""Elements whose value decides whether and how the image is read."""
DATE, BORN, TIME = "19870613", "19430829", "134657.123000"
DATES = ("19870613", "1987-06-13", "13.06.1987", "06/13/1987", "19430829", "1943-08-29", "29.08.1943", "134657")
FIELDS = {
    **{"data_type": b"ZqDTypeQz", "db_name": b"ZqDbNameQz", "descrip": b"ZqDescripQz 19430829"},
    **{"aux_file": b"ZqAuxQz", "intent_name": b"ZqIntentQz", "regular": b"Z", "extents": 19430829},
    **{"session_error": 30613, "glmax": 19870613, "glmin": 19430829, "intent_p1": 19430829.0, "toffset": 19870613.0},
}
"""Fields of a NIfTI header that any program may fill."""
CANARY = re.compile(rb"zq[0-9a-z]{2,24}?qz")
NIFTI_CANARIES = {
    f"zq{name}qz" for name in ("dtype", "dbname", "descrip", "aux", "intent", "extension", "gzip", "comment")
}


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one command gave away."""

    exit_code: int | None
    n_texts: int
    hits: list[str] = field(default_factory=list)
    """ "where: what" for each canary."""


def main() -> None:
    """Run the commands and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "cinema-canaries")
    given = parser.parse_args()
    os.nice(max(0, 10 - os.nice(0)))
    torch.set_num_threads(1)
    for module in USED:
        importlib.import_module(module)
    given.work.mkdir(parents=True, exist_ok=True)
    canaries = make_inputs(given.work)
    found: dict[str, Any] = {}
    for name, words in commands(given.work).items():
        if given.words and not any(word in name for word in given.words):
            continue
        found[name] = vars(run(words, given.work, canaries, out=given.work / "out" / name.replace(" ", "-")))
        print(name, found[name], flush=True)
    document = {"command": "python benchmarks/canaries.py", "n_canaries": len(canaries), "found": found}
    if not given.words:
        RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def make_inputs(work: Path) -> set[str]:
    """Make the studies, the data set and the models, anew; return the canaries in them, in lower case."""
    for name in ("dicom", "nifti", "lab", "masks", "out"):
        shutil.rmtree(work / name, ignore_errors=True)
    for name, kind in (("plain", "dicom"), ("cohort", "nifti")):
        if not (work / name / "manifest.csv").exists():
            words = ["phantom", "-n", "4" if kind == "nifti" else "1", "--views", "sax", "--frames", "8", "--seed", "3"]
            call([*words, "--format", kind, "-o", str(work / name)], work, check=True)
    if not (work / "tiny").exists():
        make_model(work / "tiny")
    canaries: set[str] = set()
    for variant in VARIANTS:
        canaries |= write_dicom(work / "plain" / "subject-0000" / "images", work / "dicom" / variant, variant=variant)
    canaries |= write_nifti_inputs(work)
    return canaries


def commands(work: Path) -> dict[str, Sequence[str]]:
    """Return the commands by name; `OUT` stands for the output."""
    study, image, lab = str(work / "dicom" / "plain"), str(work / "nifti" / "sax.nii.gz"), str(work / "lab")
    model = ["--model", str(work / "tiny"), "--device", "cpu"]
    few = ["--landmarks", "none", "--disease", "none"]
    tiny = ["--steps", "1", "--batch", "1", "--device", "cpu", "--preset", "smoke"]
    pretrain = ["--recipe", "tiny", "--steps", "1", "--batch", "1", "--device", "cpu"]
    masks = ["--predictions", str(work / "masks"), "--part", "all"]
    made: dict[str, Sequence[str]] = {}
    for kind, source in (("dicom", study), ("nifti", image)):
        made |= {
            f"{kind} views": ["views", source],
            f"{kind} views json": ["views", source, "--json"],
            f"{kind} views table": ["views", source, "-o", "OUT/views.csv"],
            f"{kind} analyse": ["analyse", source, *model, *few, "-o", "OUT"],
            f"{kind} analyse json": ["analyse", source, *model, *few, "--json", "-o", "OUT"],
            f"{kind} segment": ["segment", source, *model, "-o", "OUT"],
            f"{kind} prepare": ["prepare", source, "-o", "OUT"],
            f"{kind} embed": ["embed", source, "--cycle", "-o", "OUT/f.csv"],
            f"{kind} reconstruct": ["reconstruct", source, "-o", "OUT/p.png"],
        }
    made |= {
        "dicom export": ["export", str(work / "out" / "dicom-analyse"), "--study", study, "-o", "OUT/dicom"],
        "dicom deidentify": ["deidentify", study, "-o", "OUT"],
        "folder check": ["datasets", "check", f"folder:{lab}"],
        "folder nnunet": ["datasets", "export-nnunet", f"folder:{lab}", "-o", "OUT/Dataset001_lab"],
        "folder evaluate": ["evaluate", "--data", f"folder:{lab}", *masks, "-o", "OUT"],
        "folder finetune": ["finetune", "segment", "--data", f"folder:{lab}", *tiny, "-o", "OUT"],
        "folder classify": ["finetune", "classify", "--data", f"folder:{lab}", *tiny, "--target", "group", "-o", "OUT"],
        "folder prepare": ["prepare", f"folder:{lab}", "-o", "OUT"],
        "folder pretrain": ["pretrain", "--data", str(work / "out" / "folder-prepare"), *pretrain, "-o", "OUT"],
        "folder disease": ["disease", "--data", f"folder:{lab}", "--experts-only", "-o", "OUT"],
    }
    for variant in VARIANTS:
        if variant != "plain":
            made[f"{variant} views"] = ["views", str(work / "dicom" / variant)]
            made[f"{variant} deidentify"] = ["deidentify", str(work / "dicom" / variant), "-o", "OUT"]
            made[f"{variant} prepare"] = ["prepare", str(work / "dicom" / variant), "-o", "OUT"]
    made["cut nifti"] = ["views", str(work / "nifti" / "cut.nii.gz")]
    made["cut table"] = ["datasets", "check", f"folder:{work / 'lab-cut'}"]
    return made


def run(words: Sequence[str], work: Path, canaries: Iterable[str], *, out: Path) -> Found:
    """Run one command in a fork and search all that it gave."""
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    code = call([re.sub(r"^OUT", str(out), word) for word in words], work)
    texts = [("printed", (work / "said").read_bytes()), *texts_below(out)]
    return Found(exit_code=code, n_texts=len(texts), hits=search(texts, canaries))


def texts_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield names and unpacked contents of the files of a folder; those of the folder `dicom` are left out."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        yield f"name of {name}", name.encode()
        if path.is_file() and not name.startswith("dicom/"):
            yield name, path.read_bytes()
            yield from ((f"{name} unpacked", content) for content in _unpacked(path))


def _unpacked(path: Path) -> Iterator[bytes]:
    if path.read_bytes()[:2] == b"\x1f\x8b":
        yield gzip.decompress(path.read_bytes())
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())


def search(texts: Iterable[tuple[str, bytes]], canaries: Iterable[str]) -> list[str]:
    """Return "where: what" for canaries, dates and hashes of canaries in texts, whatever their case."""
    known = sorted(canaries)
    plain = [canary for canary in known if not CANARY.fullmatch(canary.encode())]
    hashed = dict(_hashes([*known, *(canary.upper() for canary in known), *DATES]))
    hits = []
    for where, content in texts:
        low = content.lower()
        what = {one.decode() for one in CANARY.findall(low)}.intersection(known)
        what |= {canary for canary in plain if canary.encode() in low}
        what |= {
            date for date in DATES if re.search(rb"(?<![0-9a-f.])" + re.escape(date.encode()) + rb"(?![0-9])", low)
        }
        what |= {
            f"hash of {hashed[one]}" for one in re.findall(r"[0-9a-f]{12}", low.decode("latin-1")) if one in hashed
        }
        hits += [f"{where}: {one}" for one in sorted(what)]
    return hits


def _hashes(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    for word in words:
        for function in (hashlib.sha256, hashlib.sha1, hashlib.md5):
            yield function(word.encode()).hexdigest()[:12], word


def canary_of(tag: int) -> str:
    """Return the canary of an element: "Zq", its tag, "Qz"."""
    return f"Zq{tag:08x}Qz"


def fill_elements(image: Dataset, number: int) -> set[str]:
    """Set every text, UID, date and time of the dictionary that an image may have; return the canaries."""
    canaries = set()
    for tag, (vrs, _, _, _, keyword) in DicomDictionary.items():
        if tag >> 16 not in GROUPS or not keyword or keyword in STATED:
            continue
        vr, canary = vrs.split(" ")[0], canary_of(tag)
        uid = f"1.2.826.{tag}.77"
        values = {"DA": DATE, "TM": TIME, "DT": DATE + TIME, "PN": f"{canary}^Vorname", "UI": uid}
        values |= {kind: canary[:length] for kind, length in TEXTS.items() if kind != "PN"}
        if vr not in values:
            continue
        value = values[vr].upper() if vr == "CS" else values[vr]
        if keyword in ("SeriesDescription", "ProtocolName"):
            value = f"cine sax {canary}"
        setattr(image, keyword, f"{uid}.{number}" if keyword == "SOPInstanceUID" else value)
        canaries |= {uid} if vr == "UI" else {canary.lower()} if vr in TEXTS else set()
    image.PatientBirthDate = BORN
    return canaries


def fill_other_places(image: Dataset) -> set[str]:
    """Set private and nested elements, the meta header and the preamble; return the canaries."""
    block = image.private_block(0x0009, "ZqCreatorQz", create=True)
    block.add_new(1, "LO", "ZqPrivateQz")
    block.add_new(2, "OB", b"ZqBytesQz ")
    image.private_block(0x0011, "ZqCreatorTwoQz", create=True).add_new(1, "PN", "ZqPrivateNameQz^A")
    for keyword, inner in (
        ("OtherPatientIDsSequence", "PatientID"),
        ("RequestAttributesSequence", "RequestingService"),
    ):
        item = Dataset()
        setattr(item, inner, "ZqNestedQz")
        setattr(image, keyword, [item])
    image.file_meta.SourceApplicationEntityTitle = "ZqMetaQz"
    image.file_meta.ImplementationVersionName = "ZqVersionQz"
    image.preamble = (b"ZqPreambleQz" * 11)[:128]
    named = ("Creator", "Private", "Bytes", "CreatorTwo", "PrivateName", "Nested", "Meta", "Version", "Preamble")
    return {f"zq{name.lower()}qz" for name in (*named, "file", "folder")}


def _two_patients(image: Dataset, number: int) -> None:
    image.PatientID = f"ZqPatient{number % 2}Qz"


def _two_days(image: Dataset, number: int) -> None:
    image.StudyDate = DATE if number % 2 else BORN


def _words_as_numbers(image: Dataset, number: int) -> None:
    for keyword in ("PixelSpacing", "ImagePositionPatient", "SliceThickness", "SeriesNumber", "NumberOfFrames"):
        tag = image.data_element(keyword).tag if keyword in image else None
        if tag is not None:
            image[tag]._value = "ZqNumberQz"


def _odd_words(image: Dataset, number: int) -> None:
    image.Modality, image.PhotometricInterpretation, image.SpecificCharacterSet = "ZqModQz", "ZqPhotoQz", "ZqCharQz"


def _nothing(image: Dataset, number: int) -> None:
    return None


VARIANTS: dict[str, Callable[[Dataset, int], None]] = {
    "plain": _nothing,
    "cut": _nothing,
    "one-cut": _nothing,
    "two-patients": _two_patients,
    "two-days": _two_days,
    "words-as-numbers": _words_as_numbers,
    "odd-words": _odd_words,
}
"""What is done to each image; files of `cut` end within their header, one of `one-cut` within its pixels."""


@contextmanager
def _unchecked_values() -> Iterator[None]:
    """Let pydicom write values that are against the standard."""
    before = config.settings.writing_validation_mode, config.settings.reading_validation_mode
    config.settings.writing_validation_mode = config.settings.reading_validation_mode = config.IGNORE
    try:
        with quiet_pydicom():
            yield
    finally:
        config.settings.writing_validation_mode, config.settings.reading_validation_mode = before


@_unchecked_values()
def write_dicom(source: Path, folder: Path, *, variant: str = "plain") -> set[str]:
    """Write the images of a study with canaries, every second pixel of them; return the canaries."""
    canaries: set[str] = set()
    for number, path in enumerate(sorted(source.rglob("*.dcm"))):
        image = dcmread(path)
        facts = {element.keyword: element.value for element in image if element.keyword in KEPT}
        series = image.SeriesInstanceUID
        pixels = np.ascontiguousarray(image.pixel_array[::2, ::2])
        canaries |= fill_elements(image, number) | fill_other_places(image)
        for keyword, value in facts.items():
            setattr(image, keyword, value)
        image.SeriesInstanceUID = f"1.2.826.55.{zlib.crc32(series.encode())}"
        image.PixelSpacing = [2 * float(mm) for mm in image.PixelSpacing]
        image.Rows, image.Columns = pixels.shape
        image.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        image.PixelData = pixels.astype("<u2").tobytes()
        image["PixelData"].VR = "OW"
        VARIANTS[variant](image, number)
        place = folder / f"ZqFolderQz Mueller {BORN}" / f"ZqFileQz-{number:04d}.dcm"
        place.parent.mkdir(parents=True, exist_ok=True)
        image.save_as(place)
        if variant == "cut" or (variant == "one-cut" and number == 3):
            place.write_bytes(place.read_bytes()[: 3000 if variant == "cut" else -700])
    return canaries | {"1.2.826.55."}


KEPT = (
    *("ImageType", "ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing", "SliceThickness", "TriggerTime"),
    *("NominalInterval", "CardiacNumberOfImages", "InstanceNumber", "SeriesNumber", "SamplesPerPixel"),
    *("PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
)


def write_nifti_inputs(work: Path) -> set[str]:
    """Write a NIfTI study and a data set of four with masks and a table, all with canaries; return these."""
    for name in ("nifti", "lab", "lab-cut", "masks"):
        (work / name).mkdir(exist_ok=True)
    for n, subject in enumerate(sorted((work / "cohort").glob("subject-*"))):
        image = nibabel.load(subject / "images" / "sax.nii.gz").slicer[::2, ::2]
        labels = nibabel.load(subject / "labels" / "sax.nii.gz").slicer[::2, ::2]
        write_nifti(image, work / "lab" / f"p{n}.nii.gz")
        for place in (work / "lab" / f"p{n}_seg.nii.gz", work / "masks" / f"p{n}.nii.gz"):
            write_nifti(labels, place)
    shutil.copy(work / "lab" / "p0.nii.gz", work / "nifti" / "sax.nii.gz")
    (work / "nifti" / "cut.nii.gz").write_bytes((work / "lab" / "p0.nii.gz").read_bytes()[:3000])
    rows = [f"p{n},{'NOR' if n % 2 else 'DCM'},ZqCellQz,{BORN},F\n" for n in range(4)]
    (work / "lab" / "facts.csv").write_text("name,group,ZqColumnQz,birthdate,sex\n" + "".join(rows))
    (work / "lab-cut" / "p0.nii.gz").write_bytes((work / "lab" / "p0.nii.gz").read_bytes()[:3000])
    (work / "lab-cut" / "facts.csv").write_text('name,group\np0,"ZqCellQz 19430829\n')
    return NIFTI_CANARIES | {"zqcellqz", "zqcolumnqz"}


def write_nifti(image: Any, path: Path) -> None:
    """Write an image with canaries in its header, in an extension and in gzip's own name and comment."""
    for name, value in FIELDS.items():
        image.header[name] = value
    extension = nibabel.nifti1.Nifti1Extension("comment", b"ZqExtensionQz 19430829")
    image.header.extensions.append(extension)
    content = image.to_bytes()
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = packer.compress(content) + packer.flush()
    head = b"\x1f\x8b\x08\x18" + struct.pack("<I", 550540800) + b"\0\3ZqGzipQz.nii\0ZqCommentQz\0"
    path.write_bytes(head + packed + struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF))


if __name__ == "__main__":
    main()
