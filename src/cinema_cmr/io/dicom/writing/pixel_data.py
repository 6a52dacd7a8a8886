"""Pixels for a DICOM object: the image pixel module, plain or packed without loss.

Packing is GDCM's: pydicom by itself writes run lengths only.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import CinemaError

__all__ = ["Compression", "set_pixels", "transfer_syntax"]


class Compression(StrEnum):
    """How pixels are packed in a DICOM file; all are without loss."""

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
    """UID of the transfer syntax; plain pixels are explicit VR little endian."""
    return _TRANSFER_SYNTAXES[compression]


def set_pixels(dataset: Any, frames: NDArray[np.uint16], *, bits: int, compression: Compression) -> None:
    """Give a dataset its image pixel module from (frames, rows, columns) of at most `bits` significant bits.

    The number of frames is the object's own matter: a single-frame class has none.
    """
    # As scanners store them; packers take 8 bits or fewer for bytes, which these are not.
    stored_bits = 12 if bits <= 12 else 16
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = frames.shape[1:]
    # The MR classes allow 16 bits allocated only (PS3.3 C.8.3.1.1.4), whatever number of them is used.
    dataset.BitsAllocated = 16
    dataset.BitsStored = stored_bits
    dataset.HighBit = stored_bits - 1
    dataset.PixelRepresentation = 0
    little = np.ascontiguousarray(frames, dtype="<u2")
    if compression is Compression.NONE:
        dataset.add_new("PixelData", "OW", little.tobytes())
        return
    from pydicom.encaps import encapsulate

    packed = [_packed(frame, bits=stored_bits, compression=compression) for frame in little]
    dataset.add_new("PixelData", "OB", encapsulate(packed))
    dataset["PixelData"].is_undefined_length = True


def _packed(frame: NDArray[np.uint16], *, bits: int, compression: Compression) -> bytes:
    """One frame (rows, columns) as a packed stream."""
    import gdcm

    # An image of its own would be collected while the converter still uses it; the writer holds it.
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
    wanted = gdcm.TransferSyntax.GetTSType(transfer_syntax(compression))
    converter.SetTransferSyntax(gdcm.TransferSyntax(wanted))
    converter.SetInput(image)
    if not converter.Change():
        raise CinemaError(f"GDCM could not pack an image of {frame.shape} pixels as {compression}; use 'none'")
    fragments = converter.GetOutput().GetDataElement().GetSequenceOfFragments()
    parts = [fragments.GetFragment(k).GetByteValue().GetBuffer() for k in range(fragments.GetNumberOfFragments())]
    # GDCM hands bytes over as text with the odd ones escaped.
    return b"".join(part.encode("utf-8", "surrogateescape") for part in parts)
