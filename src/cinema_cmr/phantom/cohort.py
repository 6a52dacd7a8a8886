"""Many phantoms on disk: images, label maps, landmarks and truth of each subject, and one manifest.

```
FOLDER/
  cohort.json                 what the cohort was made with
  manifest.csv                one row a subject
  subject-0000/
    images/                   sax.nii.gz, lax_4c.nii.gz, ... and Info.cfg; or DICOM, in series folders
    labels/                   sax.nii.gz, ...: codes of `core.vocabulary.CINE_LABELS`, on the images' grid
    landmarks.json            view -> name -> one point (RAS mm) a frame, null where there is none
    truth.json                who it is, the exact values, and the curves they come from
```

Each subject is a function of the cohort's seed and its own number, so that neither the number of workers nor
the size of the cohort changes it. For research use only; not a medical device.
"""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cinema_cmr.core.errors import OutputExistsError, UnreadableFileError, UsageError, unknown_name
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.atomic import write_json, write_text
from cinema_cmr.io.dicom.writing.series import Compression, DicomShape, write_dicom
from cinema_cmr.io.nifti.image import write_mask
from cinema_cmr.io.nifti.study import nifti_name, write_nifti_study
from cinema_cmr.io.output_folder import atomic_folder
from cinema_cmr.phantom.phantom import PHANTOM_VIEWS, PhantomStudy, make_phantom
from cinema_cmr.phantom.styles import find_style
from cinema_cmr.phantom.subject import GROUPS

__all__ = ["CohortConfig", "Progress", "cohort_seed", "dicom_encoding", "write_cohort"]

Progress = Callable[[int, int, str], None]
"""Told after each subject: how many are done, of how many, and the subject's name."""

_DICOM_BITS = 12
"""As scanners store them; quantisation is far below the noise."""
_SUBJECT_COLUMNS = ("sex", "age_years", "height_cm", "weight_kg", "heart_rate_bpm")
_COLUMNS = ("name", "group", *_SUBJECT_COLUMNS, "style", "seed", "images", "labels", "landmarks", "truth")


@dataclass(frozen=True, kw_only=True)
class CohortConfig:
    """What a cohort consists of."""

    n: int
    """Number of subjects."""
    seed: int = 0
    views: tuple[View, ...] = PHANTOM_VIEWS
    format: Literal["nifti", "dicom"] = "nifti"
    group: str | None = None
    """One group for all; None draws a group for each subject."""
    style: str | None = None
    """One scanner style for all; None draws one for each subject."""
    n_frames: int = 25
    dicom_shape: DicomShape | None = None
    """One shape of DICOM for all, unpacked; None lets shape and packing vary from subject to subject."""

    def __post_init__(self) -> None:
        if self.n < 1 or self.seed < 0 or self.n_frames < 1:
            raise UsageError(
                f"cohort of {self.n} subjects with seed {self.seed} and {self.n_frames} frames; expected at"
                " least one subject, a seed from 0 and at least one frame"
            )
        if self.format not in ("nifti", "dicom"):
            raise unknown_name("format", self.format, ("nifti", "dicom"))
        if self.group is not None and self.group not in GROUPS:
            raise unknown_name("group", self.group, GROUPS)
        if self.style is not None:
            find_style(self.style)
        if not self.views or not set(self.views) <= set(PHANTOM_VIEWS):
            raise UsageError(f"views {', '.join(self.views) or 'none'}; known: {', '.join(PHANTOM_VIEWS)}")

    @property
    def made_with(self) -> dict[str, Any]:
        """All that shapes a subject, plain: everything but the number of subjects."""
        return {
            name: [str(view) for view in value] if name == "views" else value
            for name, value in vars(self).items()
            if name != "n"
        }


def cohort_seed(seed: int, number: int) -> int:
    """The phantom seed of a subject: a function of the cohort's seed and the subject's number alone."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1, np.uint32)[0])


def dicom_encoding(config: CohortConfig, number: int) -> tuple[DicomShape, Compression]:
    """Shape and packing of a subject's DICOM: as the cohort has it, else drawn for the subject."""
    if config.dicom_shape is not None:
        return config.dicom_shape, Compression.NONE
    rng = np.random.default_rng((config.seed, number, 1))
    shape, packing = rng.integers(len(DicomShape)), rng.integers(len(Compression))
    return list(DicomShape)[int(shape)], list(Compression)[int(packing)]


