"""A cohort of phantoms on disk: images, label maps, landmarks and ground truth of each subject, and a manifest.

```
FOLDER/
  cohort.json                 settings of the cohort
  manifest.csv                one row per subject
  subject-0000/
    images/                   sax.nii.gz, lax_4c.nii.gz, ... and Info.cfg; or DICOM, in series folders
    labels/                   sax.nii.gz, ...: codes of `CINE_LABELS`, in long axes `CHAMBER_LABELS`
    landmarks.json            view -> name -> one point (RAS mm) per frame, null where it is absent
    truth.json                subject, exact values, and the curves they come from
```

Each subject depends on the seed of the cohort and its own number alone, not on the number of workers or the size of the
cohort. For research use only; not a medical device.
"""

from __future__ import annotations

import csv
import io
import multiprocessing
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cinema_cmr.core.errors import OutputExistsError, UnreadableFileError, UsageError, unknown_name
from cinema_cmr.core.safe_text import csv_row
from cinema_cmr.core.serialise import Json
from cinema_cmr.core.study import Fact
from cinema_cmr.core.vocabulary import View
from cinema_cmr.files.text import read_json
from cinema_cmr.io.atomic import write_json, write_text
from cinema_cmr.io.dicom.timing import MIN_FRAMES
from cinema_cmr.io.dicom.writing.series import Compression, DicomShape, write_dicom
from cinema_cmr.io.nifti.image import write_mask
from cinema_cmr.io.nifti.study import nifti_name, write_nifti_study
from cinema_cmr.io.output_folder import atomic_folder
from cinema_cmr.phantom.phantom import PHANTOM_VIEWS, PhantomStudy, make_phantom
from cinema_cmr.phantom.styles import find_style
from cinema_cmr.phantom.subject import GROUPS

__all__ = ["CohortConfig", "Progress", "cohort_seed", "dicom_encoding", "write_cohort"]

Progress = Callable[[int, int, str], None]
"""Called after each subject with the number done, the total and the name of the subject."""

_DICOM_BITS = 12
"""As scanners store them; quantisation is far below the noise."""
_SUBJECT_COLUMNS = ("sex", "age_years", "height_cm", "weight_kg", "heart_rate_bpm")
_COLUMNS = ("name", "group", *_SUBJECT_COLUMNS, "style", "seed", "images", "labels", "landmarks", "truth")


@dataclass(frozen=True, kw_only=True)
class CohortConfig:
    """Settings of a cohort."""

    n: int
    """Number of subjects."""
    seed: int = 0
    views: tuple[View, ...] = PHANTOM_VIEWS
    format: Literal["nifti", "dicom"] = "nifti"
    group: str | None = None
    """Disease group of all subjects; None draws one for each subject."""
    style: str | None = None
    """Scanner style of all subjects; None draws one for each subject."""
    n_frames: int = 25
    dicom_shape: DicomShape | None = None
    """DICOM layout of all subjects, uncompressed; None varies layout and compression from subject to subject."""

    def __post_init__(self) -> None:
        if self.n < 1 or self.seed < 0 or self.n_frames < 1:
            raise UsageError(
                f"cohort has {self.n} subjects, seed {self.seed} and {self.n_frames} frames; expected at least one"
                " subject, a seed of 0 or more and at least one frame"
            )
        if self.format not in ("nifti", "dicom"):
            raise unknown_name("format", self.format, ("nifti", "dicom"))
        if self.format == "dicom" and self.n_frames < MIN_FRAMES:
            raise UsageError(
                f"a cohort in DICOM of {self.n_frames} frames; expected at least {MIN_FRAMES}, as a series of fewer is"
                " not read as a cine: give more frames, or write NIfTI"
            )
        if self.group is not None and self.group not in GROUPS:
            raise unknown_name("group", self.group, GROUPS)
        if self.style is not None:
            find_style(self.style)
        if not self.views or not set(self.views) <= set(PHANTOM_VIEWS):
            raise UsageError(
                f"views are {', '.join(self.views) or 'none'}; expected one or more of {', '.join(PHANTOM_VIEWS)}"
            )

    @property
    def settings(self) -> dict[str, Json]:
        """Settings that determine a subject, ready for JSON: all but the number of subjects."""
        return {
            name: [str(view) for view in value] if name == "views" else value
            for name, value in vars(self).items()
            if name != "n"
        }


def cohort_seed(seed: int, number: int) -> int:
    """Return the phantom seed of a subject, which depends on the cohort's seed and the subject's number alone."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1, np.uint32)[0])


def dicom_encoding(config: CohortConfig, number: int) -> tuple[DicomShape, Compression]:
    """Return layout and compression of a subject's DICOM: those of the cohort, else drawn for the subject."""
    if config.dicom_shape is not None:
        return config.dicom_shape, Compression.NONE
    rng = np.random.default_rng((config.seed, number, 1))
    shape, compression = rng.integers(len(DicomShape)), rng.integers(len(Compression))
    return list(DicomShape)[int(shape)], list(Compression)[int(compression)]


