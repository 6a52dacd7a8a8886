"""The image pixel module: what pydicom decodes is what was written, in every encoding."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import pixel_array
from pydicom.uid import UID

from cinema_cmr.io.dicom.writing.pixel_data import Compression, set_pixels, transfer_syntax


def frames_of(bits: int, n_frames: int = 3) -> NDArray[np.uint16]:
    """Smooth frames that are not square, from 0 to the top of the range.

    Noise would not compress, and GDCM writes past its buffer where a JPEG 2000 stream is longer than the pixels.
    """
    y, x = np.mgrid[:48, :64]
    waves = [np.sin(x / 9 + k) * np.cos(y / 7) for k in range(n_frames)]
    return np.stack([np.rint((w - w.min()) / np.ptp(w) * (2**bits - 1)) for w in waves]).astype(np.uint16)


def written(frames: NDArray[np.uint16], bits: int, compression: Compression) -> Dataset:
    dataset = Dataset()
    set_pixels(dataset, frames, bits=bits, compression=compression)
    dataset.NumberOfFrames = len(frames)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = transfer_syntax(compression)
    return dataset


@pytest.mark.parametrize("compression", list(Compression))
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_pixels_are_restored_exactly(bits: int, compression: Compression) -> None:
    frames = frames_of(bits)
    decoded = pixel_array(written(frames, bits, compression))
    assert decoded.dtype == np.uint16 and np.array_equal(decoded, frames)


@pytest.mark.parametrize(("bits", "stored"), [(1, 12), (8, 12), (12, 12), (13, 16), (16, 16)])
def test_the_module_describes_the_pixels(bits: int, stored: int) -> None:
    """PS3.3 C.7.6.3: HighBit is BitsStored - 1; C.8.3.1.1.4: 16 bits allocated."""
    dataset = written(frames_of(bits), bits, Compression.NONE)
    assert (dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit) == (16, stored, stored - 1)
    assert (dataset.Rows, dataset.Columns, dataset.SamplesPerPixel, dataset.PixelRepresentation) == (48, 64, 1, 0)
    assert len(dataset.PixelData) == 2 * 3 * 48 * 64


@pytest.mark.parametrize("compression", list(Compression))
def test_every_transfer_syntax_is_lossless(compression: Compression) -> None:
    uid = UID(transfer_syntax(compression))
    assert uid.is_transfer_syntax and uid.is_compressed == (compression is not Compression.NONE)
    assert uid.is_little_endian and ("Lossless" in uid.name or compression in (Compression.NONE, Compression.RLE))
