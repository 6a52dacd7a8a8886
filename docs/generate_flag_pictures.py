"""Write docs/pictures/flags/CODE.webp and captions.json: what raises each flag, made on a synthetic heart.

    python docs/generate_flag_pictures.py [CODE ...]

Each function below spoils a phantom, or its masks, in the way that its flag reports. The study is measured (or
read) as any other; a fault that does not raise its flag stops the script. The caption
is the message of the report.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from flag_drawing import COLOURS, MARK, Panel, Tile, curves, planes, slices, webp
from flag_faults import (
    FAULTS,
    LAX,
    LOST,
    LV,
    MYO,
    RV,
    SAX,
    Fault,
    N,
    around,
    fault,
    heart,
    long_axis,
    masks,
    measured,
    middle,
    on_long_axis,
    row,
    selected,
    stack,
    volume_curves,
)
from matplotlib.figure import Figure
from scipy.ndimage import binary_dilation

import cinema_cmr as cmr
from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import LandmarkPrediction, RemovedComponent
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.atomic import write_bytes, write_text
from cinema_cmr.measure.quality.landmarks import plausible_landmarks
from cinema_cmr.phantom.phantom import make_phantom
from cinema_cmr.report.display import Box, heart_box

FOLDER = Path(__file__).parent / "pictures" / "flags"


@fault("few-slices")
def few_slices() -> Fault:
    """Leave four slices."""
    n = stack()[0].n_slices
    kept = list(range(2, n - 1, max(1, (n - 2) // 4)))[:4]
    return Fault(*selected(kept), on_long_axis())


@fault("wide-slice-spacing")
def wide_slice_spacing() -> Fault:
    """Leave every second slice."""
    return Fault(*selected(list(range(0, stack()[0].n_slices, 2))), on_long_axis())


@fault("gap-in-stack")
def gap_in_stack() -> Fault:
    """Lose one slice."""
    lost = middle()
    kept = [index for index in range(stack()[0].n_slices) if index != lost]
    return Fault(*selected(kept), on_long_axis(stack()[0].select(slices=lost)))


@fault("apex-not-covered")
def apex_not_covered() -> Fault:
    """Lose the four slices towards the apex, of another heart."""
    other = make_phantom(2, group="HCM", style="biobank-1.5t", views=(SAX, LAX), n_frames=N)
    cine, labels = other.study.cine(SAX), other.labels[SAX]
    kept = list(range(4, cine.n_slices))

    def draw(spoilt: Fault, _: cmr.Measurements) -> Figure:
        image = Panel(other.study.cine(LAX), other.labels[LAX])
        lost = cine.select(slices=list(range(4)))
        return planes(image, [(lost, LOST, range(4)), (spoilt.cine, MARK, range(spoilt.cine.n_slices))])

    left = LabelMap(array=labels.array[:, :, kept])
    return Fault(cine.select(slices=kept), left, draw, with_long_axis=True, sound=other)


@fault("base-not-covered")
def base_not_covered() -> Fault:
    """Lose the slices towards the base."""
    n = stack()[0].n_slices
    kept = list(range(5, n)) if _base_first() else list(range(n - 5))
    lost = [index for index in range(n) if index not in kept]
    return Fault(*selected(kept), on_long_axis(stack()[0].select(slices=lost)), with_long_axis=True)


def _base_first() -> bool:
    areas = (stack()[1].array[..., 0] == RV).sum(axis=(0, 1))
    return bool(np.average(np.arange(len(areas)), weights=areas) < (len(areas) - 1) / 2)


@fault("few-frames")
def few_frames() -> Fault:
    """Leave nine frames."""
    return Fault(*stack(9), volume_curves)


@fault("slice-misalignment")
def slice_misalignment() -> Fault:
    """Move one slice by 14 mm, as another breath hold does."""
    cine, labels = stack()
    at, by = middle(), round(14 / cine.spacing_mm[0])
    images, moved = cine.array.copy(), labels.array.copy()
    images[:, :, at], moved[:, :, at] = np.roll(images[:, :, at], by, axis=0), np.roll(moved[:, :, at], by, axis=0)

    def draw(spoilt: Fault, _: cmr.Measurements) -> Figure:
        figure = slices(spoilt.panel, around(at))
        for axes in figure.axes:
            axes.axvline(
                np.argwhere(labels.array[:, :, at - 1, 0] == LV)[:, 0].mean(), color=MARK, linestyle="--", lw=1
            )
        return figure

    return Fault(replace(cine, array=images), LabelMap(array=moved), draw)


@fault("heart-exceeds-image")
def heart_exceeds_image() -> Fault:
    """Crop the images through the right ventricle."""
    cine, labels = stack()
    held = np.flatnonzero((labels.array == RV).any(axis=(1, 2, 3)))
    away = np.flatnonzero((labels.array == LV).any(axis=(1, 2, 3))).mean() > held.mean()
    cut = slice(held[0] + 8, None) if away else slice(None, held[-1] - 7)
    box = {"array": cine.array[cut], "affine": cine.affine}
    spoilt = replace(cine, **box)
    return Fault(spoilt, LabelMap(array=labels.array[cut]), row(*around(middle())))


@fault("low-contrast")
def low_contrast() -> Fault:
    """Add noise of a fifth of the range."""
    cine, labels = stack()
    sd = 0.2 * float(np.percentile(cine.array, 99))
    noise = np.random.default_rng(0).normal(0, sd, cine.array.shape)
    return Fault(replace(cine, array=np.abs(cine.array + noise).astype(np.float32)), labels, row(*around(middle())))


@fault("structure-missing")
def structure_missing() -> Fault:
    """Lose the right ventricle in some frames."""
    array = masks()
    array[..., 8:][array[..., 8:] == RV] = 0
    at = middle()
    tiles = (Tile(at, 0, "frame 0"), Tile(at, 10, "frame 10: no RV"))
    return Fault(stack()[0], LabelMap(array=array), row(*tiles))


@fault("slice-without-lv")
def slice_without_lv() -> Fault:
    """Lose all labels of one slice."""
    array = masks()
    array[:, :, middle()] = 0
    return Fault(stack()[0], LabelMap(array=array), row(*around(middle())))


@fault("multiple-components")
def multiple_components() -> Fault:
    """Add a second piece of right ventricle."""
    array = masks()
    at = middle()
    places = np.argwhere(array[:, :, at, 0] == MYO)
    low, size = places.max(axis=0) + 6, 14
    part = array[low[0] : low[0] + size, low[1] - size : low[1], at - 1 : at + 2]
    part[part == 0] = RV
    return Fault(stack()[0], LabelMap(array=array), row(*around(at)))


@fault("lv-not-enclosed")
def lv_not_enclosed() -> Fault:
    """Lose half of the wall in one slice."""
    array = masks()
    plane = array[:, :, middle()]
    right = np.arange(plane.shape[0])[:, None, None] > np.argwhere(plane == LV)[:, 0].mean() - 9
    plane[(plane == MYO) & right] = 0
    return Fault(stack()[0], LabelMap(array=array), row(*around(middle())))


@fault("basal-slice-excluded")
def basal_slice_excluded() -> Fault:
    """Lose the wall of the most basal slice with blood."""
    array = masks()
    filled = np.flatnonzero((array[..., 0] == LV).any(axis=(0, 1)))
    at = int(filled[0] if _base_first() else filled[-1])
    plane = array[:, :, at]
    plane[plane == MYO] = 0
    tiles = (Tile(at, 0, f"slice {at}: not counted"), Tile(at + (1 if _base_first() else -1), 0, "its neighbour"))
    blood = np.zeros_like(array)
    blood[:, :, at] = np.where(array[:, :, at] == LV, LV, 0)

    def draw(spoilt: Fault, _: cmr.Measurements) -> Figure:
        counted = LabelMap(array=np.where(blood > 0, 0, array).astype(np.uint8))
        return slices(Panel(spoilt.cine, counted), tiles, beside=LabelMap(array=blood), colour="#b0b8c0")

    return Fault(stack()[0], LabelMap(array=array), draw)


@fault("removed-components")
def removed_components() -> Fault:
    """Report a piece that post-processing removed, drawn dashed."""
    before = masks()
    at = middle()
    low = np.argwhere(before[:, :, at, 0] == MYO).max(axis=0) + 8
    before[low[0] : low[0] + 16, low[1] - 16 : low[1], at - 1 : at + 2] = LV
    removed = np.where(stack()[1].array == 0, before, 0)
    removed = np.where(removed == LV, LV, 0).astype(np.uint8)
    gone = tuple(RemovedComponent(structure="lv", frame=frame, volume_ml=9.0) for frame in range(2))

    def draw(spoilt: Fault, _: cmr.Measurements) -> Figure:
        box = heart_box(spoilt.cine, np.maximum(spoilt.labels.array, removed))
        return slices(spoilt.panel, around(at), beside=LabelMap(array=removed), box=box)

    return Fault(*stack(), draw, facts={"removed_components": gone})


def _wide(cine: Cine) -> Box:
    box = heart_box(cine, stack()[1].array)
    return replace(box, left=box.left - 8, right=box.right + 8, top=box.top - 8, bottom=box.bottom + 8)


@fault("irregular-curve")
def irregular_curve() -> Fault:
    """Lose the upper half of the LV in one frame."""
    array = masks()
    for index in range(0, array.shape[2], 2):
        array[:, :, index, 13][array[:, :, index, 13] == LV] = 0
    return Fault(stack()[0], LabelMap(array=array), volume_curves)


@fault("incomplete-cycle")
def incomplete_cycle() -> Fault:
    """Leave two thirds of the beat."""
    cine, labels = stack()
    kept = list(range(12))
    return Fault(cine.select(frames=kept), LabelMap(array=labels.array[..., kept]), volume_curves)


@fault("unusual-phases")
def unusual_phases() -> Fault:
    """Begin the cine in the middle of the beat."""
    cine, labels = stack()
    return Fault(cine, LabelMap(array=np.roll(labels.array, 10, axis=-1)), volume_curves)


@fault("end-systole-mismatch")
def end_systole_mismatch() -> Fault:
    """Let the right ventricle contract five frames later."""
    array = masks()
    later = np.roll(array, 5, axis=-1)
    array[array == RV] = 0
    array[(later == RV) & (array == 0)] = RV
    return Fault(stack()[0], LabelMap(array=array), volume_curves)


@fault("sv-mismatch")
def sv_mismatch() -> Fault:
    """Hold the right ventricle's mask at end-diastole, but for a little."""
    array = masks()
    still = array.copy()
    still[..., 1:] = np.where((array[..., :1] == RV) & (array[..., 1:] == 0), RV, array[..., 1:])
    keep = np.arange(array.shape[2]) % 3 > 0
    array[:, :, keep] = still[:, :, keep]
    return Fault(stack()[0], LabelMap(array=array), volume_curves)


