"""Masks that another program made, and our data in the form that nnU-Net takes: files by name, one frame a volume.

nnU-Net's raw format (version 2) is described in its documentation, `dataset_format.md`: `imagesTr/CASE_0000.nii.gz`,
`labelsTr/CASE.nii.gz`, `imagesTs`, `dataset.json`; its splits are a list of {"train": [...], "val": [...]}.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.io.atomic import write_text
from cinema_cmr.io.folder import results_folder
from cinema_cmr.io.nifti import write_cine, write_mask
from cinema_cmr.io.nifti_labels import read_label_codes

__all__ = ["frame_name", "prediction_files", "predictions_reader", "with_predictions", "write_nnunet"]

_NNUNET_FOLDER = re.compile(r"Dataset\d{3}_\w+")
_MODALITY = {"cine": "cine MRI", "lge": "late gadolinium enhancement"}


def frame_name(study: str, frame: int) -> str:
    """A frame's name in nnU-Net's folders.

    >>> frame_name("patient001", 0)
    'patient001_frame00'
    """
    return f"{study}_frame{frame:02d}"


def write_nnunet(
    parts: Sequence[tuple[str, Iterable[AnnotatedStudy]]], folder: Path, *, title: str, overwrite: bool = False
) -> int:
    """Write labelled short-axis frames into `folder` (DatasetNNN_NAME); returns how many volumes there are.

    `parts`: ("train" or "validation", its studies), both for training by nnU-Net, with `splits_final.json` for its
    preprocessed folder; ("test", ...) goes to `imagesTs`. Codes are those of our vocabulary. Raises `UsageError` for
    a folder that nnU-Net would not know, `InputError` where nothing is labelled or the schemes differ.
    """
    if not _NNUNET_FOLDER.fullmatch(folder.name):
        raise UsageError(f"'{folder.name}' is no name for nnU-Net; expected DatasetNNN_NAME, such as Dataset501_Cine")
    names: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    schemes: set[tuple[str, str]] = set()
    with results_folder(folder, last="dataset.json", overwrite=overwrite) as draft:
        for part, studies in parts:
            for study in studies:
                names[part] += _write_frames(study, draft, "Ts" if part == "test" else "Tr")
                schemes.add((study.labels[View.SAX].scheme, study.study.modality))
        n_learned = len(names["train"]) + len(names["validation"])
        if not n_learned or len(schemes) != 1:
            raise InputError(
                f"{n_learned} labelled frames to learn from, of {len(schemes)} schemes of labels; expected some, of one"
            )
        ((scheme, modality),) = schemes
        split = [{"train": sorted(names["train"]), "val": sorted(names["validation"])}]
        write_text(draft / "splits_final.json", json.dumps(split, indent=1) + "\n")
        write_text(draft / "dataset.json", _dataset_json(title, scheme, modality, n_learned))
    return n_learned + len(names["test"])


def _write_frames(study: AnnotatedStudy, folder: Path, part: str) -> list[str]:
    cine, labels = study.study.cine(View.SAX), study.labels[View.SAX].array
    written = []
    for frame in study.labelled_frames[View.SAX]:
        name, one = frame_name(study.study.name, frame), _frame_of(cine, frame)
        write_cine(one, folder / f"images{part}" / f"{name}_0000.nii.gz")
        write_mask(labels[..., [frame]], one, folder / f"labels{part}" / f"{name}.nii.gz")
        written.append(name)
    return written


def _frame_of(cine: Cine, frame: int) -> Cine:
    """One frame as a volume of three axes."""
    shape = cine.array.shape[:3]
    alone = replace(cine, array=cine.array[..., [frame]], frame_times_ms=None, rr_interval_ms=None)
    return alone if alone.nifti_shape is None else replace(alone, nifti_shape=shape)


def _dataset_json(title: str, scheme: str, modality: str, n_training: int) -> str:
    content = {
        "name": title,
        "channel_names": {"0": _MODALITY[modality]},
        "labels": {"background": 0, **{label.name: label.code for label in LABEL_SCHEMES[scheme]}},
        "numTraining": n_training,
        "file_ending": ".nii.gz",
    }
    return json.dumps(content, indent=1) + "\n"


def prediction_files(study: AnnotatedStudy, folder: Path) -> list[Path]:
    """The files of a study's masks in `folder`: one a labelled frame, or one for all; empty where they are not there.

    Looked for: STUDY_frameNN.nii.gz for each labelled frame (as nnU-Net writes them), else STUDY.nii.gz or
    STUDY_seg.nii.gz; each also as .nii.
    """
    name, frames = study.study.name, study.labelled_frames[View.SAX]
    by_frame = [_first_of(folder, frame_name(name, frame)) for frame in frames]
    if all(path is not None for path in by_frame):
        return [path for path in by_frame if path is not None]
    whole = _first_of(folder, name) or _first_of(folder, f"{name}_seg")
    return [] if whole is None else [whole]


def _first_of(folder: Path, stem: str) -> Path | None:
    return next((path for end in (".nii.gz", ".nii") if (path := folder / f"{stem}{end}").is_file()), None)


def with_predictions(
    studies: Sequence[AnnotatedStudy], folder: Path
) -> tuple[list[AnnotatedStudy], list[AnnotatedStudy]]:
    """Studies that have masks in `folder`, and those that have none.

    Raises `InputError` where there is no such folder, or no mask of any study in it.
    """
    if not folder.is_dir():
        raise InputError(f"'{folder.name}' is no folder; expected one with a mask for each study")
    there = [study for study in studies if prediction_files(study, folder)]
    if not there:
        example = studies[0].study.name if studies else "STUDY"
        raise InputError(
            f"'{folder.name}' has no mask of any of {len(studies)} studies; expected {example}.nii.gz,"
            f" {example}_seg.nii.gz or {frame_name(example, 0)}.nii.gz and so on"
        )
    return there, [study for study in studies if study not in there]


def predictions_reader(folder: Path) -> Callable[[AnnotatedStudy], NDArray[np.uint8]]:
    """A function that reads the codes (x, y, z, t) of a study's labelled frames from `folder`.

    It raises `GeometryError` for another grid than the image's, `InputError` for codes that are not of the experts'
    scheme.
    """

    def read(study: AnnotatedStudy) -> NDArray[np.uint8]:
        cine, frames = study.study.cine(View.SAX), study.labelled_frames[View.SAX]
        codes = {label.code: label.code for label in LABEL_SCHEMES[study.labels[View.SAX].scheme]}
        files = prediction_files(study, folder)
        volume = (*cine.array.shape[:3], 1)
        if len(files) == len(frames) and (len(frames) > 1 or cine.n_frames == 1 or _is_of_frame(files[0])):
            parts = [read_label_codes(path, volume, codes=codes, image_header=cine.nifti_header) for path in files]
            return np.concatenate(parts, axis=3)
        whole = read_label_codes(files[0], cine.array.shape, codes=codes, image_header=cine.nifti_header)
        return np.ascontiguousarray(whole[..., list(frames)])

    return read


def _is_of_frame(path: Path) -> bool:
    return re.search(r"_frame\d\d\.nii", path.name) is not None