def write_cohort(
    folder: Path | str,
    config: CohortConfig,
    *,
    workers: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write the subjects of a cohort and its manifest; return the path of `manifest.csv`.

    An existing subject is complete and is kept, so that an interrupted run continues and a larger `n` extends a cohort;
    `overwrite` removes all existing subjects first. Workers are processes.

    The manifest has one row for each of the `n` subjects: `name`; `group` (NOR, DCM, HCM, MINF, RV); `sex`,
    `age_years`, `height_cm`, `weight_kg`, `heart_rate_bpm`; `style` of the scanner; `seed` of the phantom;
    `images` and `labels` (folders), `landmarks` and `truth` (files), relative to the manifest; then the true
    values by their names (volumes in ml, EF in %, mass in g, lengths in mm). Unknown values are empty.

    Raises `OutputExistsError` if `folder` holds something else, or a cohort of other settings.
    """
    folder = Path(folder)
    if workers < 1:
        raise UsageError(f"{workers} workers were requested; expected at least 1")
    _prepare_folder(folder, config, overwrite=overwrite)
    missing = [k for k in range(config.n) if not (folder / _name(k)).is_dir()]
    done = config.n - len(missing)
    for k in _write_subjects(folder, config, missing, workers):
        done += 1
        if progress is not None:
            progress(done, config.n, _name(k))
    manifest = folder / "manifest.csv"
    write_text(manifest, _manifest(folder, config.n), overwrite=True)
    return manifest


def _name(number: int) -> str:
    return f"subject-{number:04d}"


def _prepare_folder(folder: Path, config: CohortConfig, *, overwrite: bool) -> None:
    """Write the settings of the cohort, or compare them with those in the folder; `overwrite` removes old subjects."""
    path = folder / "cohort.json"
    if path.exists() and not overwrite:
        existing = read_json(path)
        stored = existing if isinstance(existing, dict) else {}
        different = sorted(key for key, value in config.settings.items() if stored.get(key) != value)
        if different:
            raise OutputExistsError(
                f"'{folder.name}' holds a cohort with another {', '.join(different)}; expected the same settings:"
                " repeat them to continue, choose another folder, or pass --overwrite"
            )
        return
    if folder.exists() and not path.exists() and any(folder.iterdir()):
        raise OutputExistsError(
            f"'{folder.name}' holds other files; expected an empty folder or a cohort: choose another"
        )
    # Remove all subjects: one left over from other settings would later pass for a finished one.
    for old in folder.glob("subject-*") if path.exists() else ():
        shutil.rmtree(old)
    write_json(path, config.settings, overwrite=True)


def _write_subjects(folder: Path, config: CohortConfig, numbers: Sequence[int], workers: int) -> Iterator[int]:
    """Write the subjects with these numbers and yield each number when its subject is complete."""
    if workers == 1 or len(numbers) < 2:
        yield from (_write_subject(folder, config, k) for k in numbers)
        return
    # Spawned processes inherit no locks or threads and behave the same on every system.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(numbers)), mp_context=context) as pool:
        futures = [pool.submit(_write_subject, folder, config, k) for k in numbers]
        try:
            yield from (future.result() for future in as_completed(futures))
        finally:
            pool.shutdown(cancel_futures=True)


def _write_subject(folder: Path, config: CohortConfig, number: int) -> int:
    """Make one phantom and write it, completely or not at all; return its number."""
    phantom = make_phantom(
        cohort_seed(config.seed, number),
        group=config.group,
        style=config.style,
        views=config.views,
        n_frames=config.n_frames,
    )
    phantom = replace(phantom, study=replace(phantom.study, name=_name(number)))
    with atomic_folder(folder / _name(number), overwrite=True) as draft:
        _write_images(phantom, draft / "images", config, number)
        for view, labels in phantom.labels.items():
            write_mask(labels, phantom.study.cine(view), draft / "labels" / nifti_name(view))
        write_json(draft / "landmarks.json", _landmarks_to_json(phantom))
        write_json(draft / "truth.json", _truth_to_json(phantom))
    return number


def _write_images(phantom: PhantomStudy, folder: Path, config: CohortConfig, number: int) -> None:
    if config.format == "nifti":
        write_nifti_study(phantom.study, folder)
        return
    shape, compression = dicom_encoding(config, number)
    write_dicom(phantom.study, folder, shape=shape, compression=compression, bits=_DICOM_BITS)


def _landmarks_to_json(phantom: PhantomStudy) -> dict[str, dict[str, list[list[float] | None]]]:
    """Return view -> name -> (t,) points in RAS mm; None for a frame without the point."""
    return {
        str(view): {
            name: [point.tolist() if np.isfinite(point).all() else None for point in track]
            for name, track in landmarks.points.items()
        }
        for view, landmarks in phantom.landmarks.items()
    }


def _truth_to_json(phantom: PhantomStudy) -> dict[str, Json]:
    return {
        "name": phantom.study.name,
        "seed": phantom.seed,
        "group": phantom.group,
        "style": phantom.style,
        "subject": vars(phantom.study.subject),
        "truth": {name: _finite_or_none(value) for name, value in phantom.truth.items()},
        "curves": {name: [_finite_or_none(value) for value in curve] for name, curve in phantom.curves.items()},
    }


def _finite_or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _manifest(folder: Path, n: int) -> str:
    """Return the text of the manifest, collected from the folders of the subjects."""
    rows = [_row(folder, _name(k)) for k in range(n)]
    values = sorted({name for row in rows for name in row} - set(_COLUMNS))
    text = io.StringIO()
    writer = csv.DictWriter(text, [*_COLUMNS, *values], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(csv_row(row) for row in rows)
    return text.getvalue()


def _row(folder: Path, name: str) -> Mapping[str, Fact]:
    path = folder / name / "truth.json"
    try:
        content: Any = read_json(path)
    except (OSError, UnreadableFileError) as error:
        raise UnreadableFileError(
            f"'{name}/truth.json' cannot be read ({type(error).__name__}); expected the JSON of a subject: remove the"
            f" folder '{name}' and run again"
        ) from error
    identity = {key: content[key] for key in ("group", "style", "seed")}
    paths = {"landmarks": f"{name}/landmarks.json", "truth": f"{name}/truth.json"}
    paths |= {part: f"{name}/{part}" for part in ("images", "labels")}
    return {"name": name, **identity, **content["subject"], **paths, **content["truth"]}
