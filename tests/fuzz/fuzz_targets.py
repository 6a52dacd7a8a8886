"""What is fuzzed: readers of files from anywhere, each with valid bytes to begin with.

A target writes the bytes to a file and reads it; it returns, or raises a `CinemaError`: anything else is a defect. To
keep an input that showed one: write its bytes to `corpus/TARGET/NAME`; the fast tests replay it from then on.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel
import numpy as np
from synthetic_dicom import Heart, enhanced, new_image, save, short_axis_planes

import cinema_cmr
from cinema_cmr.core.errors import CinemaError
from cinema_cmr.data.population import open_population
from cinema_cmr.data.store import write_study
from cinema_cmr.files.text import parse_json, parse_yaml
from cinema_cmr.io.archive import ArchiveLimits, extract_archive
from cinema_cmr.io.dicom.files import read_headers
from cinema_cmr.io.dicom.study import read_dicom
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.models.cards import read_card

__all__ = ["CORPUS", "TARGETS", "Target", "run"]

CORPUS = Path(__file__).parent / "corpus"
_LIMITS = ArchiveLimits(max_members=200, max_bytes=8 << 20)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A reader under test."""

    read: Callable[[Path, bytes], None]
    """Reads these bytes, in an empty folder."""
    seeds: Callable[[], list[bytes]]
    """Returns valid inputs."""


def run(target: Target, content: bytes) -> None:
    """Read the bytes; returns for whatever the reader accepts or refuses in words."""
    with TemporaryDirectory() as folder:
        try:
            target.read(Path(folder), content)
        except CinemaError as error:
            assert str(error).isprintable() or "\n" in str(error), "an error that cannot be printed"


def _read_dicom(folder: Path, content: bytes) -> None:
    (folder / "a.dcm").write_bytes(content)
    read_headers(folder)
    read_dicom(folder)


def _read_nifti(folder: Path, content: bytes) -> None:
    (folder / "a.nii").write_bytes(content)
    read_nifti_cine(folder / "a.nii")


def _read_zip(folder: Path, content: bytes) -> None:
    (folder / "a.zip").write_bytes(content)
    with extract_archive(folder / "a.zip", limits=_LIMITS) as inner:
        assert all(path.resolve().is_relative_to(inner.resolve()) for path in inner.rglob("*"))


def _read_card(folder: Path, content: bytes) -> None:
    (folder / "card.json").write_bytes(content)
    read_card(folder)


def _read_manifest(folder: Path, content: bytes) -> None:
    (folder / "manifest.jsonl").write_bytes(content)
    open_population(folder)


def _read_store(folder: Path, content: bytes) -> None:
    (folder / "a.cine").write_bytes(content)
    (folder / "manifest.jsonl").write_bytes(b'{"name": "a", "file": "a.cine", "sha256": ""}\n')
    open_population(folder)


def _read_text(folder: Path, content: bytes) -> None:
    text = content.decode("utf-8", errors="replace")
    for parse in (parse_json, parse_yaml):
        try:
            parse(text, folder.name)
        except CinemaError:
            continue


def _dicom_seeds() -> list[bytes]:
    heart = Heart()
    single = new_image(np.arange(64, dtype=np.uint16).reshape(8, 8))
    stack = enhanced(short_axis_planes(heart, n=2), heart, n_frames=4)
    with TemporaryDirectory() as folder:
        return [save(each, Path(folder) / "a.dcm").read_bytes() for each in (single, stack)]


def _nifti_seeds() -> list[bytes]:
    waves = np.sin(np.arange(12 * 10 * 3 * 4)).reshape(12, 10, 3, 4) * 100
    kinds = (nibabel.Nifti1Image, nibabel.Nifti2Image)
    return [kind(waves.astype(np.int16), np.diag([-1.5, -1.5, 8.0, 1.0])).to_bytes() for kind in kinds]


def _zip_seeds() -> list[bytes]:
    contents = []
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", kind) as archive:
            archive.writestr("study/a.dcm", b"DICM" * 50)
            archive.writestr("study/sub/b.dcm", b"x" * 10)
        contents.append(packed.getvalue())
    return contents


def _card_seeds() -> list[bytes]:
    weights = Path(cinema_cmr.__file__).parent / "weights"
    return [path.read_bytes() for path in sorted(weights.glob("*/card.json"))]


def _store_seeds() -> list[bytes]:
    with TemporaryDirectory() as folder:
        (Path(folder) / "a.nii").write_bytes(_nifti_seeds()[0])
        study = cinema_cmr.read_study(Path(folder) / "a.nii")
        return [Path(write_study(study, Path(folder) / "a.cine").path).read_bytes()]


TARGETS: Mapping[str, Target] = {
    "dicom": Target(read=_read_dicom, seeds=_dicom_seeds),
    "nifti": Target(read=_read_nifti, seeds=_nifti_seeds),
    "zip": Target(read=_read_zip, seeds=_zip_seeds),
    "card": Target(read=_read_card, seeds=_card_seeds),
    "manifest": Target(read=_read_manifest, seeds=lambda: [b'{"name": "a", "file": "a.cine", "sha256": "0"}\n']),
    "store": Target(read=_read_store, seeds=_store_seeds),
    "text": Target(read=_read_text, seeds=lambda: [b"a: &x [1, *x]\nb: {c: 1e400}\n", b'{"a": [1, null, "x"]}']),
}
