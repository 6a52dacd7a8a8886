"""Slices across the LV pass, oblique ones and a tube do not; planes of another view are found from base and RV."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hearts import LENGTH_MM, LV, MYO, RADIUS_MM, RV, STANDARD_AXES, WALL_MM, acdc_patient, cine_of, context_of, heart

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.geometry import unit
from cinema_cmr.core.results import HeartLocation
from cinema_cmr.core.study import Issue
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.quality.context import QualityContext
from cinema_cmr.measure.quality.image_edge import heart_exceeds_image
from cinema_cmr.measure.quality.orientation import (
    MIN_ODDS,
    ORIENTATION_CHECKS,
    base_uncertain,
    cut_shape,
    heart_mirrored,
    long_axes_misplaced,
    not_short_axis,
)
from cinema_cmr.views.long_axes import VIEW_ROTATIONS_DEG

Array = np.ndarray


def tilted_heart(
    tilt_deg: float, *, flattening: float = 1.0, scales: tuple[float, ...] = (1.0, 0.7), n_slices: int = 14
) -> tuple[Cine, LabelMap]:
    """Labels on slices 8 mm apart whose normal is tilted from the axis of a half-ellipsoid, an RV beside it."""
    spacing = (2.0, 2.0, 8.0)
    shape = (80, 80, n_slices)
    grid = np.stack(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij"), axis=-1) * spacing
    cosine, sine = np.cos(np.radians(tilt_deg)), np.sin(np.radians(tilt_deg))
    x = cosine * grid[..., 0] + sine * grid[..., 2]
    z = -sine * grid[..., 0] + cosine * grid[..., 2] + LENGTH_MM / 2
    y = grid[..., 1] / flattening
    frames = []
    for scale in scales:
        share = np.sqrt(np.clip(1 - (z / LENGTH_MM) ** 2, 0, 1))
        radius = np.hypot(x, y)
        inside = (z >= 0) & (z <= LENGTH_MM + WALL_MM)
        frame = np.zeros(shape, dtype=np.uint8)
        frame[(np.hypot(x + RADIUS_MM + WALL_MM, y) < 30 * scale * (1 - z / LENGTH_MM)) & inside] = RV
        frame[
            (radius < (RADIUS_MM * scale + WALL_MM) * np.sqrt(np.clip(1 - (z / (LENGTH_MM + WALL_MM)) ** 2, 0, 1)))
            & inside
        ] = MYO
        frame[(radius < RADIUS_MM * scale * share) & inside] = LV
        frames.append(frame)
    labels = LabelMap(array=np.stack(frames, axis=3))
    return cine_of(labels.array.shape, spacing), labels


def unsure(confidence: float) -> Array:
    return np.full(2, confidence, dtype=np.float32)


@pytest.mark.parametrize("check", ORIENTATION_CHECKS, ids=lambda check: check.__name__)
def test_a_sound_heart_is_silent(check) -> None:  # type: ignore[no-untyped-def]
    assert check(context_of(*heart())) is None


@pytest.mark.parametrize("tilt_deg", [0, 10, 20])
def test_slices_across_the_ventricle_pass_even_if_the_model_is_unsure(tilt_deg: float) -> None:
    assert not_short_axis(context_of(*tilted_heart(tilt_deg), confidence=unsure(0.88))) is None


@pytest.mark.parametrize("tilt_deg", [50, 60, 75, 90])
def test_oblique_slices_are_no_short_axis(tilt_deg: float) -> None:
    flag = not_short_axis(context_of(*tilted_heart(tilt_deg), confidence=unsure(0.87)))
    assert flag is not None and flag.severity == "error"
    assert float(flag.evidence["elongation"] or 0) > 1.1 and float(flag.evidence["log_odds"] or 0) >= MIN_ODDS
    assert "normal" in flag.message and "myocardium" in flag.message


def test_an_lv_that_the_edge_of_the_image_cuts_is_left_to_that_flag() -> None:
    _, labels = tilted_heart(60)
    at = int(np.argwhere(labels.array == LV)[:, 0].mean())
    half = LabelMap(array=np.ascontiguousarray(labels.array[:at]))
    context = context_of(cine_of(half.array.shape, (2.0, 2.0, 8.0)), half, confidence=unsure(0.87))
    shape = cut_shape(context)
    assert shape is not None and shape.log_odds >= MIN_ODDS
    flag = heart_exceeds_image(context)
    assert flag is not None and flag.severity == "error" and not_short_axis(context) is None


def test_a_ventricle_flattened_by_its_rv_is_a_short_axis() -> None:
    """Oblong as that of an oblique slice, but closed and certain."""
    context = context_of(*tilted_heart(0, flattening=1.35), confidence=unsure(0.94))
    shape = cut_shape(context)
    assert shape is not None and shape.elongation > 1.2
    assert not_short_axis(context) is None


@pytest.mark.parametrize("slices", [slice(3, 7), slice(4, 8)])
def test_a_stack_that_ends_within_the_heart_at_both_ends_is_wider_than_long_and_passes(slices: slice) -> None:
    _, labels = tilted_heart(0)
    part = LabelMap(array=labels.array[:, :, slices])
    context = context_of(cine_of(part.array.shape, (2.0, 2.0, 8.0)), part, confidence=unsure(0.9))
    shape = cut_shape(context)
    assert shape is not None and shape.axis_deg <= 30
    assert not_short_axis(context) is None


def test_a_tube_along_the_slices_is_no_ventricle() -> None:
    """As the descending aorta of a transverse stack."""
    array = np.zeros((60, 60, 14, 2), dtype=np.uint8)
    x, y = np.meshgrid(np.arange(60) - 30, np.arange(60) - 30, indexing="ij")
    array[(np.hypot(x, y) < 9)] = MYO
    array[(np.hypot(x, y) < 7)] = LV
    array[:, :, 0, 1] = 0
    flag = not_short_axis(
        context_of(cine_of(array.shape, (1.5, 1.5, 9.0)), LabelMap(array=array), confidence=unsure(0.8))
    )
    assert flag is not None and float(flag.evidence["length_ratio"] or 0) > 2.3


def test_masks_that_no_model_made_are_not_judged() -> None:
    context = context_of(*tilted_heart(60))
    assert cut_shape(replace(context, prediction=None)) is None
    assert not_short_axis(context_of(*tilted_heart(60), confidence=unsure(np.nan))) is None
    magnified = HeartLocation(centre=(0.0, 0.0), method="motion", evidence={"magnification": 1.5, "extent_mm": 54.0})
    assert not_short_axis(context_of(*tilted_heart(60), confidence=unsure(0.87))) is not None
    assert not_short_axis(context_of(*tilted_heart(60), confidence=unsure(0.87), location=magnified)) is None
    one_slice = LabelMap(array=np.where(np.arange(10)[:, None] == 3, heart()[1].array, 0))
    assert not_short_axis(context_of(heart()[0], one_slice)) is None


def with_planes(rotations: dict[View, float], *, flip: bool = False) -> QualityContext:
    """A heart with long-axis planes at rotations about its axis; `flip` begins the stack at the apex."""
    cine, labels = heart(oriented=True)
    if flip:
        labels = LabelMap(array=np.ascontiguousarray(labels.array[:, :, ::-1]))
    context = context_of(cine, labels)
    axis = STANDARD_AXES[2] * (-1 if flip else 1)
    towards_rv = -STANDARD_AXES[0]
    anterior = np.cross(towards_rv, axis)
    planes = []
    for view, degrees in rotations.items():
        along = np.cos(np.radians(degrees)) * towards_rv + np.sin(np.radians(degrees)) * anterior
        normal = unit(np.cross(axis, along))
        plane = cine_of((32, 32, 1, 2), (1.5, 1.5, 8.0), axes=np.stack([along, axis, normal]), oriented=True, view=view)
        planes.append(plane)
    return replace(context, study=replace(context.study, cines=(cine, *planes)))


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("off_deg", [-20.0, 0.0, 20.0])
def test_planes_of_their_views_pass(off_deg: float, flip: bool) -> None:
    rotations = {view: degrees + off_deg for view, degrees in VIEW_ROTATIONS_DEG.items()}
    assert long_axes_misplaced(with_planes(rotations, flip=flip)) is None


@pytest.mark.parametrize("flip", [False, True])
def test_exchanged_planes_are_named(flip: bool) -> None:
    two, four = VIEW_ROTATIONS_DEG[View.LAX_2C], VIEW_ROTATIONS_DEG[View.LAX_4C]
    context = with_planes({View.LAX_2C: four, View.LAX_4C: two, View.LAX_3C: 25.0}, flip=flip)
    flag = long_axes_misplaced(context)
    assert flag is not None and flag.severity == "warning"
    assert {name: abs(int(off or 0)) for name, off in flag.evidence.items()} == {
        "lax_2c_off_deg": 60,
        "lax_4c_off_deg": 60,
    }
    assert "lax_3c" not in flag.message


def test_without_an_rv_or_an_orientation_no_plane_is_judged() -> None:
    exchanged = with_planes({View.LAX_2C: -30.0, View.LAX_4C: 90.0})
    without = LabelMap(array=np.where(exchanged.labels.array == RV, 0, exchanged.labels.array).astype(np.uint8))
    assert long_axes_misplaced(replace(exchanged, labels=without)) is None
    assert long_axes_misplaced(replace(exchanged, cine=replace(exchanged.cine, orientation_known=False))) is None


def turned_rv(turn_deg: float, *, flip: bool = False) -> QualityContext:
    """A heart whose RV turns about the LV from the first slice, the base, to the last, towards larger y."""
    cine, labels = heart(oriented=True)
    array = np.where(labels.array == RV, 0, labels.array).astype(np.uint8)
    x, y = np.meshgrid(*(1.5 * (np.arange(n) - n // 2) for n in array.shape[:2]), indexing="ij")
    for k, angle in enumerate(np.radians(np.linspace(-turn_deg / 2, turn_deg / 2, 8))):
        middle = 33 * np.array([-np.cos(angle), np.sin(angle)])
        disc = np.hypot(x - middle[0], y - middle[1]) < 20
        plane = array[:, :, k]
        plane[disc[..., None] & (plane == 0)] = RV
    if flip:
        array = np.ascontiguousarray(array[:, :, ::-1])
        affine = cine.affine.copy()
        affine[:3, 3] += affine[:3, 2] * (array.shape[2] - 1)
        affine[:3, 2] *= -1
        cine = replace(cine, affine=affine)
    return context_of(cine, LabelMap(array=array))


@pytest.mark.parametrize("flip", [False, True])
def test_an_rv_that_turns_towards_the_front_is_that_of_a_mirrored_heart(flip: bool) -> None:
    """y runs to the back, so that a turn towards larger y is the usual one; the order of the slices changes nothing."""
    assert heart_mirrored(turned_rv(40, flip=flip)) is None
    assert heart_mirrored(turned_rv(-12, flip=flip)) is None
    context = turned_rv(-40, flip=flip)
    flag = heart_mirrored(context)
    assert flag is not None and flag.code == "body-mirrored"
    assert float(flag.evidence["rv_turn_deg"] or 0) > 25
    known = Issue(code="body-mirrored", severity="warning", message="m")
    assert heart_mirrored(replace(context, study=replace(context.study, issues=(known,)))) is None


def test_the_rv_of_real_hearts_turns_one_way(real_data: Path) -> None:
    """ACDC's files state no orientation, but the same hand in all."""
    mirrored = []
    for number in range(1, 101, 10):
        cine, labels, _ = acdc_patient(real_data, number)
        for left in (-1.0, 1.0):
            axes = STANDARD_AXES * np.array([[left], [1], [1]])
            oriented = cine_of(cine.shape, cine.spacing_mm, axes=axes, oriented=True)
            mirrored.append(heart_mirrored(context_of(oriented, labels)) is not None)
    found = np.array(mirrored).reshape(-1, 2).sum(axis=0)
    assert found.min() == 0 and found.max() >= 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "title"),
    [(25, "rotated, transverse alone"), (85, "rotated, transverse alone"), (36, "rotated, all views")],
)
def test_phantoms_that_geometry_mistakes_are_found_by_their_masks(seed: int, title: str) -> None:
    """Of the benchmark's cases that passed recognition without a flag; their own short axes pass."""
    path = Path(__file__).resolve().parents[3] / "benchmarks" / "view_orientations.py"
    spec = importlib.util.spec_from_file_location("view_orientations", path)
    assert spec is not None and spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    from cinema_cmr.pipeline.analysis_options import Options
    from cinema_cmr.pipeline.analyzer import Analyzer

    movement, names = bench.cases_of(seed)[title]
    study = bench.image_study(seed)
    assert bench.outcome(study, names, movement) == "silent"
    analyzer = Analyzer(Options.of(tta=1, landmarks="none", disease="none"))
    found = bench.flags_of_analysis(study, names, movement, analyzer)
    assert ("long-axes-misplaced" if "all" in title else "not-short-axis") in found
    usual, views = bench.cases_of(seed)["usual, all views"]
    sound = bench.flags_of_analysis(study, views, usual, analyzer)
    assert not bench.FLAGS_OF_MASKS & set(sound)


