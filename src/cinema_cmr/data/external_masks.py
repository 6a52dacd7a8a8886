"""Masks made by another program, matched to studies by name.

A mask may lie anywhere in the folder, as NIfTI, named (with or without a final `_seg`):

```
NAME.nii.gz            all frames of the study's short axis, or its labelled frames in order
NAME_frameNN.nii.gz    one labelled frame, counted from 0; or named as the frame's own file
```

`data.nnunet` uses the second form too, so that a folder of nnU-Net predictions can be read.
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
from cinema_cmr.data.frame_names import frame_names, safe_file_name
from cinema_cmr.io.names import file_stem, is_nifti_name
from cinema_cmr.io.nifti.header import make_header
from cinema_cmr.io.nifti.labels import read_label_codes, read_label_shape
from cinema_cmr.io.nifti.source import stored_header
from cinema_cmr.io.walk import paths_below

__all__ = ["Predictions", "open_predictions", "parse_codes"]

_END = "_seg"
Codes = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """The masks in a folder; `read` returns those of one study."""

    name: str
    """Name of the folder."""
    files: Mapping[str, Sequence[Path]]
    """Stem without `_seg` -> files with this name."""
    codes: Mapping[int, str] | None = None
    """Code in the files -> structure; None for the codes of our scheme."""
    used: set[str] = field(default_factory=set)
    """Stems that matched a study."""

    def read(self, annotated: AnnotatedStudy) -> Codes:
        """Return the codes of the labelled short-axis frames, (x, y, z, t), on the grid of the image.

        Raises `MissingFileError` for a missing mask, `GeometryError` for another grid than the image's, `InputError`
        for codes outside the scheme and for two masks of the same frames.
        """
        names = frame_names(annotated)
        whole = self._find(_study_file_names(annotated))
        frames = [] if names == (annotated.study.name,) else [self._find([name]) for name in names]
        if whole is not None and any(frames):
            raise InputError(
                f"'{annotated.study.name}' has a mask of all frames, '{whole.name}', and masks of single frames;"
                " expected one kind: remove the others"
            )
        if whole is not None:
            return self._read_whole(whole, annotated)
        found = [path for path in frames if path is not None]
        if not found or len(found) < len(names):
            missing = [name for name, path in zip(names, frames or [None], strict=True) if path is None]
            raise MissingFileError(
                f"no mask for {len(missing)} of {len(names)} frames of '{annotated.study.name}'; expected"
                f" {', '.join(f'{safe_file_name(name)}.nii.gz' for name in missing)} or"
                f" {_study_file_names(annotated)[0]}.nii.gz"
            )
        return np.concatenate([self._read_codes(path, annotated, n_frames=1) for path in found], axis=3)

    def unused(self) -> list[str]:
        """Return the names of masks that matched no study."""
        return sorted(self.files.keys() - self.used)

    def _find(self, names: Iterable[str]) -> Path | None:
        stems = list(dict.fromkeys(stem for name in names for stem in (name, safe_file_name(name))))
        found = [path for stem in stems for path in self.files.get(stem, ())]
        self.used.update(stem for stem in stems if stem in self.files)
        if len(found) > 1:
            paths = " and ".join(f"'{path.parent.name}/{path.name}'" for path in found)
            raise InputError(f"{paths} are masks of the same frames; expected one: remove the other")
        return found[0] if found else None

    def _read_whole(self, path: Path, annotated: AnnotatedStudy) -> Codes:
        """Read a file with all frames of the cine, reduced to the labelled ones, or with only the labelled ones."""
        cine, frames = annotated.study.cine(View.SAX), annotated.labelled_frames[View.SAX]
        n_frames = read_label_shape(path)[3]
        if n_frames not in (cine.n_frames, len(frames)):
            raise GeometryError(
                f"'{path.name}' has {n_frames} frames, its image {cine.n_frames}, of which {len(frames)} are labelled;"
                " expected a mask of all frames or of the labelled ones: export it again"
            )
        codes = self._read_codes(path, annotated, n_frames=n_frames)
        return codes[..., list(frames)] if n_frames == cine.n_frames else codes

    def _read_codes(self, path: Path, annotated: AnnotatedStudy, *, n_frames: int) -> Codes:
        cine = annotated.study.cine(View.SAX)
        table = self._code_table(annotated.labels[View.SAX].scheme)
        shape = (*cine.array.shape[:3], n_frames)
        # A program may keep the image's header or, like those based on ITK, write its own.
        errors: list[GeometryError] = []
        for header in _accepted_headers(cine):
            try:
                return read_label_codes(path, shape, codes=table, image_header=header, placed=cine.orientation_known)
            except GeometryError as error:
                errors.append(error)
        raise errors[0]

    def _code_table(self, scheme: str) -> dict[int, int]:
        """Map the codes in the files to ours."""
        ours = {label.name: label.code for label in LABEL_SCHEMES[scheme]}
        if self.codes is None:
            return {code: code for code in ours.values()}
        for name in self.codes.values():
            if name not in ours:
                raise unknown_name("structure", name, ours)
        return {code: ours[name] for code, name in self.codes.items()}


def open_predictions(folder: Path | str, *, codes: Mapping[int, str] | None = None) -> Predictions:
    """Index the masks below a folder by name; raises `InputError` if there are none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            f"'{folder.name}' is not a folder; expected a folder of masks, NAME.nii.gz or NAME_seg.nii.gz: check the"
            " path"
        )
    found: dict[str, list[Path]] = defaultdict(list)
    for path in paths_below(folder):
        if is_nifti_name(path) and not path.name.startswith("."):
            found[file_stem(path).removesuffix(_END)].append(path)
    if not found:
        raise InputError(
            f"'{folder.name}' holds no NIfTI file; expected masks, NAME.nii.gz or NAME_seg.nii.gz: check the path"
        )
    return Predictions(name=folder.resolve().name, files=dict(found), codes=codes)


def parse_codes(words: Sequence[str]) -> dict[int, str]:
    """Parse words such as "1=lv" into code -> structure; raises `UsageError` for any other form.

    >>> parse_codes(["1=lv", "2=myo"])
    {1: 'lv', 2: 'myo'}
    """
    codes: dict[int, str] = {}
    for word in words:
        code, equals, name = word.partition("=")
        if not (equals and name and code.isdecimal() and int(code) > 0) or int(code) in codes:
            raise UsageError(f"code '{word}'; expected CODE=STRUCTURE, each code once: for example 1=lv 2=myo 3=rv")
        codes[int(code)] = name
    return codes


def _study_file_names(annotated: AnnotatedStudy) -> list[str]:
    """Return the study name, and the stem of its file if it is longer (CODE_sa)."""
    name, label = annotated.study.name, annotated.study.cine(View.SAX).label
    is_longer = label.startswith(f"{name}_") and label not in frame_names(annotated)
    return [name, label] if is_longer else [name]


def _accepted_headers(cine: Cine) -> list[bytes]:
    """Return the headers that a mask on the cine's grid may have, the file's own first."""
    derived: bytes = make_header(cine).binaryblock
    stored = stored_header(cine)
    return [derived] if stored is None else [stored, derived]