@fault("implausible-ef")
def implausible_ef() -> Fault:
    """Lose most of the LV at end-systole."""
    array = masks()
    volumes = (array == LV).sum(axis=(0, 1, 2))
    es = int(volumes.argmin())
    for frame in range(es - 3, es + 4):
        lost = np.arange(array.shape[2]) % 4 > 0 if abs(frame - es) < 2 else np.arange(array.shape[2]) % 2 > 0
        plane = array[:, :, lost, frame]
        plane[plane == LV] = MYO
        array[:, :, lost, frame] = plane
    return Fault(stack()[0], LabelMap(array=array), volume_curves)


@fault("implausible-volume")
def implausible_volume() -> Fault:
    """State pixels of three and a half times their size, as after a lost header."""
    cine, labels = stack()
    affine = cine.affine.copy()
    affine[:, :2] *= 3.5
    return Fault(replace(cine, affine=affine), labels, volume_curves)


@fault("mass-mismatch")
def mass_mismatch() -> Fault:
    """Thicken the wall at end-systole."""
    array = masks()
    es = int((array == LV).sum(axis=(0, 1, 2)).argmin())
    for index in range(array.shape[2]):
        plane = array[:, :, index, es]
        if (plane == LV).any():
            grown = binary_dilation(plane >= MYO, iterations=5) & (plane == 0)
            plane[grown] = MYO
    tiles = (Tile(middle(), 0, "end-diastole"), Tile(middle(), es, "end-systole"))
    return Fault(stack()[0], LabelMap(array=array), row(*tiles))


