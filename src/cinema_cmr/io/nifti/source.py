"""The NIfTI file that a cine was read from: what is needed to write a mask on the very same grid."""

from __future__ import annotations

from dataclasses import dataclass

from cinema_cmr.core.volume import Cine

__all__ = ["NiftiSource", "nifti_source", "stored_header"]


@dataclass(frozen=True)
class NiftiSource:
    """Header and shape of a NIfTI file; the content of `Cine.source`, opaque to all but `io`."""

    header: bytes
    """The header block, without free text."""
    shape: tuple[int, ...]
    """The shape stored in the file, e.g. (x, y, z) for a single frame."""


def nifti_source(cine: Cine) -> NiftiSource | None:
    """Return the NIfTI file of a cine; None for a cine of another origin, or on a changed grid."""
    return cine.source if isinstance(cine.source, NiftiSource) else None


def stored_header(cine: Cine) -> bytes | None:
    """Return the header block of the cine's NIfTI file; None without one."""
    source = nifti_source(cine)
    return None if source is None else source.header
