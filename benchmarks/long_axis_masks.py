"""Masks and points of real four-chamber images of people who were not trained on, beside an expert's cavity.

`python benchmarks/long_axis_masks.py --data kaggle:FOLDER [--model M] [--landmarks cinema-lax] [--pictures OUT]`
where FOLDER holds the four-chamber images of the Data Science Bowl with masks (`datasets.readers.kaggle_masks`). Every
image of the validation cases is given alone, as one frame. Prints a summary and stores
benchmarks/results/long_axis_masks_MODEL.json. For research use only; not a medical device.

The expert's cavity is cut straight at the mitral plane: the corners of the cut are the hinge points, the furthest point
the apex (`measure.long_axis.cut`). The size of the pixels is lost, 1.4 mm is nominal. An image is lost where the
Dice is below 0.5. Hinge points are paired by the smaller sum of distances, since a mirrored image does not say which
side is the septum.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.serialise import json_text
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.datasets.reading import find_cases
from cinema_cmr.inference.landmark_predictor import LandmarkPredictor
from cinema_cmr.inference.loading import load_landmark_predictor, load_segmenter
from cinema_cmr.inference.long_axis_predictor import predict_landmarks
from cinema_cmr.inference.predictor import predict_study
from cinema_cmr.measure.long_axis.cut import points_of_cut
from cinema_cmr.measure.long_axis.mask import landmarks_from_mask
from cinema_cmr.score.overlap import dice

RESULTS = Path(__file__).parent / "results"
LV, LOST = 3, 0.5
COLOURS = {1: (60, 130, 255), 2: (40, 210, 90), 3: (255, 230, 0)}

Points = NDArray[np.float64]


def one_frame(annotated: AnnotatedStudy, frame: int) -> tuple[Study, NDArray[np.bool_]]:
    """A study of one frame of the four-chamber view, and the expert's cavity (x, y)."""
    cine = annotated.study.cine(View.LAX_4C)
    alone = replace(cine.select(frames=[frame]), orientation_known=True)
    study = Study(name=f"{annotated.study.name}_{frame}", cines=(alone,))
    return study, annotated.labels[View.LAX_4C].array[:, :, 0, frame] == LV


def to_pixels(points: Mapping[str, Points], cine: Cine) -> Points:
    """Points (3, 2) in pixels of the first frame, in the order of `core.vocabulary.LANDMARKS`."""
    placed = np.stack([points[name][0] for name in LANDMARKS[cine.view]])
    pixels: Points = apply_affine(np.linalg.inv(cine.affine), placed)[:, :2]
    return pixels


def distances_mm(found: Points | None, drawn: Points, spacing_mm: tuple[float, float]) -> list[float]:
    """Distances of two hinge points, paired by the smaller sum, and of the apex; NaN where nothing was found."""
    if found is None:
        return [float("nan")] * 3
    apart = np.stack([np.linalg.norm((found[order] - drawn) * spacing_mm, axis=1) for order in ([0, 1, 2], [1, 0, 2])])
    chosen = apart[int(np.argmin(np.nan_to_num(apart[:, :2].sum(axis=1), nan=np.inf)))]
    return [float(value) for value in chosen]


