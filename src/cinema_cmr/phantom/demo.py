"""The demo study of the package: a phantom as a zip of DICOM, and its generator.

Regenerate it with `python -c "from cinema_cmr.phantom.demo import make_demo; make_demo('demo_study.zip')"`.
For research use only; not a medical device.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.study import Study
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.atomic import write_bytes
from cinema_cmr.io.dicom.writing.series import Compression, DicomShape, write_dicom
from cinema_cmr.phantom.anatomy.heart import build_heart
from cinema_cmr.phantom.phantom import PhantomStudy, make_phantom
from cinema_cmr.phantom.subject import draw_subject
from cinema_cmr.phantom.truth import ground_truth

__all__ = ["demo_path", "demo_truth", "make_demo", "make_demo_study"]

_NAME = "demo_study.zip"
_SEED, _GROUP, _STYLE = 3, "NOR", "biobank-1.5t"
_N_FRAMES = 20
_FIELD_MM = 200.0
"""In-plane extent kept around the heart; the full field of view would be too large for a package."""
_BRIGHTEST = 127
"""Number of grey levels; one level is half the standard deviation of the noise and therefore invisible."""
_EPOCH = (2000, 1, 1, 0, 0, 0)


def demo_path() -> Path:
    """Return the path of the embedded zip, which `read_study` reads; `UsageError` if the package has no files."""
    path = files("cinema_cmr.phantom") / _NAME
    if not isinstance(path, Path):
        raise UsageError("the package is imported from an archive; expected files on disk: install it for its demo")
    return path


def demo_truth() -> dict[str, float]:
    """Return the exact measurements of the demo heart, from its anatomy, under the names of `cinema_cmr.measure`."""
    return ground_truth(build_heart(draw_subject(_SEED, group=_GROUP)))


def make_demo(path: Path | str, *, overwrite: bool = False) -> None:
    """Write the demo study to `path`: a zip of four DICOM series with one file per image.

    The bytes are reproducible on one machine; processors and libraries of another may round single pixels to the next
    grey level.
    """
    write_bytes(path, _zip_dicom(make_demo_study().study), overwrite=overwrite)


def make_demo_study() -> PhantomStudy:
    """Make the phantom of the demo, cropped to the heart and quantised, with labels and ground truth."""
    phantom = make_phantom(_SEED, group=_GROUP, style=_STYLE, n_frames=_N_FRAMES)
    scale = np.float32(_BRIGHTEST / max(float(cine.array.max()) for cine in phantom.study.cines))
    grey = [cine.with_array(np.rint(np.maximum(cine.array, 0) * scale)) for cine in phantom.study.cines]
    cropped = {cine.view: _crop(cine, phantom.labels[cine.view]) for cine in grey}
    study = replace(phantom.study, name="demo_study", cines=tuple(cine for cine, _ in cropped.values()))
    return replace(phantom, study=study, labels={view: labels for view, (_, labels) in cropped.items()})


def _crop(cine: Cine, labels: LabelMap) -> tuple[Cine, LabelMap]:
    """Crop a cine and its labels in plane around the middle of the ventricles."""
    labelled = np.nonzero(labels.in_scheme("cine").array.any(axis=(2, 3)))
    ranges = []
    for axis in (0, 1):
        size = min(round(_FIELD_MM / cine.spacing_mm[axis]), cine.array.shape[axis])
        middle = (int(labelled[axis].min()) + int(labelled[axis].max())) // 2
        first = int(np.clip(middle - size // 2, 0, cine.array.shape[axis] - size))
        ranges.append(slice(first, first + size))
    affine = cine.affine.copy()
    affine[:3, 3] += affine[:3, 0] * ranges[0].start + affine[:3, 1] * ranges[1].start
    region = (ranges[0], ranges[1])
    return replace(cine, array=cine.array[region], affine=affine), replace(labels, array=labels.array[region])


def _zip_dicom(study: Study) -> bytes:
    """Return a zip of the study's DICOM files, sorted by name and with a fixed date."""
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="cinema-") as home, zipfile.ZipFile(buffer, "w") as archive:
        folder = write_dicom(
            study,
            Path(home) / study.name,
            shape=DicomShape.SERIES_PER_VIEW,
            compression=Compression.JPEG_2000,
            bits=12,
        )
        for path in sorted(folder.rglob("*.dcm")):
            member = zipfile.ZipInfo(path.relative_to(home).as_posix(), date_time=_EPOCH)
            member.external_attr = 0o644 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, path.read_bytes(), compresslevel=9)
    return buffer.getvalue()
