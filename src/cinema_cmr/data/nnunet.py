"""Labelled studies in the raw format of nnU-Net (version 2), so that it can be trained on exactly the same split.

One volume per labelled short-axis frame, named by `data.frame_names`:

```
DatasetNNN_NAME/
  dataset.json                channels, labels, number of training volumes, file ending
  imagesTr/FRAME_0000.nii.gz  parts "train" and "validation"; _0001 and so on for a study with aligned sequences
  labelsTr/FRAME.nii.gz       our codes
  imagesTs/FRAME_0000.nii.gz  part "test"
  splits_final.json           one fold: our "train" and "validation"; to be copied to nnUNet_preprocessed
  split.json                  the same by patient, for `cinema evaluate --split`
```

The format: Isensee et al., Nature Methods 18:203-211, 2021, and the documentation of its code, "dataset format".
Headers are rebuilt from the geometry that we read, since some files have incomplete headers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.serialise import Json
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy, DatasetCard, Split, write_split
from cinema_cmr.data.frame_names import frame_names, safe_file_name
from cinema_cmr.io.atomic import write_json
from cinema_cmr.io.nifti.image import write_cine, write_mask
from cinema_cmr.io.output_folder import atomic_folder

__all__ = ["NnunetExport", "write_nnunet"]

_FOLDER_NAME = re.compile(r"Dataset\d{3}_\w+")
_PARTS = ("train", "validation", "test")


@dataclass(kw_only=True)
class NnunetExport:
    """Result of an export."""

    volumes: dict[str, list[str]] = field(default_factory=lambda: {part: [] for part in _PARTS})
    """Part -> names of its frames."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Study -> reason that it was not exported."""
    scheme: str | None = None
    channels: tuple[str, ...] = ()


def write_nnunet(
    folder: Path | str,
    studies: Iterable[AnnotatedStudy],
    *,
    card: DatasetCard,
    split: Split,
    overwrite: bool = False,
    report: Callable[[str], None] | None = None,
) -> NnunetExport:
    """Write the studies in the parts of the split to `folder`, atomically; `report` is called with each study's name.

    A study is skipped, with the reason in the result, if its short axis has no labels, if only some structures were
    labelled (nnU-Net would learn that the others are absent), or if it is in no part. Raises `UsageError` for a folder
    name that nnU-Net does not recognise, `InputError` if there is nothing to train on or if studies differ in labels or
    channels.
    """
    folder = Path(folder)
    if not _FOLDER_NAME.fullmatch(folder.name):
        raise UsageError(
            f"folder '{folder.name}'; expected DatasetNNN_NAME, as nnU-Net requires: use Dataset501_{card.name}"
        )
    parts = {patient: part for part, patients in split.parts.items() for patient in patients}
    export = NnunetExport()
    with atomic_folder(folder, overwrite=overwrite) as draft:
        for annotated in studies:
            part = parts.get(annotated.patient, "")
            reason = _exclusion_reason(annotated, part)
            if reason is None:
                _write_study(draft, annotated, part, export)
            else:
                export.skipped[annotated.study.name] = reason
            if report is not None:
                report(annotated.study.name)
        _write_descriptions(draft, export, card=card, split=split, name=folder.name.partition("_")[2])
    return export


def _exclusion_reason(annotated: AnnotatedStudy, part: str) -> str | None:
    if part not in _PARTS:
        return f"in part '{part}' of the split" if part else "in no part of the split"
    if not annotated.labelled_frames.get(View.SAX):
        return "its short axis has no labels"
    if not annotated.labels[View.SAX].is_complete:
        drawn = annotated.labels[View.SAX].drawn
        return f"only {', '.join(drawn)} was drawn" if drawn else "some of its slices were not drawn"
    return None


def _write_study(draft: Path, annotated: AnnotatedStudy, part: str, export: NnunetExport) -> None:
    name, labels = annotated.study.name, annotated.labels[View.SAX]
    channels = _channels(annotated)
    _check_consistent(name, export, labels.scheme, tuple(channels))
    export.scheme, export.channels = labels.scheme, tuple(channels)
    ending = "Ts" if part == "test" else "Tr"
    for frame, frame_name in zip(annotated.labelled_frames[View.SAX], frame_names(annotated), strict=True):
        stem = safe_file_name(frame_name)
        if any(stem in names for names in export.volumes.values()):
            raise InputError(
                f"two frames have the name '{stem}', one of them of '{name}'; expected unique names: rename one of the"
                " studies"
            )
        for number, cine in enumerate(channels.values()):
            write_cine(cine.select(frames=frame), draft / f"images{ending}" / f"{stem}_{number:04d}.nii.gz")
        first = annotated.study.cine(View.SAX).select(frames=frame)
        write_mask(labels.select([frame]), first, draft / f"labels{ending}" / f"{stem}.nii.gz")
        export.volumes[part].append(stem)


def _channels(annotated: AnnotatedStudy) -> dict[str, Cine]:
    """Map channel names to images: the short axis, and cines on the same grid (the sequences of MyoPS)."""
    first = annotated.study.cine(View.SAX)
    others = [cine for cine in annotated.study.cines if cine.view is View.OTHER and _same_grid(cine, first)]
    if not others:
        return {annotated.study.modality: first}
    return {cine.label or str(number): cine for number, cine in enumerate([first, *others])}


def _same_grid(cine: Cine, first: Cine) -> bool:
    return cine.array.shape == first.array.shape and np.allclose(cine.affine, first.affine, atol=0.01)


def _check_consistent(name: str, export: NnunetExport, scheme: str, channels: tuple[str, ...]) -> None:
    if export.scheme is not None and (export.scheme, export.channels) != (scheme, channels):
        raise InputError(
            f"'{name}' has labels '{scheme}' and channels {list(channels)}, the studies before it '{export.scheme}' and"
            f" {list(export.channels)}; expected the same for all studies: export them separately"
        )


def _write_descriptions(draft: Path, export: NnunetExport, *, card: DatasetCard, split: Split, name: str) -> None:
    train, val = export.volumes["train"], export.volumes["validation"]
    if not train or export.scheme is None:
        skipped = ", ".join(f"{study}: {reason}" for study, reason in list(export.skipped.items())[:3])
        raise InputError(
            f"no labelled frame in part 'train'{f' ({skipped})' if skipped else ''}; expected at least one: check the"
            " split"
        )
    description = _description(export.scheme, export.channels, n=len(train) + len(val))
    about = {"name": name, "description": card.title, "reference": card.citation, "licence": card.licence}
    write_json(draft / "dataset.json", {**description, **about})
    write_json(draft / "splits_final.json", [{"train": sorted(train), "val": sorted(val)}])
    write_split(split, draft / "split.json")


def _description(scheme: str, channels: Sequence[str], *, n: int) -> dict[str, Json]:
    """Return dataset.json. nnU-Net normalises by channel name; ours select the z-score."""
    labels = {label.name: label.code for label in LABEL_SCHEMES[scheme]}
    return {
        "channel_names": {str(number): channel for number, channel in enumerate(channels)},
        "labels": {"background": 0, **labels},
        "numTraining": n,
        "file_ending": ".nii.gz",
    }