@fault("slices-out-of-phase")
def slices_out_of_phase() -> Fault:
    """Start half of the slices half a beat later."""
    cine, labels = stack()
    array = labels.array.copy()
    late = list(range(middle(), array.shape[2]))
    array[:, :, late] = np.roll(array[:, :, late], N // 2, axis=-1)

    def draw(spoilt: Fault, _: cmr.Measurements) -> Figure:
        areas = (spoilt.labels.array == LV).sum(axis=(0, 1)) * np.prod(cine.spacing_mm[:2]) / 100
        shown = [index for index in range(len(areas)) if areas[index].max() > 3]
        lines = [("", areas[index], MARK if index in late else COLOURS["lv"]) for index in shown]
        return curves(lines, unit="LV area of each slice, cm²; yellow: half a beat late")

    return Fault(cine, LabelMap(array=array), draw)


@fault("low-confidence")
def low_confidence() -> Fault:
    """Drown the images in noise; the mean probability is stated."""
    cine, labels = stack()
    noise = np.random.default_rng(0).normal(0, 0.45 * float(cine.array.max()), cine.array.shape)
    spoilt = replace(cine, array=(cine.array + noise).astype(np.float32))
    return Fault(spoilt, labels, row(*around(middle())), facts={"confidence": np.full(N, 0.62, np.float32)})


@fault("heart-exceeds-fov")
def heart_exceeds_fov() -> Fault:
    """Cut the masks at the edge of a field of view that is too small."""
    array = masks()
    held = np.argwhere((array > 0).any(axis=(2, 3)))
    low, high = held.min(axis=0) + 10, held.max(axis=0) - 9
    outside = np.ones(array.shape[:2], dtype=bool)
    outside[low[0] : high[0], low[1] : high[1]] = False
    array[outside] = 0

    def draw(spoilt: Fault, _: cmr.Measurements) -> Figure:
        figure = slices(spoilt.panel, around(middle()), box=_wide(spoilt.cine))
        for axes in figure.axes:
            corners = np.array([low, [high[0], low[1]], high, [low[0], high[1]], low]) - 0.5
            axes.plot(*corners.T, color=MARK, linewidth=1.2, linestyle="--")
        return figure

    size = tuple(float(side) for side in (high - low) * stack()[0].spacing_mm[:2])
    return Fault(
        stack()[0], LabelMap(array=array), draw, facts={"truncated": True, "fov_expansions": 1, "fov_mm": size}
    )


def with_atrium() -> np.ndarray:
    """Return masks that hold the most basal slices at end-diastole, so that the atrium is counted in systole."""
    array = masks()
    filled = np.flatnonzero((array[..., 0] == LV).any(axis=(0, 1)))
    basal = filled[:2] if _base_first() else filled[-2:]
    array[:, :, basal] = array[:, :, basal, :1]
    return array


@fault("valve-plane-effect")
def valve_plane_effect() -> Fault:
    """Count the atrium in the basal slices at end-systole; the hinge points have descended past them."""
    sound = heart()
    es = int((sound.labels[SAX].array == LV).sum(axis=(0, 1, 2)).argmin())

    def draw(spoilt: Fault, _: cmr.Measurements) -> Figure:
        marks = sound.landmarks[LAX].points
        points = {name: (marks[name][es], "#ffffff") for name in ("mitral_septal", "mitral_lateral")}
        chosen = [(spoilt.cine, MARK, range(spoilt.cine.n_slices))]
        return planes(long_axis(), chosen, frame=es, points=points, title="end-systole, hinge points white")

    return Fault(stack()[0], LabelMap(array=with_atrium()), draw, with_long_axis=True)


@fault("descent-effect")
def descent_effect() -> Fault:
    """The same masks, judged by the stack alone."""
    es = int((stack()[1].array == LV).sum(axis=(0, 1, 2)).argmin())
    filled = np.flatnonzero((stack()[1].array[..., 0] == LV).any(axis=(0, 1)))
    basal, below = (int(filled[0]), int(filled[2])) if _base_first() else (int(filled[-1]), int(filled[-3]))
    tiles = (Tile(basal, 0, "basal, end-diastole"), Tile(basal, es, "end-systole: atrium"), Tile(below, es, "below"))
    return Fault(stack()[0], LabelMap(array=with_atrium()), row(*tiles))


def landmarks_with(moved: Sequence[int]) -> Fault:
    """Return a fault whose lateral hinge point lies elsewhere in some frames."""
    true = heart().landmarks[LAX]
    points = {name: place.copy() for name, place in true.points.items()}
    apart = points["mitral_lateral"][0] - points["mitral_septal"][0]
    points["mitral_lateral"][list(moved)] += 1.2 * apart
    sure = {name: np.ones(N) for name in points}
    found = LandmarkPrediction(landmarks=replace(true, points=points), confidence=sure, centre=(0.0, 0.0))
    _, flags = plausible_landmarks(found)

    def draw(_: Fault, __: cmr.Measurements) -> Figure:
        frame = moved[0]
        colours = {"mitral_septal": MARK, "mitral_lateral": LOST, "apex": MARK}
        shown = {name: (points[name][frame], colour) for name, colour in colours.items()}
        return planes(long_axis(), [], frame=frame, points=shown, title=f"frame {frame}; red: no heart has it there")

    return Fault(*stack(), draw, flags=flags)


@fault("landmarks-excluded-lax_4c")
def landmarks_excluded() -> Fault:
    """Move a hinge point in one frame; those beside it jump too."""
    return landmarks_with([8])


@fault("landmarks-implausible-lax_4c")
def landmarks_implausible() -> Fault:
    """Move a hinge point in a third of the frames."""
    return landmarks_with([6, 7, 8, 9, 10, 11, 12])


def main() -> None:
    """Write the pictures and captions, all or those of the given flags."""
    chosen = sys.argv[1:] or list(FAULTS)
    known = FOLDER / "captions.json"
    captions = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
    failed = []
    for code in chosen:
        spoilt = FAULTS[code]()
        found = measured(spoilt)
        messages = {flag.code: flag.message for flag in (*spoilt.flags, *found.flags)}
        if code not in messages:
            failed.append(f"{code}: its fault raises {sorted(messages)} alone; expected {code}")
            continue
        picture = webp(spoilt.draw(spoilt, found))
        write_bytes(FOLDER / f"{code}.webp", picture, overwrite=True)
        captions[code] = messages[code]
        print(f"{code}: {len(picture) / 1000:.1f} kB, {messages[code]}")
    ordered = {code: captions[code] for code in FAULTS if code in captions}
    write_text(known, json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", overwrite=True)
    if failed:
        raise SystemExit("\n".join(failed))


if __name__ == "__main__":
    main()
