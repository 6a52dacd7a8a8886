"""Tables of label names and colours, as ITK-SNAP and 3D Slicer load them beside a mask."""

from __future__ import annotations

from cinema_cmr.core.vocabulary import LABEL_SCHEMES, LabelClass

__all__ = ["label_tables"]


def label_tables(scheme: str) -> dict[str, str]:
    """Return file name -> text of the tables of a label scheme.

    ITK-SNAP: Segmentation, Import Label Descriptions. 3D Slicer: load the file as a colour table, then the mask as a
    segmentation with it.

    >>> print(label_tables("cine")["labels_slicer.ctbl"])
    # Color table file labels_slicer.ctbl
    0 background 0 0 0 0
    1 right_ventricle 59 130 246 255
    2 left_ventricular_myocardium 34 197 94 255
    3 left_ventricle 239 68 68 255
    <BLANKLINE>
    """
    labels = LABEL_SCHEMES[scheme]
    snap = ['    0     0    0    0        0  0  0    "Clear Label"', *map(_snap_line, labels)]
    slicer = ["0 background 0 0 0 0", *map(_slicer_line, labels)]
    return {
        "labels_itksnap.txt": "\n".join(["# ITK-SnAP Label Description File", *snap, ""]),
        "labels_slicer.ctbl": "\n".join(["# Color table file labels_slicer.ctbl", *slicer, ""]),
    }


def _snap_line(label: LabelClass) -> str:
    """Index, red, green, blue, opacity, visible, visible as a mesh, name."""
    red, green, blue = _rgb(label)
    return f'{label.code:5d} {red:5d}{green:5d}{blue:5d}        1  1  1    "{label.title}"'


def _slicer_line(label: LabelClass) -> str:
    return " ".join(map(str, (label.code, label.title.replace(" ", "_"), *_rgb(label), 255)))


def _rgb(label: LabelClass) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(label.colour.lstrip("#"))
    return red, green, blue
