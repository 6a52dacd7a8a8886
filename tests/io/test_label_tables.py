"""Tables of labels for ITK-SNAP and 3D Slicer: every code with its name and colour, in the columns that they read."""

from __future__ import annotations

import re

import pytest

from cinema_cmr.core.vocabulary import LABEL_SCHEMES
from cinema_cmr.io.label_tables import label_tables


@pytest.mark.parametrize("scheme", ["cine", "scar"])
def test_every_code_has_its_name_and_colour(scheme: str) -> None:
    tables = label_tables(scheme)
    snap = re.findall(
        r'^ +(\d+) +(\d+) +(\d+) +(\d+) +([01]) +([01]) +([01]) +"(.+)"$', tables["labels_itksnap.txt"], re.M
    )
    slicer = [line.split() for line in tables["labels_slicer.ctbl"].splitlines() if not line.startswith("#")]
    assert [int(row[0]) for row in snap] == [int(row[0]) for row in slicer] == list(range(len(slicer)))
    for label, its, other in zip(LABEL_SCHEMES[scheme], snap[1:], slicer[1:], strict=True):
        colour = "#" + "".join(f"{int(value):02x}" for value in its[1:4])
        assert (its[-1], colour) == (label.title, label.colour) and other[2:5] == list(its[1:4])
        assert len(other) == 6
