"""Masks that another program made, found by the names of the studies they belong to.

A mask lies anywhere in the folder, as NIfTI, named (with or without `_seg` at the end):

```
NAME.nii.gz            all frames of the study's short axis, or its labelled ones in their order
NAME_frameNN.nii.gz    one labelled frame, counted from 0; or as the frame's own file is called
```

The second form is that of `data.nnunet` too, so that nnU-Net's folder of predictions is such a folder.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import GeometryError, InputError, MissingFileError, UsageError, unknown_name
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.frame_names import file_name, frame_names
from cinema_cmr.io.names import file_stem
from cinema_cmr.io.nifti.header import header_for
from cinema_cmr.io.nifti.labels import label_shape, read_label_codes
from cinema_cmr.io.walk import paths_below

__all__ = ["Predictions", "open_predictions", "parse_codes"]

_END = "_seg"
Codes = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """The masks of a folder; `read` gives those of one study."""

    name: str
    """Of the folder."""
    files: Mapping[str, Sequence[Path]]
    """Stem, without `_seg` -> the files of this name."""
    codes: Mapping[int, str] | None = None
    """The files' code -> name of the structure; None where they are those of our scheme."""
    used: set[str] = field(default_factory=set)
    """Stems that belonged to a study that was read."""

    def read(self, annotated: AnnotatedStudy) -> Codes:
        """Codes of the labelled short-axis frames, (x, y, z, t), on the image's own grid.

        Raises `MissingFileError` where a mask is not there, `GeometryError` for another grid than the image's,
        `InputError` for codes that are none of the scheme's and for two masks of one thing.
        """
        names = frame_names(annotated)
        whole = self._one_of(_whole_names(annotated))
        frames = [] if names == (annotated.study.name,) else [self._one_of([name]) for name in names]
        if whole is not None and any(frames):
            raise InputError(
                f"'{annotated.study.name}' has a mask of all frames, '{whole.name}', and masks of single ones; keep one"
            )
        if whole is not None:
            return self._whole(whole, annotated)
        found = [path for path in frames if path is not None]
        if not found or len(found) < len(names):
            absent = [name for name, path in zip(names, frames or [None], strict=True) if path is None]
            raise MissingFileError(
                f"no mask for {len(absent)} of {len(names)} frames of '{annotated.study.name}'; expected"
                f" {', '.join(f'{file_name(name)}.nii.gz' for name in absent)} or {_whole_names(annotated)[0]}.nii.gz"
            )
        return np.concatenate([self._codes(path, annotated, n_frames=1) for path in found], axis=3)

    def unused(self) -> list[str]:
        """Names of the masks that belonged to no study that was read."""
        return sorted(self.files.keys() - self.used)

    def _one_of(self, names: Iterable[str]) -> Path | None:
        stems = list(dict.fromkeys(stem for name in names for stem in (name, file_name(name))))
        found = [path for stem in stems for path in self.files.get(stem, ())]
        self.used.update(stem for stem in stems if stem in self.files)
        if len(found) > 1:
            told = " and ".join(f"'{path.parent.name}/{path.name}'" for path in found)
            raise InputError(f"{told} are masks of one thing; keep one")
        return found[0] if found else None

    def _whole(self, path: Path, annotated: AnnotatedStudy) -> Codes:
        """One file's frames: all of the cine's, of which the labelled ones are taken, or just these."""
        cine, frames = annotated.study.cine(View.SAX), annotated.labelled_frames[View.SAX]
        n_frames = label_shape(path)[3]
        if n_frames not in (cine.n_frames, len(frames)):
            raise GeometryError(
                f"'{path.name}' has {n_frames} frames, its image {cine.n_frames}, of which {len(frames)} are labelled;"
                " expected a mask of all frames or of the labelled ones"
            )
        codes = self._codes(path, annotated, n_frames=n_frames)
        return codes[..., list(frames)] if n_frames == cine.n_frames else codes

    def _codes(self, path: Path, annotated: AnnotatedStudy, *, n_frames: int) -> Codes:
        cine = annotated.study.cine(View.SAX)
        table = self._table(annotated.labels[View.SAX].scheme)
        shape = (*cine.array.shape[:3], n_frames)
        # A program may have kept the file's header or, as those built on ITK do, written one of its own.
        refusals: list[GeometryError] = []
        for header in _headers(cine):
            try:
                return read_label_codes(path, shape, codes=table, image_header=header, placed=cine.orientation_known)
            except GeometryError as error:
                refusals.append(error)
        raise refusals[0]

    def _table(self, scheme: str) -> dict[int, int]:
        """The files' code -> ours."""
        ours = {label.name: label.code for label in LABEL_SCHEMES[scheme]}
        if self.codes is None:
            return {code: code for code in ours.values()}
        for name in self.codes.values():
            if name not in ours:
                raise unknown_name("structure", name, ours)
        return {code: ours[name] for code, name in self.codes.items()}


def open_predictions(folder: Path | str, *, codes: Mapping[int, str] | None = None) -> Predictions:
    """The masks under a folder, by name; raises `InputError` where there is none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"'{folder.name}' is no folder; expected a folder of masks, NAME.nii.gz or NAME_seg.nii.gz")
    found: dict[str, list[Path]] = defaultdict(list)
    for path in paths_below(folder):
        if path.name.lower().endswith((".nii", ".nii.gz")) and not path.name.startswith("."):
            found[file_stem(path).removesuffix(_END)].append(path)
    if not found:
        raise InputError(f"'{folder.name}' holds no NIfTI file; expected masks, NAME.nii.gz or NAME_seg.nii.gz")
    return Predictions(name=folder.resolve().name, files=dict(found), codes=codes)


def parse_codes(words: Sequence[str]) -> dict[int, str]:
    """Code -> structure, from words as "1=lv"; raises `UsageError` for any other.

    >>> parse_codes(["1=lv", "2=myo"])
    {1: 'lv', 2: 'myo'}
    """
    codes: dict[int, str] = {}
    for word in words:
        code, equals, name = word.partition("=")
        if not (equals and name and code.isdecimal() and int(code) > 0) or int(code) in codes:
            raise UsageError(f"code '{word}'; expected each code of the masks once, as 1=lv 2=myo 3=rv")
        codes[int(code)] = name
    return codes


def _whole_names(annotated: AnnotatedStudy) -> list[str]:
    """The study's name, and its file's where that says more (CODE_sa)."""
    name, label = annotated.study.name, annotated.study.cine(View.SAX).label
    own = label.startswith(f"{name}_") and label not in frame_names(annotated)
    return [name, label] if own else [name]


def _headers(cine: Cine) -> list[bytes]:
    """Headers that a mask on the cine's grid may have, the file's own first."""
    made: bytes = header_for(cine).binaryblock
    return [made] if cine.nifti_header is None else [cine.nifti_header, made]
