"""How results show themselves in a notebook: a cine as a mosaic, measurements as a table, a study as its views."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cinema_cmr.core.results import Measurements
from cinema_cmr.core.study import Fact, Study
from cinema_cmr.core.vocabulary import NOTICE
from cinema_cmr.core.volume import Cine
from cinema_cmr.image.mosaic import mosaic
from cinema_cmr.report.display import heart_box, shown, window
from cinema_cmr.report.segments import is_segment
from cinema_cmr.report.wide.columns import Columns
from cinema_cmr.report.wording import counted, number, sentence, unit_text

__all__ = ["cine_html", "cine_png", "columns_html", "measurements_html", "rows_html", "study_html"]

_ACROSS = 6
"""Most pictures side by side."""
_ROWS, _COLUMNS = 12, 16
"""Most rows and columns of a table."""
_SIDE = 128
"""Longest side of a picture, pixels."""


def cine_png(cine: Cine) -> bytes:
    """Return a PNG: a stack's slices at the first frame and half a cycle later, a plane's frames over the cycle."""
    turned, _ = shown(cine, None)
    low, high = window(turned, heart_box(turned, None))
    grey = np.asarray((turned.array - low) / (high - low), dtype=np.float32)
    frames = _spread(cine.n_frames, 2 if cine.n_slices > 1 else _ACROSS, circular=True)
    if cine.n_slices > 1:
        slices = _spread(cine.n_slices, _ACROSS)
        places = [[(k, t) for k in slices] for t in frames]
        titles = [f"frame {t}, slices {', '.join(map(str, slices))}" for t in frames]
    else:
        places, titles = [[(0, t) for t in frames]], [f"frames {', '.join(map(str, frames))}"]
    sizes = _size(turned)
    pictures = [[_resized(grey[:, :, k, t], sizes) for k, t in row] for row in places]
    buffer = io.BytesIO()
    mosaic(pictures, titles=titles).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def cine_html(cine: Cine) -> str:
    """Return the mosaic with the description of the cine below it; the label is escaped."""
    return f"<figure>{_image(cine)}<figcaption>{html.escape(repr(cine))}</figcaption></figure>"


def measurements_html(measurements: Measurements) -> str:
    """Return a table of the measurements, those of segments left out, with the reason where there is no value."""
    whole = [one for one in measurements.values() if not is_segment(one.name)]
    rows = (
        (
            sentence(one.title),
            one.name,
            number(one.value, one.unit),
            "" if one.value is None or one.unit == "frame" else unit_text(one.unit),
            one.reason or one.method,
        )
        for one in whole
    )
    left_out = len(measurements) - len(whole)
    more = f"{left_out} values by segment are not shown. " if left_out else ""
    flags = ", ".join(flag.code for flag in measurements.flags) or "none"
    table = rows_html(("Measurement", "Name", "Value", "Unit", "From, or why there is none"), rows)
    return f"{table}<p>{more}Flags: {html.escape(flags)}. {NOTICE}</p>"


def columns_html(table: Columns) -> str:
    """Return the first rows and columns of a table, and how many it has."""
    names = table.names[:_COLUMNS]
    rows = ([_cell(row[name]) for name in names] for row in islice(table, _ROWS))
    return f"{rows_html(names, rows)}<p>{counted(len(table), 'row')}, {counted(len(table.names), 'column')}</p>"


def rows_html(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of texts, which are escaped."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in heads)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def study_html(study: Study) -> str:
    """Return the cines of a study, each with a mosaic, and the number of issues."""
    shown_cines = "".join(cine_html(cine) for cine in study)
    return f"<p><b>{html.escape(study.name)}</b>: {len(study)} cines, {len(study.issues)} issues</p>{shown_cines}"


def _spread(n: int, most: int, *, circular: bool = False) -> list[int]:
    """Return at most so many indices of n, evenly spread; a circle's last is not its first.

    >>> _spread(20, 2, circular=True), _spread(9, 3), _spread(2, 6)
    ([0, 10], [0, 4, 8], [0, 1])
    """
    count = min(n, most)
    return [int(k) for k in np.linspace(0, n if circular else n - 1, count, endpoint=not circular)]


def _size(cine: Cine) -> tuple[int, int]:
    """Return width and height in pixels, millimetres the same both ways."""
    sides = np.array(cine.shape[:2]) * cine.spacing_mm[:2]
    width, height = np.maximum(1, np.rint(_SIDE * sides / sides.max())).astype(int).tolist()
    return width, height


def _resized(picture: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a picture (x, y) with so many pixels."""
    whole = Image.fromarray(np.ascontiguousarray(picture.T))
    return np.asarray(whole.resize(size, Image.Resampling.BILINEAR), dtype=np.float32).T


def _cell(value: Fact) -> str:
    """Return a number with five digits, other values as they are, "" for none."""
    if value is None:
        return ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _image(cine: Cine) -> str:
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(cine_png(cine)).decode("ascii")}">'
