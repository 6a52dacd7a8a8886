"""A DICOM frame header of a plane across z, for tests that vary one or two of its fields."""

from __future__ import annotations

from cinema_cmr.io.dicom.header import FrameHeader

PLAIN_HEADER = FrameHeader(
    file=0,
    series="series 1",
    rows=4,
    columns=4,
    orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    position=(0.0, 0.0, 0.0),
    pixel_spacing=(1.0, 1.0),
)