def points_by_way(
    study: Study, found: Mapping[View, Any], finder: LandmarkPredictor | None
) -> Mapping[str, Points | None]:
    """The points of an image by each way of finding them, in pixels."""
    cine, labels = study.cine(View.LAX_4C), found[View.LAX_4C].labels
    of_wall = landmarks_from_mask(labels, cine)
    ways: dict[str, Points | None] = {
        "corners_of_the_cavity": points_of_cut(labels.array[:, :, 0, 0] == LV, cine.spacing_mm[:2]),
        "corners_free_of_wall": None if of_wall is None else to_pixels(of_wall.points, cine),
    }
    if finder is not None:
        ways["heatmaps"] = to_pixels(finder.predict(study)[View.LAX_4C].landmarks.points, cine)
        ways["as_analysed"] = to_pixels(predict_landmarks(study, found, finder)[View.LAX_4C].landmarks.points, cine)
    return ways


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Dice, lost images and distances over all images."""
    scores = np.array([row["lv_dice"] for row in rows])
    ways = rows[0]["distances_mm"]
    apart = {way: np.array([row["distances_mm"][way] for row in rows]) for way in ways}
    return {
        "images": len(rows),
        "lv_dice_mean": float(scores.mean()),
        "lv_dice_median": float(np.median(scores)),
        "lv_dice_least": float(scores.min()),
        "images_lost": int((scores < LOST).sum()),
        "images_below_0.9": int((scores < 0.9).sum()),
        "points_mm": {
            way: {
                "hinge_mean": float(np.nanmean(its[:, :2])),
                "hinge_median": float(np.nanmedian(its[:, :2])),
                "hinge_within_3": float(np.mean(its[:, :2] <= 3.0)),
                "hinge_missing": int(np.isnan(its[:, :2]).sum()),
                "apex_median": float(np.nanmedian(its[:, 2])),
            }
            for way, its in apart.items()
        },
    }


def picture(study: Study, found: NDArray[np.uint8], drawn: NDArray[np.bool_], points: Points | None) -> Image.Image:
    """The image with the outlines of the found structures, the expert's cavity in white and the found points."""
    cine = study.cine(View.LAX_4C)
    plane = cine.array[:, :, 0, 0]
    grey = np.clip(plane / max(float(np.percentile(plane, 99.5)), 1e-6), 0, 1) * 230
    image = np.repeat(grey[..., None], 3, axis=2)
    for code, colour in COLOURS.items():
        image[_outline(found == code)] = colour
    image[_outline(drawn)] = (255, 255, 255)
    for i, j in np.rint(points if points is not None else np.empty((0, 2))).astype(int):
        image[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2] = (255, 0, 255)
    return Image.fromarray(image.astype(np.uint8).swapaxes(0, 1))


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_erosion

    return np.asarray(mask & ~binary_erosion(mask))


def measured(data: str, model: str, landmarks: str, picture_of: Callable[..., None]) -> list[dict[str, Any]]:
    """One row an image of the validation cases."""
    segmenter, finder = load_segmenter(model, device="cpu"), load_landmark_predictor(landmarks, device="cpu")
    dataset, cases = find_cases(data)
    rows: list[dict[str, Any]] = []
    for case in (case for case in cases if case.facts.get("part") == "validation"):
        annotated = dataset.read_case(case)
        for frame in annotated.labelled_frames[View.LAX_4C]:
            study, drawn = one_frame(annotated, frame)
            found = predict_study(study, segmenter)
            labels, spacing = found[View.LAX_4C].labels.array[:, :, 0, 0], study.cines[0].spacing_mm[:2]
            ways, truth = points_by_way(study, found, finder), points_of_cut(drawn, spacing)
            apart = {
                way: [float("nan")] * 3 if truth is None else distances_mm(its, truth, spacing)
                for way, its in ways.items()
            }
            score = float(dice(labels == LV, drawn))
            rows.append({"image": study.name, "lv_dice": score, "distances_mm": apart})
            picture_of(rows[-1], picture(study, labels, drawn, ways["corners_of_the_cavity"]))
    return rows


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="kaggle:FOLDER")
    parser.add_argument("--model", default="cinema-lax-masks")
    parser.add_argument("--landmarks", default="cinema-lax", help="landmark model, or none")
    parser.add_argument("--name", help="name of the result; default: that of the model")
    parser.add_argument("--pictures", type=Path, help="folder for one PNG an image, the worst first; outside of git")
    given = parser.parse_args()
    pictures: dict[str, tuple[float, Image.Image]] = {}

    def keep(row: dict[str, Any], image: Image.Image) -> None:
        if given.pictures is not None:
            pictures[row["image"]] = (row["lv_dice"], image)

    rows = measured(given.data, given.model, given.landmarks, keep)
    content = {"model": given.model, **summary(rows), "by_image": rows}
    print(json.dumps(json.loads(json_text(summary(rows))), indent=1))
    for rank, (name, (score, image)) in enumerate(sorted(pictures.items(), key=lambda item: item[1][0])):
        given.pictures.mkdir(parents=True, exist_ok=True)
        image.save(given.pictures / f"{rank:03d}_{name}_{score:.3f}.png")
    RESULTS.mkdir(exist_ok=True)
    name = given.name or Path(given.model).name
    (RESULTS / f"long_axis_masks_{name}.json").write_text(json_text(content), encoding="utf-8")


if __name__ == "__main__":
    main()