def test_a_whole_heart_in_the_usual_position_has_a_certain_base() -> None:
    assert base_uncertain(context_of(*heart(oriented=True))) is None
    assert base_uncertain(context_of(*heart())) is None


def test_a_base_that_masks_and_orientation_place_at_opposite_ends_is_uncertain() -> None:
    cine, labels = heart(oriented=True)
    context = context_of(cine, LabelMap(array=labels.array[:, :, ::-1].copy()))
    flag = base_uncertain(context)
    assert flag is not None and flag.code == "base-uncertain"
    assert {"base": "last", "masks": "last", "orientation": "first"}.items() <= flag.evidence.items()
    assert "though orientation would have it at the other end" in flag.message
    blood = np.where(context.labels.array == MYO, 0, context.labels.array)
    assert base_uncertain(context_of(cine, LabelMap(array=blood))) is None


@pytest.mark.parametrize(("slices", "found"), [((0, 0, 1, 2), "first"), ((0, 0, 0, 0), "unknown")])
def test_a_base_that_nothing_shows_clearly_is_uncertain(slices: tuple[int, ...], found: str) -> None:
    labels = LabelMap(array=heart()[1].array[:, :, list(slices)])
    context = context_of(cine_of(labels.array.shape), labels)
    flag = base_uncertain(context)
    assert flag is not None and flag.evidence["base"] == found
    assert ("every slice counts" in flag.message) == (found == "unknown") == (context.volumes.base is None)