def write_cohort(
    folder: Path | str,
    config: CohortConfig,
    *,
    workers: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write the subjects of a cohort and its manifest; returns the path of `manifest.csv`.

    A subject that is there is complete and is kept, so that a run that was cut off goes on, and a larger `n`
    adds to a cohort; with `overwrite` all subjects there are removed first. Workers are processes.

    The manifest has one row for each of the `n` subjects: `name`; `group` (NOR, DCM, HCM, MINF, RV); `sex`,
    `age_years`, `height_cm`, `weight_kg`, `heart_rate_bpm`; `style` of the scanner; `seed` of the phantom;
    `images` and `labels` (folders), `landmarks` and `truth` (files), relative to the manifest; then the true
    values by their names (volumes in ml, EF in %, mass in g, lengths in mm). Unknown values are empty.

    Raises `OutputExistsError` where `folder` holds something else, or a cohort made with other settings.
    """
    folder = Path(folder)
    if workers < 1:
        raise UsageError(f"{workers} workers; expected at least 1")
    _claim(folder, config, overwrite=overwrite)
    missing = [k for k in range(config.n) if not (folder / _name(k)).is_dir()]
    done = config.n - len(missing)
    for k in _written(folder, config, missing, workers):
        done += 1
        if progress is not None:
            progress(done, config.n, _name(k))
    manifest = folder / "manifest.csv"
    write_text(manifest, _manifest(folder, config.n), overwrite=True)
    return manifest


def _name(number: int) -> str:
    return f"subject-{number:04d}"


def _claim(folder: Path, config: CohortConfig, *, overwrite: bool) -> None:
    """Write what the cohort is made with, or check that what is there was made so; `overwrite` clears it."""
    path = folder / "cohort.json"
    if path.exists() and not overwrite:
        before = json.loads(path.read_text(encoding="utf-8"))
        other = sorted(key for key, value in config.made_with.items() if before.get(key) != value)
        if other:
            raise OutputExistsError(
                f"'{folder.name}' holds a cohort made with another {', '.join(other)}; give another folder,"
                " the same settings to go on with it, or --overwrite"
            )
        return
    if folder.exists() and not path.exists() and any(folder.iterdir()):
        raise OutputExistsError(f"'{folder.name}' holds something else than a cohort; give another folder")
    # All of them: one left over from other settings would later be taken for a finished one.
    for old in folder.glob("subject-*") if path.exists() else ():
        shutil.rmtree(old)
    write_json(path, config.made_with, overwrite=True)


def _written(folder: Path, config: CohortConfig, numbers: Sequence[int], workers: int) -> Iterator[int]:
    """Write the subjects with these numbers, yielding each when it is there."""
    if workers == 1 or len(numbers) < 2:
        yield from (_write_subject(folder, config, k) for k in numbers)
        return
    # Spawned processes inherit no locks and threads, and are the same on every system.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(numbers)), mp_context=context) as pool:
        jobs = [pool.submit(_write_subject, folder, config, k) for k in numbers]
        try:
            yield from (job.result() for job in as_completed(jobs))
        finally:
            pool.shutdown(cancel_futures=True)


def _write_subject(folder: Path, config: CohortConfig, number: int) -> int:
    """Make one phantom and write all of it, whole or not at all; returns its number."""
    made = make_phantom(
        cohort_seed(config.seed, number),
        group=config.group,
        style=config.style,
        views=config.views,
        n_frames=config.n_frames,
    )
    made = replace(made, study=replace(made.study, name=_name(number)))
    with atomic_folder(folder / _name(number), overwrite=True) as draft:
        _write_images(made, draft / "images", config, number)
        for view, labels in made.labels.items():
            write_mask(labels, made.study.cine(view), draft / "labels" / nifti_name(view))
        write_json(draft / "landmarks.json", _plain_landmarks(made))
        write_json(draft / "truth.json", _plain_truth(made))
    return number


def _write_images(made: PhantomStudy, folder: Path, config: CohortConfig, number: int) -> None:
    if config.format == "nifti":
        write_nifti_study(made.study, folder)
        return
    shape, compression = dicom_encoding(config, number)
    write_dicom(made.study, folder, shape=shape, compression=compression, bits=_DICOM_BITS)


def _plain_landmarks(made: PhantomStudy) -> dict[str, dict[str, list[list[float] | None]]]:
    """View -> name -> (t,) points, RAS mm; None for a frame without the point."""
    return {
        str(view): {
            name: [point.tolist() if np.isfinite(point).all() else None for point in track]
            for name, track in landmarks.points.items()
        }
        for view, landmarks in made.landmarks.items()
    }


def _plain_truth(made: PhantomStudy) -> dict[str, Any]:
    return {
        "name": made.study.name,
        "seed": made.seed,
        "group": made.group,
        "style": made.style,
        "subject": vars(made.study.subject),
        "truth": {name: _known(value) for name, value in made.truth.items()},
        "curves": {name: [_known(value) for value in curve] for name, curve in made.curves.items()},
    }


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _manifest(folder: Path, n: int) -> str:
    """The manifest's text, from what stands in the subjects' folders."""
    rows = [_row(folder, _name(k)) for k in range(n)]
    values = sorted({name for row in rows for name in row} - set(_COLUMNS))
    text = io.StringIO()
    writer = csv.DictWriter(text, [*_COLUMNS, *values], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(folder: Path, name: str) -> Mapping[str, Any]:
    path = folder / name / "truth.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableFileError(
            f"'{name}/truth.json' cannot be read ({error}); remove the folder '{name}' and run again"
        ) from error
    own = {key: content[key] for key in ("group", "style", "seed")}
    places = {"landmarks": f"{name}/landmarks.json", "truth": f"{name}/truth.json"}
    places |= {part: f"{name}/{part}" for part in ("images", "labels")}
    return {"name": name, **own, **content["subject"], **places, **content["truth"]}
