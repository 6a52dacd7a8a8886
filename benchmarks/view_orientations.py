"""View recognition of phantoms in any position: usual, mirrored, rotated to any orientation, rotated and mirrored.

`python benchmarks/view_orientations.py [--subjects 100] [--cache FOLDER]` images each subject coarsely (2.8 mm, 6
frames): the short-axis stack, 2-, 3- and 4-chamber planes, and a transverse and a coronal stack. Rotations move whole
studies in space; mirrored ones are reflected. Results are right, flagged (wrong or left out, with `view-uncertain`,
`no-short-axis` or `body-mirrored`) or silently wrong; docs/inputs.md states how many. A right one may carry a flag too.
Those silently wrong are then analysed by one pass of `cinema-sax`: `not-short-axis` and `long-axes-misplaced` are flags
of their true cause. `--again` analyses only those that were stored as silently wrong, a few minutes.
Stores benchmarks/results/view_orientations.json. Without descriptions: no hint helps.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import unit
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.phantom.anatomy.body import Body, build_body
from cinema_cmr.phantom.anatomy.chambers import Chambers
from cinema_cmr.phantom.anatomy.heart import build_heart
from cinema_cmr.phantom.anatomy.surfaces import soften_surfaces
from cinema_cmr.phantom.imaging import acquire, signal_gain
from cinema_cmr.phantom.planes import ImagePlane, plan_view
from cinema_cmr.phantom.render import Beat, render_slice
from cinema_cmr.phantom.styles import Style, draw_style
from cinema_cmr.phantom.subject import GROUPS, draw_subject
from cinema_cmr.pipeline.analysis_options import Options
from cinema_cmr.pipeline.analyzer import Analyzer
from cinema_cmr.views.recognise import Candidate, recognise_views

Array = NDArray[np.float64]

RESULTS = Path(__file__).parent / "results" / "view_orientations.json"
VIEWS = {"sax": View.SAX, "2c": View.LAX_2C, "3c": View.LAX_3C, "4c": View.LAX_4C}
BODY_STACKS = {
    "tra": (np.array([0.0, 0, 1]), np.array([1.0, 0, 0]), 8),
    "cor": (np.array([0.0, 1, 0]), np.array([1.0, 0, 0]), 6),
}
"""Normal, direction of the columns, and number of slices 10 mm apart."""
FLAGS = {"view-uncertain", "no-short-axis", "body-mirrored"}
FLAGS_OF_MASKS = {"not-short-axis", "long-axes-misplaced"}
"""Flags of the same causes, raised once there are masks."""
N_FRAMES = 6
PIXEL_MM = 2.8


def body_stack(body: Body, style: Style, name: str, rng: np.random.Generator) -> ImagePlane:
    """A stack in a body plane through the heart, off by a few degrees."""
    direction, columns, count = BODY_STACKS[name]
    normal = unit(direction + rng.normal(0, 0.06, 3))
    columns = unit(columns - (columns @ normal) * normal)
    middle = body.heart.to_ras(np.array(0.0), np.array(0.0), np.array(0.45 * body.heart.left.length_mm)) + rng.uniform(
        -8, 8, 3
    )
    nx, ny = (2 * round(side / style.pixel_mm / 2) for side in style.field_of_view_mm)
    affine = np.eye(4)
    affine[:3, :3] = np.stack(
        [columns * style.pixel_mm, np.cross(normal, columns) * style.pixel_mm, normal * 10], axis=1
    )
    affine[:3, 3] = middle - affine[:3, :3] @ (np.array([nx, ny, count]) - 1) / 2
    breathing = style.breathing_mm * rng.standard_normal((count, 1)) * np.array([0.05, 0.25, 1.0])
    return ImagePlane(
        view=View.SAX, affine=affine, shape=(nx, ny, count), thickness_mm=style.thickness_mm, breathing_mm=breathing
    )


def image_study(seed: int) -> dict[str, tuple[Array, Array]]:
    """Name of each cine -> images (x, y, z, t) and affine, of one subject in the usual position."""
    style = replace(draw_style(seed), pixel_mm=PIXEL_MM, acquired_mm=(2.9, 3.0))
    body = build_body(build_heart(draw_subject(seed, group=GROUPS[seed % len(GROUPS)])))
    rng = np.random.default_rng((seed, 99))
    planes = {name: plan_view(body.heart, view, style) for name, view in VIEWS.items()}
    planes.update({name: body_stack(body, style, name, rng) for name in BODY_STACKS})
    times = np.arange(N_FRAMES) * body.heart.left_cycle.rr_interval_ms / N_FRAMES
    frames = [body.heart.frame(float(time)) for time in times]
    chambers = Chambers(heart=body.heart)
    pairs = [(frame, chambers.at(frame)) for frame in frames]
    beat = Beat(parts=[soften_surfaces(*pair, style.pixel_mm, style.thickness_mm / 3) for pair in pairs])
    return {name: (image_plane(body, beat, plane, style), plane.affine) for name, plane in planes.items()}


def image_plane(body: Body, beat: Beat, plane: ImagePlane, style: Style) -> Array:
    """Images (x, y, z, t) of a plane or stack."""
    slices = []
    for index in range(plane.shape[2]):
        rendered = render_slice(body, beat, plane, index, tissues=style.signals, flow=style.flow)
        rendered.signal[:] *= signal_gain(body, plane, index, style)
        slices.append(acquire(rendered.signal, style, rng=np.random.default_rng((body.subject.seed, 14, index))))
    return np.stack(slices).transpose(2, 3, 0, 1)


def cached_study(seed: int, cache: Path | None) -> dict[str, tuple[Array, Array]]:
    """The images of a subject, from the cache where it has them."""
    path = cache / f"s{seed:04d}.npz" if cache else None
    if path is not None and path.exists():
        stored = np.load(path)
        return {name: (stored[name].astype(np.float32), stored[f"{name}_aff"]) for name in (*VIEWS, *BODY_STACKS)}
    study = image_study(seed)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {name: images.astype(np.float16) for name, (images, _) in study.items()}
        np.savez(path, **arrays, **{f"{name}_aff": affine for name, (_, affine) in study.items()})
    return study


def candidate(images: Array, affine: Array, movement: Array) -> Candidate:
    """A cine whose body was moved by a (3, 3) rotation or rotation and reflection; voxel axes stay right-handed."""
    moved = affine.copy()
    moved[:3] = movement @ affine[:3]
    if np.linalg.det(moved[:3, :3]) * np.linalg.det(affine[:3, :3]) < 0:
        moved[:3, 3] += moved[:3, 0] * (images.shape[0] - 1)
        moved[:3, 0] *= -1
        images = images[::-1]
    step = float(np.linalg.norm(affine[:3, 2]))
    return Candidate(
        cine=Cine(
            array=np.ascontiguousarray(images, dtype=np.float32),
            affine=moved,
            view=View.OTHER,
            slice_positions_mm=np.arange(images.shape[2]) * step,
        )
    )


def random_rotation(rng: np.random.Generator) -> Array:
    """A rotation, uniform over all."""
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    q = q * np.sign(np.diag(r))
    return np.asarray(q if np.linalg.det(q) > 0 else -q)


def outcome(study: Mapping[str, tuple[Array, Array]], names: Sequence[str], movement: Array) -> str:
    """ "right", "flagged" (wrong or left out with a flag) or "silent" (wrong without one)."""
    found = recognise_views([candidate(*study[name], movement) for name in names])
    right = [
        (decision.view, decision.kept) == ((VIEWS[name], True) if name in VIEWS else (View.OTHER, False))
        for name, decision in zip(names, found.decisions, strict=True)
    ]
    if all(right):
        return "right"
    return "flagged" if any(issue.code in FLAGS for issue in found.issues) else "silent"


def flags_of_analysis(
    study: Mapping[str, tuple[Array, Array]], names: Sequence[str], movement: Array, analyzer: Analyzer
) -> list[str]:
    """Codes of all flags of the analysis of the cines that recognition keeps."""
    candidates = [candidate(*study[name], movement) for name in names]
    found = recognise_views(candidates)
    kept = tuple(
        replace(one.cine, view=decision.view)
        for one, decision in zip(candidates, found.decisions, strict=True)
        if decision.kept
    )
    analysis = analyzer.analyse(Study(name="phantom", cines=kept, issues=found.issues))
    return sorted({flag.code for flag in analysis.measurements.flags})


def cases_of(seed: int) -> dict[str, tuple[Array, Sequence[str]]]:
    """Title -> position of the body, and the cines that the study has."""
    rng = np.random.default_rng((seed, 7))
    usual, mirror = np.eye(3), np.diag([-1.0, 1.0, 1.0])
    turn, other = random_rotation(rng), random_rotation(rng) @ mirror
    return {
        "usual, all views": (usual, tuple(VIEWS)),
        "usual, transverse alone": (usual, ("tra",)),
        "usual, coronal alone": (usual, ("cor",)),
        "mirrored, all views": (mirror, tuple(VIEWS)),
        "rotated, all views": (turn, tuple(VIEWS)),
        "rotated and mirrored, all views": (other, tuple(VIEWS)),
        "rotated, stack alone": (turn, ("sax",)),
        "rotated, transverse alone": (turn, ("tra",)),
    }


def outcomes_of(study: Mapping[str, tuple[Array, Array]], seed: int) -> dict[str, str]:
    """Outcome of each case."""
    return {title: outcome(study, names, movement) for title, (movement, names) in cases_of(seed).items()}


def analysed(silent: Sequence[Mapping[str, object]], cache: Path | None) -> list[dict[str, object]]:
    """The same cases with the flags of their analysis, those of the views' true cause apart."""
    analyzer = Analyzer(Options.of(tta=1))
    lines = []
    for one in silent:
        seed, title = int(str(one["seed"])), str(one["case"])
        movement, names = cases_of(seed)[title]
        flags = flags_of_analysis(cached_study(seed, cache), names, movement, analyzer)
        causes = [flag for flag in flags if flag in FLAGS_OF_MASKS]
        lines.append({"seed": seed, "case": title, "true_cause": causes, "flags": flags})
        print(seed, title, causes or "SILENT", flush=True)
    return lines


def main() -> None:
    """Print and store the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=100)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--again", action="store_true", help="analyse only the cases stored as silently wrong")
    arguments = parser.parse_args()
    record = json.loads(RESULTS.read_text()) if arguments.again else recognised(arguments.subjects, arguments.cache)
    record["silent"] = analysed(record["silent"], arguments.cache)
    record["silent_after_analysis"] = sum(not one["true_cause"] for one in record["silent"])
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")


def recognised(subjects: int, cache: Path | None) -> dict[str, Any]:
    """Print and return the counts, and the cases that are silently wrong."""
    counts: dict[str, Counter[str]] = {}
    silent = []
    for seed in range(subjects):
        for title, result in outcomes_of(cached_study(seed, cache), seed).items():
            counts.setdefault(title, Counter())[result] += 1
            if result == "silent":
                silent.append({"seed": seed, "case": title})
    for title, counter in counts.items():
        print(f"{title:45s}", "  ".join(f"{name} {counter[name]}" for name in ("right", "flagged", "silent")))
    table = {title: dict(counter) for title, counter in counts.items()}
    return {"subjects": subjects, "counts": table, "silent": silent}


if __name__ == "__main__":
    main()
