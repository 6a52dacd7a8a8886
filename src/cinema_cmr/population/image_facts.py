"""Fingerprints of a study's images, and its thumbnail."""

from __future__ import annotations

import hashlib
import io
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.safe_text import printable
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import CINE_LABELS, LABEL_SCHEMES, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.decoding.bounded_file import read_dataset
from cinema_cmr.io.dicom.files import is_dicom, quiet_pydicom
from cinema_cmr.io.dicom.values import text_of
from cinema_cmr.population.outcome import ImageFacts
from cinema_cmr.report.display import shown

__all__ = ["image_facts", "outline_hash", "thumbnail"]

_TRIED_FILES = 3
"""Files of a folder whose headers are looked at; a first one may be an index or a report."""
_NO_DICOM = (".nii", ".nii.gz", ".zip", ".cfg")
_TAGS = ("Manufacturer", "ManufacturerModelName", "MagneticFieldStrength")
_MAX_WORD = 40
"""Characters of each that are kept; DICOM allows 64."""
_THUMBNAIL = 96
"""Pixels of the longer side."""
_MARGIN = 0.35
"""Share of the heart's size that is shown around it."""
_GREY_PERCENTILES = (1, 99.5)
"""Intensities that are black and white."""


def image_facts(study: Study, path: Path) -> ImageFacts | None:
    """Return the fingerprints of the short-axis stack, or of the first cine; None for a study without cine."""
    cine = _principal(study)
    if cine is None:
        return None
    content = hashlib.sha256(repr(cine.array.shape).encode())
    content.update(np.ascontiguousarray(cine.array, dtype=np.float32).tobytes())
    return ImageFacts(
        pixels_sha256=content.hexdigest()[:32],
        outline=outline_hash(cine.array[:, :, cine.n_slices // 2, 0]),
        scanner=_scanner(path),
    )


def outline_hash(plane: NDArray[np.floating]) -> str:
    """Return 64 bits as hexadecimal: whether each of 8 x 8 blocks is brighter than the next one along x.

    >>> outline_hash(np.tile(np.arange(18.0), (8, 1)).T)
    '0000000000000000'
    """
    rows, columns = (np.linspace(0, n, blocks + 1).astype(int) for n, blocks in zip(plane.shape, (9, 8), strict=True))
    sums = np.add.reduceat(np.add.reduceat(plane.astype(np.float64), rows[:-1], axis=0), columns[:-1], axis=1)
    means = sums / np.outer(np.maximum(np.diff(rows), 1), np.maximum(np.diff(columns), 1))
    bits = (means[:-1] > means[1:]).ravel()
    return np.packbits(bits).tobytes().hex()


def thumbnail(analysis: Analysis) -> bytes:
    """Return a PNG of the middle slice at end-diastole around the heart, structures outlined in their colours."""
    cine = _principal(analysis.study)
    if cine is None:
        return b""
    prediction = analysis.predictions.get(cine.view)
    cine, labels = shown(cine, None if prediction is None else prediction.labels.array)
    frame = _frame(labels)
    index = _slice(labels, frame, cine.n_slices)
    plane = cine.array[:, :, index, frame].astype(np.float64)
    codes = np.zeros(plane.shape, np.uint8) if labels is None else labels[:, :, index, frame]
    box = _box(codes)
    plane, codes = plane[box], codes[box]
    low, high = np.percentile(plane, _GREY_PERCENTILES) if plane.size else (0, 1)
    grey = (np.clip((plane - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)
    return _png(grey, codes, "cine" if prediction is None else prediction.labels.scheme)


def _png(grey: NDArray[np.uint8], codes: NDArray[np.uint8], scheme: str) -> bytes:
    scale = _THUMBNAIL / max(grey.shape)
    size = tuple(max(1, round(n * scale)) for n in grey.shape)
    image = Image.fromarray(grey.T).resize((size[0], size[1]), Image.Resampling.BILINEAR).convert("RGB")
    large = np.asarray(Image.fromarray(codes.T).resize((size[0], size[1]), Image.Resampling.NEAREST))
    pixels = np.array(image)
    for label in LABEL_SCHEMES[scheme]:
        pixels[_edge(large == label.code)] = tuple(bytes.fromhex(label.colour.lstrip("#")))
    stream = io.BytesIO()
    Image.fromarray(pixels).quantize(64, dither=Image.Dither.NONE).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _principal(study: Study) -> Cine | None:
    return study[View.SAX] if View.SAX in study else next(iter(study), None)


def _frame(labels: NDArray[np.uint8] | None) -> int:
    """Return the frame with the largest blood pool."""
    if labels is None:
        return 0
    return int(np.argmax((labels == CINE_LABELS[-1].code).sum(axis=(0, 1, 2))))


def _slice(labels: NDArray[np.uint8] | None, frame: int, n_slices: int) -> int:
    """Return the middle one of the slices with labels."""
    if labels is None or not labels[..., frame].any():
        return n_slices // 2
    found = np.flatnonzero(labels[..., frame].any(axis=(0, 1)))
    return int(found[len(found) // 2])


def _box(codes: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Return the square around the labels with a margin; the whole plane without labels."""
    if not codes.any():
        return slice(None), slice(None)
    spans = [np.flatnonzero(codes.any(axis=1 - axis)) for axis in (0, 1)]
    half = max(span[-1] - span[0] + 1 for span in spans) * (0.5 + _MARGIN)
    middles = [(span[0] + span[-1]) / 2 for span in spans]
    limits = [(max(0, int(m - half)), min(n, int(m + half) + 1)) for m, n in zip(middles, codes.shape, strict=True)]
    return slice(*limits[0]), slice(*limits[1])


def _edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the voxels of a mask that have a neighbour outside it."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    edge: NDArray[np.bool_] = mask & ~inner
    return edge


def _scanner(path: Path) -> str | None:
    """Return manufacturer, model and field strength by the first DICOM files; None for other formats and zips."""
    files = [path] if path.is_file() else (file for file in sorted(path.rglob("*")) if file.is_file())
    for file in islice(files, _TRIED_FILES):
        if file.name.lower().endswith(_NO_DICOM):
            return None
        maker, model, tesla = _stated(file) if is_dicom(file) else ("", "", "")
        if words := [word for word in (maker, model, tesla and f"{tesla} T") if word]:
            return " ".join(words)
    return None


def _stated(file: Path) -> list[str]:
    """Return manufacturer, model and field strength (T) of a DICOM file as text; "" for what it does not state."""
    try:
        with quiet_pydicom():
            header = read_dataset(file, _TAGS)
            return [printable(text_of(header, tag)).strip()[:_MAX_WORD] for tag in _TAGS]
    except Exception:
        # A corrupt header can raise any exception, and the scanner is no reason to fail a study that was measured.
        return [""] * len(_TAGS)
