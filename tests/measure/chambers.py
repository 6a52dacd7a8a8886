"""Long-axis masks of known size: half-ellipses of ventricle and atrium on both sides of a valve, over a cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from hearts import LV, MYO, RV, cine_of
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View

LA, RA = 4, 5
N_FRAMES, ES = 20, 7
PIXEL_MM = 1.2
LV_MM, WALL_MM = 85.0, 9.0
LV_WIDTH_MM: Mapping[View, float] = {View.LAX_4C: 26.0, View.LAX_2C: 22.0, View.LAX_3C: 22.0}
LA_WIDTH_MM: Mapping[View, float] = {View.LAX_4C: 23.0, View.LAX_2C: 25.0, View.LAX_3C: 20.0}
"""Half of the width, fullest."""
LA_MM, RA_MM, RA_WIDTH_MM = 52.0, 44.0, 20.0
SHAPE = (150, 150)


def emptied(n_frames: int = N_FRAMES, es: int = ES) -> NDArray[np.float64]:
    """Return (t,) how far the ventricle has emptied, 0 at frame 0 to 1 at end-systole and back."""
    t = np.arange(n_frames)
    return np.where(t <= es, 1 - np.cos(np.pi * t / es), 1 + np.cos(np.pi * (t - es) / (n_frames - es))) / 2


def widths(empty: float, *, filling: bool) -> float:
    """Return the share of the fullest width of an atrium, which fills as the ventricle empties, or of a ventricle."""
    return 1 - 0.35 * (1 - empty) if filling else 1 - 0.3 * empty


def plane(view: View, empty: float, full: float | None = None) -> NDArray[np.uint8]:
    """Return one frame (x, y): ventricles below y = 0, atria above; `full` how full the atria are, else as `empty`."""
    x = (np.arange(SHAPE[0]) - 70)[:, None] * PIXEL_MM
    y = (np.arange(SHAPE[1]) - 50)[None, :] * PIXEL_MM - 0.5 * PIXEL_MM
    lv, la = widths(empty, filling=False) * LV_WIDTH_MM[view], widths(full or empty, filling=True) * LA_WIDTH_MM[view]

    def within(middle: float, width: float, length: float) -> NDArray[np.bool_]:
        return ((x - middle) / width) ** 2 + (y / length) ** 2 < 1

    codes = np.where(within(0, lv + WALL_MM, LV_MM + WALL_MM) & (y > 0), MYO, 0)
    codes[within(0, lv, LV_MM) & (y > 0)] = LV
    codes[within(0, la, LA_MM) & (y < 0)] = LA
    if view is View.LAX_4C:
        ra = widths(full or empty, filling=True) * RA_WIDTH_MM
        codes[within(55, 18, 60) & (y > 0) & (codes == 0)] = RV
        codes[within(55, ra, RA_MM) & (y < 0) & (codes == 0)] = RA
    return codes.astype(np.uint8)


def chambers(
    views: Sequence[View] = (View.LAX_4C, View.LAX_2C), *, n_frames: int = N_FRAMES, subject: Subject | None = None
) -> tuple[Study, dict[View, LabelMap]]:
    """Return a study of long-axis planes over one cycle and its masks of ventricles and atria."""
    arrays = {
        view: np.stack([plane(view, one) for one in emptied(n_frames, min(ES, n_frames - 1))], axis=-1)[:, :, None]
        for view in views
    }
    cines = [cine_of(array.shape, (PIXEL_MM, PIXEL_MM, 8.0), view=view) for view, array in arrays.items()]
    study = Study(name="chambers", cines=tuple(cines), subject=subject or Subject())
    return study, {view: LabelMap(array=array, scheme="chambers") for view, array in arrays.items()}


def la_volume_ml(full: float) -> float:
    """Return the volume of the half-ellipsoid whose planes are drawn, as full as that."""
    share = widths(full, filling=True)
    return 2 / 3 * np.pi * share**2 * LA_WIDTH_MM[View.LAX_4C] * LA_WIDTH_MM[View.LAX_2C] * LA_MM / 1000
