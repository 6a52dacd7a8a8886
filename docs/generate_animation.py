"""Write docs/pictures/demo.webp, the beating heart of the README: an analysis of the embedded synthetic study.

python docs/generate_animation.py
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

import cinema_cmr as cmr
from cinema_cmr.io.atomic import write_bytes
from cinema_cmr.measure.contours import loops, smooth_masks
from cinema_cmr.measure.volumes import CODES
from cinema_cmr.phantom.demo import demo_path
from cinema_cmr.report.display import Box, heart_box, window

PICTURE = Path(__file__).parent / "pictures" / "demo.webp"
COLOURS = {"lv": "#ff6b5e", "myo": "#4fd07d", "rv": "#5aa2ff"}
BACKGROUND, INK, FAINT = "#0d1117", "#e6edf3", "#30363d"
MILLISECONDS = 60


def main() -> None:
    """Analyse the demo study and draw each of its frames."""
    analysis = cmr.analyse(demo_path())
    frames = [_frame(analysis, frame) for frame in range(analysis.study.cine(cmr.View.SAX).n_frames)]
    buffer = io.BytesIO()
    frames[0].save(
        buffer, "WEBP", save_all=True, append_images=frames[1:], duration=MILLISECONDS, loop=0, quality=70, method=6
    )
    write_bytes(PICTURE, buffer.getvalue(), overwrite=True)
    print(f"{PICTURE}: {len(frames)} frames, {len(buffer.getvalue()) / 1000:.0f} kB")


def _frame(analysis: cmr.Analysis, frame: int) -> Image.Image:
    figure = Figure(figsize=(9.6, 2.5), dpi=100, facecolor=BACKGROUND)
    canvas = FigureCanvasAgg(figure)
    cine = analysis.study.cine(cmr.View.SAX)
    labels = analysis.predictions[cmr.View.SAX].labels.array
    box = heart_box(cine, labels)
    area = (labels == CODES["lv"]).sum(axis=(0, 1, 3))
    drawn = np.flatnonzero(area)
    for place, slice_index in enumerate(drawn[np.linspace(1, len(drawn) - 4, 3).astype(int)]):
        _draw_slice(figure.add_axes((place * 0.235, 0, 0.23, 1)), analysis, box, int(slice_index), frame)
    _draw_curve(figure.add_axes((0.755, 0.17, 0.225, 0.52)), analysis, frame)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _draw_slice(axes: Axes, analysis: cmr.Analysis, box: Box, slice_index: int, frame: int) -> None:
    cine = analysis.study.cine(cmr.View.SAX)
    labels = analysis.predictions[cmr.View.SAX].labels.array[:, :, slice_index, frame].T
    low, high = window(cine, box)
    axes.imshow(cine.array[:, :, slice_index, frame].T, cmap="gray", vmin=low, vmax=high, interpolation="bicubic")
    for name, colour in COLOURS.items():
        inside = (labels == CODES[name]) | ((name == "myo") & (labels == CODES["lv"]))
        for loop in loops(smooth_masks(inside)):
            axes.plot(*loop.T, color=colour, linewidth=1.6)
    axes.set(xlim=(box.left, box.right), ylim=(box.bottom, box.top))
    axes.set_axis_off()


def _draw_curve(axes: Axes, analysis: cmr.Analysis, frame: int) -> None:
    curves = analysis.measurements.curves
    for name in ("lv", "rv"):
        curve = curves[f"{name}_volume_ml"]
        axes.plot(curve, color=COLOURS[name], linewidth=1.8)
        axes.plot(frame, curve[frame], "o", color=COLOURS[name], markersize=6)
    axes.set_facecolor(BACKGROUND)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    axes.grid(axis="y", color=FAINT)
    values = analysis.measurements
    for name, left in (("lv", 0.0), ("rv", 0.54)):  # in the colours of outlines and curves: their legend
        text = f"{name.upper()}EF {values[f'{name}_ef_percent'].value:.0f} %"
        axes.text(left, 1.30, text, color=COLOURS[name], fontsize=11, weight="bold", transform=axes.transAxes)
    axes.text(0, 1.10, "volume (ml) over the cycle, frames", color=INK, fontsize=8, transform=axes.transAxes)


if __name__ == "__main__":
    main()
