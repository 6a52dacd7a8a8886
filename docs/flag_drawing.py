"""Pictures for docs/flags.md: slices with outlines, planes on a long axis, and curves, as the report draws them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from PIL import Image

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.contours import loops, smooth_masks
from cinema_cmr.measure.volumes import CODES
from cinema_cmr.report.display import Box, heart_box, window

COLOURS = {"lv": "#ff6b5e", "myo": "#4fd07d", "rv": "#5aa2ff"}
BACKGROUND, INK, FAINT, MARK = "#0d1117", "#e6edf3", "#30363d", "#ffd54d"
Array = NDArray[np.float64]


class Tile(NamedTuple):
    """One slice at one frame, with what is written on it."""

    slice_index: int
    frame: int
    title: str = ""


class Panel(NamedTuple):
    """A cine with its outlines."""

    cine: Cine
    labels: LabelMap


def figure_of(width: float, height: float = 1.9) -> Figure:
    """Return a dark figure, in inches at 100 dots each."""
    return Figure(figsize=(width, height), dpi=100, facecolor=BACKGROUND)


def webp(figure: Figure, *, quality: int = 72) -> bytes:
    """Return a figure as WebP."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).save(buffer, "WEBP", quality=quality, method=6)
    return buffer.getvalue()


def slices(
    panel: Panel,
    tiles: Sequence[Tile],
    *,
    box: Box | None = None,
    beside: LabelMap | None = None,
    colour: str = MARK,
) -> Figure:
    """Draw tiles in a row; `beside` are further masks, dashed."""
    figure = figure_of(1.9 * len(tiles))
    box = box or heart_box(panel.cine, panel.labels.array)
    for place, tile in enumerate(tiles):
        axes = figure.add_axes((place / len(tiles), 0, 1 / len(tiles) - 0.004, 1))
        draw_slice(axes, panel, tile, box)
        if beside is not None:
            outline(axes, beside.array[:, :, tile.slice_index, tile.frame], ("lv",), colour, "--")
    return figure


def draw_slice(axes: Axes, panel: Panel, tile: Tile, box: Box) -> None:
    """Draw an image with its outlines."""
    low, high = window(panel.cine, box)
    image = panel.cine.array[:, :, tile.slice_index, tile.frame].T
    axes.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="bicubic", aspect=_aspect(panel.cine))
    outline(axes, panel.labels.array[:, :, tile.slice_index, tile.frame], tuple(COLOURS))
    axes.set(xlim=(box.left - 0.5, box.right - 0.5), ylim=(box.bottom - 0.5, box.top - 0.5))
    axes.set_axis_off()
    written(axes, tile.title)


def written(axes: Axes, title: str) -> None:
    """Write a title on a picture, readable on bright tissue too."""
    around = {"facecolor": BACKGROUND, "edgecolor": "none", "alpha": 0.75, "pad": 2}
    if title:
        axes.text(0.03, 0.95, title, color=INK, fontsize=8, va="top", transform=axes.transAxes, bbox=around)


def outline(
    axes: Axes, labels: NDArray[np.uint8], names: Sequence[str], colour: str | None = None, style: str = "-"
) -> None:
    """Draw the outlines of some structures; that of the myocardium is its outer one."""
    for name in names:
        inside = (CODES[name] == labels.T) | ((name == "myo") & (CODES["lv"] == labels.T))
        for loop in loops(smooth_masks(inside)) if inside.any() else ():
            axes.plot(*(loop.T - 0.5), color=colour or COLOURS[name], linewidth=1.5, linestyle=style)


def _aspect(cine: Cine) -> float:
    return float(cine.spacing_mm[1] / cine.spacing_mm[0])


def planes(
    long_axis: Panel,
    stacks: Sequence[tuple[Cine, str, Sequence[int]]],
    *,
    frame: int = 0,
    points: Mapping[str, tuple[Array, str]] | None = None,
    title: str = "",
) -> Figure:
    """Draw where slices cut a long-axis image: (stack, colour, slices), and points in mm with their colour."""
    figure = figure_of(3.8, 3.0)
    axes = figure.add_axes((0, 0, 1, 1))
    centre = np.argwhere(long_axis.labels.array[..., 0].any(axis=2)).mean(axis=0)
    half = np.array([95.0, 75.0]) / long_axis.cine.spacing_mm[:2]
    box = Box(left=centre[0] - half[0], right=centre[0] + half[0], top=centre[1] - half[1], bottom=centre[1] + half[1])
    draw_slice(axes, long_axis, Tile(0, frame, title), box)
    for stack, colour, chosen in stacks:
        for index in chosen:
            _draw_plane(axes, long_axis.cine, stack, index, colour)
    inverse = np.linalg.inv(long_axis.cine.affine)
    for place, colour in (points or {}).values():
        axes.plot(*apply_affine(inverse, place)[:2], "o", color=colour, markersize=6, markeredgecolor=BACKGROUND)
    return figure


def _draw_plane(axes: Axes, long_axis: Cine, stack: Cine, index: int, colour: str) -> None:
    """Draw the line in which a slice cuts the long-axis plane, as long as the slice's image is wide, at most 130 mm."""
    step = np.array([0.0, 0.0, stack.slice_positions_mm[index] / np.linalg.norm(stack.affine[:3, 2])])
    middle = apply_affine(stack.affine, np.array([*(np.array(stack.array.shape[:2]) / 2), 0.0]) + step)
    inverse = np.linalg.inv(long_axis.affine)
    normal = long_axis.affine[:3, :3].T @ np.cross(stack.affine[:3, 0], stack.affine[:3, 1])
    through = apply_affine(inverse, middle)
    along = np.array([-normal[1], normal[0]])
    along /= np.linalg.norm(along * long_axis.spacing_mm[:2]) or 1.0
    # The point of the slice within the plane of the picture that is nearest to the slice's middle.
    shift = -normal[2] * -through[2] / (normal[0] ** 2 + normal[1] ** 2)
    nearest = through[:2] + np.array(normal[:2]) * -shift
    ends = np.stack([nearest - 65 * along, nearest + 65 * along])
    axes.plot(*ends.T, color=colour, linewidth=1.6, alpha=0.9)


def curves(
    lines: Sequence[tuple[str, Sequence[float], str]],
    *,
    marks: Sequence[tuple[float, float, str]] = (),
    unit: str = "ml",
    x: Sequence[float] | None = None,
) -> Figure:
    """Draw curves over the frames, (title, values, colour), with marked points (frame, value, text)."""
    figure = figure_of(4.8, 2.2)
    axes = figure.add_axes((0.09, 0.2, 0.8, 0.68))
    for title, values, colour in lines:
        at = np.arange(len(values)) if x is None else np.asarray(x)
        axes.plot(at, values, "o-", color=colour, linewidth=1.8, markersize=3)
        axes.text(at[-1] + 0.03 * (at[-1] - at[0]), values[-1], title, color=colour, fontsize=8, va="center")
    for frame, value, text in marks:
        axes.plot(frame, value, "o", color=MARK, markersize=7, fillstyle="none", markeredgewidth=1.6)
        is_lower = any(value < other and abs(frame - at) < 3 for at, other, _ in marks)
        place = (0, -15 if is_lower else 8)
        axes.annotate(text, (frame, value), place, textcoords="offset points", color=MARK, fontsize=8, ha="center")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_facecolor(BACKGROUND)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.12)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    axes.grid(axis="y", color=FAINT)
    axes.set_xlabel("frame", color=INK, fontsize=8)
    axes.set_title(unit, color=INK, fontsize=8, loc="left")
    return figure
