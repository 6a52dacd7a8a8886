"""Image pixel module of a DICOM object, uncompressed or losslessly compressed.

GDCM compresses: pydicom by itself only writes run-length encoding.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import CinemaError

__all__ = ["Compression", "set_pixels", "transfer_syntax"]


class Compression(StrEnum):
    """Lossless compression of the pixels in a DICOM file."""

    NONE = "none"
    RLE = "rle"
    JPEG_LS = "jpeg_ls"
    JPEG_2000 = "jpeg_2000"


_TRANSFER_SYNTAXES = {
    Compression.NONE: "1.2.840.10008.1.2.1",
    Compression.RLE: "1.2.840.10008.1.2.5",
    Compression.JPEG_LS: "1.2.840.10008.1.2.4.80",
    Compression.JPEG_2000: "1.2.840.10008.1.2.4.90",
}
"""DICOM PS3.5 section 10 and annex A."""


def transfer_syntax(compression: Compression) -> str:
    """Return the UID of the transfer syntax; uncompressed pixels are explicit VR little endian."""
    return _TRANSFER_SYNTAXES[compression]


def set_pixels(dataset: Any, frames: NDArray[np.uint16], *, bits: int, compression: Compression) -> None:
    """Set the image pixel module from (frames, rows, columns) with at most `bits` significant bits.

    The number of frames is set by the caller: a single-frame class has no such element.
    """
    # As scanners do; at 8 bits or fewer the encoders would expect single bytes.
    stored_bits = 12 if bits <= 12 else 16
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = frames.shape[1:]
    # The MR classes only allow 16 bits allocated (PS3.3 C.8.3.1.1.4).
    dataset.BitsAllocated = 16
    dataset.BitsStored = stored_bits
    dataset.HighBit = stored_bits - 1
    dataset.PixelRepresentation = 0
    little = np.ascontiguousarray(frames, dtype="<u2")
    if compression is Compression.NONE:
        dataset.add_new("PixelData", "OW", little.tobytes())
        return
    from pydicom.encaps import encapsulate

    packed = [_compress(frame, bits=stored_bits, compression=compression) for frame in little]
    dataset.add_new("PixelData", "OB", encapsulate(packed))
    dataset["PixelData"].is_undefined_length = True


def _compress(frame: NDArray[np.uint16], *, bits: int, compression: Compression) -> bytes:
    """Compress one frame (rows, columns) to a stream."""
    import gdcm

    # A standalone image would be garbage-collected while the converter still uses it; the writer keeps it alive.
    writer = gdcm.ImageWriter()
    image = writer.GetImage()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((frame.shape[1], frame.shape[0], 1))
    grey = gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2)
    image.SetPhotometricInterpretation(grey)
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.ImplicitVRLittleEndian))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, bits, bits - 1, 0))
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetByteStringValue(frame.tobytes())
    image.SetDataElement(element)
    converter = gdcm.ImageChangeTransferSyntax()
    target = gdcm.TransferSyntax.GetTSType(transfer_syntax(compression))
    converter.SetTransferSyntax(gdcm.TransferSyntax(target))
    converter.SetInput(image)
    if not converter.Change():
        raise CinemaError(
            f"GDCM failed to compress an image of {frame.shape} pixels as {compression}; use compression 'none'"
        )
    fragments = converter.GetOutput().GetDataElement().GetSequenceOfFragments()
    parts = [fragments.GetFragment(k).GetByteValue().GetBuffer() for k in range(fragments.GetNumberOfFragments())]
    # GDCM returns bytes as text with surrogate escapes.
    return b"".join(part.encode("utf-8", "surrogateescape") for part in parts)
