"""A whole study as NIfTI: one compressed file per view, named so that views are recognised on reading."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from nibabel import Nifti1Header

from cinema_cmr.core.errors import GeometryError, UsageError
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.atomic import write_bytes, write_text
from cinema_cmr.io.nifti.header import make_header
from cinema_cmr.io.output_folder import atomic_folder
from cinema_cmr.io.quantise import quantise

__all__ = ["nifti_name", "write_nifti_study"]

_BITS = 15
"""The non-negative range of a signed 16-bit voxel."""
_MAX_UNEVEN = 0.01


def nifti_name(view: View) -> str:
    """Return the file name of a view's image, e.g. "lax_4c.nii.gz"; raises `UsageError` for `View.OTHER`.

    >>> nifti_name(View.SAX)
    'sax.nii.gz'
    """
    if view is View.OTHER:
        raise UsageError(
            "a NIfTI study has no file name for a cine of view 'other'; expected sax, lax_2c, lax_3c or lax_4c: drop"
            " the others"
        )
    return f"{view}.nii.gz"


def write_nifti_study(study: Study, folder: Path | str, *, overwrite: bool = False) -> Path:
    """Write `sax.nii.gz`, `lax_2c.nii.gz`, ... atomically; return `folder`.

    Voxels are int16 with slope and intercept (none for integers up to 32767), so that intensities are restored within
    half a slope; the frame step is in ms if frame times are known. Height and weight go to `Info.cfg`, as in ACDC.
    NIfTI cannot store the other subject facts, uneven frame times, slice thickness, or a cycle other than frames times
    step. The bytes depend on the study and on zlib only.

    Raises `GeometryError` for uneven slices or a cine with unknown orientation, `UsageError` for views other than the
    four, `OutputExistsError` for a non-empty folder.
    """
    with atomic_folder(folder, overwrite=overwrite) as draft:
        for cine in study.cines:
            write_bytes(draft / nifti_name(cine.view), _encode(cine))
        facts = _info(study.subject)
        if facts:
            write_text(draft / "Info.cfg", facts)
    return Path(folder)


def _encode(cine: Cine) -> bytes:
    quantised = quantise(cine.array, bits=_BITS)
    header = _header(cine)
    header["scl_slope"], header["scl_inter"] = quantised.slope, quantised.intercept
    voxels = quantised.stored.astype("<i2").tobytes(order="F")
    # Level 1: noise compresses hardly better at 6, which takes five times as long.
    return gzip.compress(header.binaryblock + b"\0\0\0\0" + voxels, 1, mtime=0)


def _header(cine: Cine) -> Nifti1Header:
    _check_regular(cine)
    header = make_header(cine)
    header.set_data_dtype(np.int16)
    header["vox_offset"] = len(header.binaryblock) + 4
    return header


def _check_regular(cine: Cine) -> None:
    if not cine.orientation_known:
        raise GeometryError(
            f"cine '{cine.label}' has no known orientation; expected true positions: write it with write_cine"
        )
    steps = np.diff(cine.slice_positions_mm)
    if len(steps) and np.ptp(steps) > _MAX_UNEVEN * steps.mean():
        raise GeometryError(
            f"slices of cine '{cine.label}' are {steps.min():.2f} to {steps.max():.2f} mm apart; expected"
            " even slices, as NIfTI requires: write DICOM"
        )


def _info(subject: Subject) -> str:
    facts = {"Height": subject.height_cm, "Weight": subject.weight_kg}
    return "".join(f"{name}: {value:.1f}\n" for name, value in facts.items() if value is not None)
