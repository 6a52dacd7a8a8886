"""How long a DICOM study takes to read, by its encoding: compressed pixels go through a limited process.

    python benchmarks/dicom_reading.py [--slices 10] [--frames 25] [--size 256] [--repeats 5]

Writes a short-axis stack of noise on a smooth heart, one file a frame, in each encoding, and prints the smallest of
`repeats` times of `read_study`, in milliseconds a frame. The first read of each starts nothing that is not started.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gdcm
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from cinema_cmr import read_study

MR = "1.2.840.10008.5.1.4.1.1.4"
SYNTAXES = {
    "uncompressed": None,
    "rle": None,
    "jpeg lossless": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    "jpeg 2000": gdcm.TransferSyntax.JPEG2000Lossless,
    "jpeg ls": gdcm.TransferSyntax.JPEGLSLossless,
}


def main() -> None:
    """Write, read and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("slices", 10), ("frames", 25), ("size", 256), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        for name, syntax in SYNTAXES.items():
            study = Path(folder) / name
            write(study, name, syntax, slices=given.slices, frames=given.frames, size=given.size)
            seconds = [timed(study) for _ in range(given.repeats)]
            n = given.slices * given.frames
            print(f"{name:14s} {min(seconds) / n * 1000:6.2f} ms a frame, {min(seconds):.2f} s a study of {n} files")


def timed(study: Path) -> float:
    """Return the seconds of one reading."""
    started = time.perf_counter()
    read_study(study)
    return time.perf_counter() - started


def write(study: Path, name: str, syntax: Any, *, slices: int, frames: int, size: int) -> None:
    """Write the stack in one encoding."""
    study.mkdir()
    draw = np.random.default_rng(0)
    x, y = np.meshgrid(*[np.linspace(-1, 1, size)] * 2, indexing="ij")
    for z in range(slices):
        for t in range(frames):
            radius = 0.2 + 0.05 * np.cos(2 * np.pi * t / frames)
            smooth = 400 * (np.hypot(x, y) < radius) + 200 * np.exp(-(x**2) - y**2)
            image = header(z, t, frames, size)
            image.PixelData = (smooth + draw.normal(30, 8, smooth.shape)).clip(0).astype("<u2").tobytes()
            image["PixelData"].VR = "OW"
            path = study / f"{z:02d}-{t:02d}.dcm"
            if name == "rle":
                image.compress(RLELossless)
            image.save_as(path, enforce_file_format=True)
            if syntax is not None:
                recode(path, syntax)


def header(z: int, t: int, frames: int, size: int) -> Dataset:
    """Return an image without pixels."""
    image, meta = Dataset(), FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, MR
    image.file_meta, image.SOPClassUID, image.Modality = meta, MR, "MR"
    meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = f"1.2.3.{z + 1}.{t + 1}"
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = "1.2.9", "1.2.8", "1.2.7"
    image.SeriesNumber, image.InstanceNumber = 1, z * frames + t + 1
    image.Rows = image.Columns = size
    image.PixelSpacing, image.SliceThickness = [1.4, 1.4], 8
    image.ImageOrientationPatient = [0.7, 0.7, 0.14, -0.1, 0.29, -0.95]
    row, column = np.array([0.7, 0.7, 0.14]), np.array([-0.1, 0.29, -0.95])
    row, column = row / np.linalg.norm(row), column - (column @ row) / (row @ row) * row
    column /= np.linalg.norm(column)
    image.ImageOrientationPatient = [round(float(v), 8) for v in (*row, *column)]
    image.ImagePositionPatient = [round(float(v), 4) for v in 8 * z * np.cross(row, column)]
    image.TriggerTime, image.NominalInterval = t * 900 / frames, 900
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    return image


def recode(path: Path, syntax: Any) -> None:
    """Replace a file by itself in another encoding."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    if not reader.Read():
        raise SystemExit("the written file cannot be read")
    change.SetInput(reader.GetImage())
    if not change.Change():
        raise SystemExit("the encoding is not available")
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    if not writer.Write():
        raise SystemExit("the file cannot be written")


if __name__ == "__main__":
    main()
