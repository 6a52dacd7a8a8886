"""The demo study that comes with the package: a phantom as a zip of DICOM, and how it was made.

Made again by `python -c "from cinema_cmr.phantom.demo import make_demo; make_demo('demo_study.zip')"`.
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
from cinema_cmr.phantom.heart import build_heart
from cinema_cmr.phantom.phantom import PhantomStudy, make_phantom
from cinema_cmr.phantom.subject import draw_subject
from cinema_cmr.phantom.truth import ground_truth

__all__ = ["demo_path", "demo_truth", "make_demo", "make_demo_study"]

_NAME = "demo_study.zip"
_SEED, _GROUP, _STYLE = 3, "NOR", "biobank-1.5t"
_N_FRAMES = 20
_FIELD_MM = 200.0
"""What is kept around the heart, in plane: the whole field would not fit into a package."""
_BRIGHTEST = 127
"""So many levels are enough: one is half the noise's standard deviation, and nothing is seen of it."""
_EPOCH = (2000, 1, 1, 0, 0, 0)


def demo_path() -> Path:
    """The embedded study, a zip that `read_study` takes as it is; `UsageError` where there are no files."""
    path = files("cinema_cmr.phantom") / _NAME
    if not isinstance(path, Path):
        raise UsageError("the package is imported from an archive; install it to use its demo study")
    return path


def demo_truth() -> dict[str, float]:
    """The demo heart's measurements by their names in the measure room, from its anatomy."""
    return ground_truth(build_heart(draw_subject(_SEED, group=_GROUP)))


def make_demo(path: Path | str, *, overwrite: bool = False) -> None:
    """Write the demo study to `path`, a zip of four DICOM series, one file an image.

    The bytes are the same each time on one machine; on another, processors and libraries that round otherwise
    may move single pixels by one level.
    """
    write_bytes(path, _zipped(make_demo_study().study), overwrite=overwrite)


def make_demo_study() -> PhantomStudy:
    """The demo's phantom, cut to the heart in few grey levels, with labels on the same grid and its truth."""
    made = make_phantom(_SEED, group=_GROUP, style=_STYLE, n_frames=_N_FRAMES)
    scale = np.float32(_BRIGHTEST / max(float(cine.array.max()) for cine in made.study.cines))
    grey = [cine.with_array(np.rint(np.maximum(cine.array, 0) * scale)) for cine in made.study.cines]
    cut = {cine.view: _cut(cine, made.labels[cine.view]) for cine in grey}
    study = replace(made.study, name="demo_study", cines=tuple(cine for cine, _ in cut.values()))
    return replace(made, study=study, labels={view: labels for view, (_, labels) in cut.items()})


def _cut(cine: Cine, labels: LabelMap) -> tuple[Cine, LabelMap]:
    """Both cut in plane to the field about the middle of what is labelled."""
    where = np.nonzero(labels.array.any(axis=(2, 3)))
    ranges = []
    for axis in (0, 1):
        size = min(round(_FIELD_MM / cine.spacing_mm[axis]), cine.array.shape[axis])
        middle = (int(where[axis].min()) + int(where[axis].max())) // 2
        first = int(np.clip(middle - size // 2, 0, cine.array.shape[axis] - size))
        ranges.append(slice(first, first + size))
    affine = cine.affine.copy()
    affine[:3, 3] += affine[:3, 0] * ranges[0].start + affine[:3, 1] * ranges[1].start
    place = (ranges[0], ranges[1])
    return replace(cine, array=cine.array[place], affine=affine), replace(labels, array=labels.array[place])


def _zipped(study: Study) -> bytes:
    """A zip with the study's DICOM files in the order of their names, all of one fixed date."""
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="cinema-") as home, zipfile.ZipFile(packed, "w") as archive:
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
    return packed.getvalue()
