"""Each dataset's true layout, written small from one phantom: one whole case, and one that is broken."""

from __future__ import annotations

import csv
import pickle
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cinema_cmr.core.geometry import apply_affine, lps_to_ras
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.datasets.readers import mnms, mnms2, myops, rescan
from cinema_cmr.datasets.readers.landmark import PIXEL_MM
from cinema_cmr.io.dicom.writing.series import DicomShape, write_dicom
from cinema_cmr.phantom.phantom import PhantomStudy, make_phantom

LV = 3
N_FRAMES = 10
N_SLICES = 8
ED, ES = 0, N_FRAMES // 2
Labels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Tree:
    """What was written, and what a reader must find."""

    root: Path
    case: str
    """Name of the whole case."""
    cines: Mapping[View, Cine]
    """Its images as they must be read, by view; labels lie on the short axis, or on the only view."""
    lv_ml: tuple[float, ...] = ()
    """Volume of the cavity in each labelled frame; empty where nothing is drawn."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Some of its facts."""
    broken: str = ""
    """Name of a case that cannot be read."""
    reason: str = ""
    """What must be said of it."""


@cache
def phantom() -> PhantomStudy:
    return make_phantom(7, group="NOR", style="standard-1.5t", views=(View.SAX, View.LAX_2C, View.LAX_4C), n_frames=2)


def cine_of(view: View, *, every: int = 4, n_frames: int = 2) -> Cine:
    """The phantom's ED and ES in every so many-th pixel; of more frames those between are mixed of them."""
    cine = phantom().study.cine(view)
    two = np.round(cine.array[::every, ::every, :N_SLICES])
    part = (1 - np.cos(2 * np.pi * np.arange(n_frames) / n_frames)) / 2
    array = two[..., :1] * (1 - part) + two[..., 1:] * part
    return replace(
        cine,
        array=np.round(array).astype(np.float32),
        affine=cine.affine @ np.diag([every, every, 1.0, 1.0]),
        slice_positions_mm=cine.slice_positions_mm[:N_SLICES],
        frame_times_ms=np.arange(n_frames) * 900.0 / n_frames,
        rr_interval_ms=900.0,
    )


def labels_of_heart(view: View, *, every: int = 4) -> Labels:
    """(x, y, z, 2) in our codes, at ED and ES."""
    return phantom().labels[view].array[::every, ::every, :N_SLICES]


def lv_ml(labels: Labels, cine: Cine, code: int = LV) -> tuple[float, ...]:
    return tuple((labels == code).sum(axis=(0, 1)).T @ cine.voxel_volumes_ml)


def recoded(labels: Labels, codes: Mapping[int, int]) -> NDArray[np.int16]:
    """In the dataset's codes, by its table of theirs -> ours."""
    table = np.zeros(8, np.int16)
    for theirs, ours in codes.items():
        table[ours] = theirs
    return table[labels]


def save_nifti(path: Path, array: NDArray[Any], cine: Cine) -> Path:
    """Voxels on the grid of a cine; a last axis of one frame is left away, as datasets do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    voxels = array[..., 0] if array.ndim == 4 and array.shape[3] == 1 else array
    nibabel.save(nibabel.Nifti1Image(voxels.astype(np.int16), cine.affine), path)
    return path


def save_table(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def acdc_tree(root: Path) -> Tree:
    cine, labels = cine_of(View.SAX), labels_of_heart(View.SAX)
    folder = root / "database" / "training" / "patient001"
    for index, frame in enumerate((1, 12)):
        save_nifti(folder / f"patient001_frame{frame:02d}.nii.gz", cine.array[..., index], cine)
        save_nifti(folder / f"patient001_frame{frame:02d}_gt.nii.gz", labels[..., index], cine)
    (folder / "Info.cfg").write_text("ED: 1\nES: 12\nGroup: NOR\nHeight: 180.0\nWeight: 80.0\n")
    shutil.copytree(folder, folder.with_name("patient002"))
    (folder.with_name("patient002") / "Info.cfg").write_text("ED: 1\n")
    facts = {"group": "NOR", "ED": 1, "ES": 12}
    cines = {View.SAX: cine}
    return Tree(
        root=root,
        case="patient001",
        cines=cines,
        lv_ml=lv_ml(labels, cine),
        facts=facts,
        broken="patient002",
        reason="lacks",
    )


def mnms_tree(root: Path) -> Tree:
    cine, labels = cine_of(View.SAX, n_frames=N_FRAMES), labels_of_heart(View.SAX)
    home = root / "OpenDataset"
    masks = np.zeros(cine.array.shape, np.int16)
    masks[..., ED], masks[..., ES] = np.moveaxis(recoded(labels, mnms.LABEL_CODES), 3, 0)
    for code, part in (("A0S9V9", "Training/Labeled"), ("B1C2D3", "Training/Unlabeled"), ("E9H1U4", "Validation")):
        folder = home / part / code
        save_nifti(folder / f"{code}_sa.nii.gz", cine.array, cine)
        save_nifti(folder / f"{code}_sa_gt.nii.gz", masks if code == "A0S9V9" else 0 * masks, cine)
    row = {"": 0, "External code": "A0S9V9", "VendorName": "Siemens", "Vendor": "A", "Centre": 1, "ED": ED, "ES": ES}
    row |= {"Age": 61.0, "Pathology": "HCM", "Sex": "F", "Height": 171.0, "Weight": "N/A"}
    rows = [row, {**row, "External code": "Z0Z0Z0"}]
    save_table(home / "211230_M&Ms_Dataset_information_diagnosis_opendataset.csv", rows)
    facts = {"part": "train", "group": "HCM", "vendor": "A", "centre": "1", "sex": "F", "age_years": 61.0, "ES": ES}
    return Tree(
        root=root,
        case="A0S9V9",
        cines={View.SAX: cine},
        lv_ml=lv_ml(labels, cine),
        facts=facts,
        broken="E9H1U4",
        reason="'E9H1U4_sa_gt.nii.gz' is empty",
    )


def mnms2_tree(root: Path) -> Tree:
    views = {View.SAX: "SA", View.LAX_4C: "LA"}
    for number in ("001", "161"):
        folder = root / "MnM2" / "dataset" / number
        for view, short in views.items():
            cine, labels = cine_of(view), recoded(labels_of_heart(view), mnms2.LABEL_CODES)
            whole = cine_of(view, n_frames=N_FRAMES)
            save_nifti(folder / f"{number}_{short}_CINE.nii.gz", whole.array, whole)
            for index, phase in enumerate(("ED", "ES")):
                save_nifti(folder / f"{number}_{short}_{phase}.nii.gz", cine.array[..., index], cine)
                save_nifti(folder / f"{number}_{short}_{phase}_gt.nii.gz", labels[..., index], cine)
    (root / "MnM2" / "dataset" / "161" / "161_LA_ES_gt.nii.gz").unlink()
    row = {"SUBJECT_CODE": "1", "DISEASE": "FALL", "VENDOR": "SIEMENS", "SCANNER": "Avanto", "FIELD": "1.5"}
    save_table(root / "MnM2" / "dataset_information.csv", [row, dict.fromkeys(row, "")])
    sax = cine_of(View.SAX)
    return Tree(
        root=root,
        case="001",
        cines={view: cine_of(view) for view in views},
        lv_ml=lv_ml(labels_of_heart(View.SAX), sax),
        facts={"part": "train", "group": "FALL", "vendor": "SIEMENS", "scanner": "Avanto", "field_tesla": 1.5},
        broken="161",
        reason="'161_LA_ES_gt.nii.gz' is missing",
    )


def myops_tree(root: Path) -> Tree:
    cine, labels = cine_of(View.SAX), labels_of_heart(View.SAX)[..., :1].copy()
    wall = np.argwhere(labels == 2)
    labels[tuple(wall[:40].T)], labels[tuple(wall[40:60].T)] = 4, 5
    one = replace(cine, array=cine.array[..., :1], frame_times_ms=None, rr_interval_ms=None)
    for number, part in ((101, "train25/myops_training"), (102, "train25/myops_training"), (201, "test20/myops_test")):
        for kind, gain in (("C0", 1), ("DE", 2), ("T2", 3)):
            save_nifti(root / f"{part}_{number}_{kind}.nii.gz", one.array * gain, one)
    save_nifti(root / "train25_myops_gd/myops_training_101_gd.nii.gz", recoded(labels, myops.LABEL_CODES), one)
    enhanced = replace(one, array=one.array * 2)
    return Tree(
        root=root,
        case="myops_101",
        cines={View.SAX: enhanced},
        lv_ml=lv_ml(labels, one),
        facts={"part": "train"},
        broken="myops_102",
        reason="'myops_102_gd.nii.gz' is missing",
    )


def dicom_of(folder: Path, views: Sequence[View]) -> Mapping[View, Cine]:
    """One series a slice, as breath-holds are; returns the cines that must come back."""
    cines = {view: cine_of(view, n_frames=8) for view in views}
    if View.SAX in cines:
        cines[View.SAX] = _thinned(cines[View.SAX])
    write_dicom(Study(name="written", cines=tuple(cines.values())), folder, shape=DicomShape.SERIES_PER_SLICE)
    return cines


def _thinned(cine: Cine) -> Cine:
    """Five slices: enough to know a stack by, and half as many files."""
    return replace(cine, array=cine.array[:, :, :5], slice_positions_mm=cine.slice_positions_mm[:5])


def kaggle_tree(root: Path) -> Tree:
    study = root / "train" / "train" / "1" / "study"
    cines = dicom_of(root / "written", (View.SAX, View.LAX_2C, View.LAX_4C))
    series = sorted((root / "written").iterdir())
    names = [*(f"sax_{k + 5}" for k in range(len(series) - 2)), "2ch_21", "4ch_22"]
    study.mkdir(parents=True)
    for folder, name in zip(series, names, strict=True):
        folder.rename(study / name)
    (root / "written").rmdir()
    (root / "test" / "test" / "701" / "study" / "sax_5").mkdir(parents=True)
    (root / "test" / "test" / "701" / "study" / "sax_5" / "IM-1-0001.dcm").write_bytes(b"torn")
    save_table(
        root / "train.csv", [{"Id": 1, "Systole": 60.0, "Diastole": 150.0}, {"Id": 2, "Systole": 1, "Diastole": 2}]
    )
    save_table(
        root / "solution.csv",
        [{"Id": f"701_{p}", "Volume": v, "Usage": "Private"} for p, v in (("Diastole", 200), ("Systole", 150))],
    )
    facts = {"part": "train", "lv_edv_ml": 150.0, "lv_esv_ml": 60.0, "lv_ef_percent": 60.0}
    return Tree(root=root, case="0001", cines=cines, facts=facts, broken="0701", reason="is readable")


def ukb_tree(root: Path) -> Tree:
    cines = dicom_of(root / "written", (View.SAX, View.LAX_2C, View.LAX_4C))
    series = sorted((root / "written").iterdir())
    for name, its in (("1234567_20209_2_0", series[:-2]), ("1234567_20208_2_0", series[-2:])):
        with zipfile.ZipFile(root / f"{name}.zip", "w") as archive:
            archive.writestr("manifest.csv", "filename\n")
            for path in (path for folder in its for path in sorted(folder.iterdir())):
                archive.write(path, f"{path.parent.name}-{path.name}")
    shutil.rmtree(root / "written")
    (root / "7654321_20209_2_0.zip").write_bytes(b"PK torn")
    return Tree(root=root, case="1234567_2_0", cines=cines, facts={"visit": "2_0"}, broken="7654321_2_0", reason="zip")


def pickled_scan(folder: Path) -> None:
    """A scan as the owners keep it: slices from the base down against the normal, axes (z, t, y, x)."""
    folder.mkdir(parents=True)
    for view, stem in rescan.VIEW_FILES.items():
        cine = cine_of(view)
        places = [lps_to_ras(apply_affine(cine.affine, np.array([0, 0, k]))) for k in range(cine.n_slices)]
        columns = lps_to_ras(cine.affine)[:3, :2] / np.array(cine.spacing_mm[:2])
        voxels = cine.array.transpose(2, 3, 1, 0)[::-1]
        content = {
            "image_voxels": voxels.astype(np.uint16) if view is View.SAX else voxels[0].astype(np.uint16),
            "ImagePositionPatient": np.array(places[::-1]) if view is View.SAX else places[0],
            "ImageOrientationPatient": columns.T.ravel(),
            "PixelSpacing": np.array([cine.spacing_mm[1], cine.spacing_mm[0]]),
            "SliceSpacing": cine.spacing_mm[2],
        }
        (folder / f"{stem}.pickle").write_bytes(pickle.dumps(content))
    codes = recoded(labels_of_heart(View.SAX), rescan.LABEL_CODES).transpose(2, 3, 1, 0)[::-1]
    (folder / "SAX_segs.pickle").write_bytes(pickle.dumps({"image_segmentation": codes.astype(np.uint8)}))


def rescan_tree(root: Path) -> Tree:
    """As the converter writes it, with one scan that is still pickled."""
    cines = {view: cine_of(view) for view in rescan.VIEW_FILES}
    labels = labels_of_heart(View.SAX)
    for scan in ("test/scan_00_A", "test/scan_00_B", "train/A/s_0000", "test_retest_100/1027"):
        for view, cine in cines.items():
            save_nifti(root / scan / f"{view}.nii.gz", cine.array, cine)
        if "retest" not in scan:
            save_nifti(root / scan / "sax_segs.nii.gz", recoded(labels, rescan.LABEL_CODES), cines[View.SAX])
    row = {"A": 1027, "B1": 1153, "B2": "", "EDV_A": 120.0, "ESV_A": 48.0, "EDV_B1": 118.0, "ESV_B1": 50.0}
    save_table(root / "test_retest_100" / "labels.csv", [row])
    (root / "train" / "B" / "s_0009").mkdir(parents=True)
    (root / "train" / "B" / "s_0009" / "SAX.pickle").write_bytes(b"never opened")
    return Tree(
        root=root,
        case="test-scan_00_A",
        cines=cines,
        lv_ml=lv_ml(labels, cines[View.SAX]),
        facts={"part": "test", "scan": "A"},
        broken="train-B-s_0009",
        reason="its images are pickles",
    )


POINTS = {
    "0001__00": ((30.5, 20.0), (60.0, 22.5), (44.0, 80.0)),
    "0001__09": ((32.0, 24.0), (58.5, 25.0), (44.5, 71.0)),
}
"""Image -> its three points in pixels, each the middle of a spot."""


def landmark_tree(root: Path) -> Tree:
    frames = np.arange(100 * 90 * 2, dtype=np.uint16).reshape(100, 90, 2) % 251
    rows = []
    for view, patient in ((View.LAX_2C, "0001"), (View.LAX_4C, "0002")):
        for index, (image, points) in enumerate(POINTS.items()):
            name = image.replace("0001", patient)
            mask = np.zeros((100, 90), np.uint8)
            for code, (x, y) in zip((85, 170, 255), points, strict=True):
                mask[int(x - 1) : int(np.ceil(x)) + 2, int(y - 1) : int(np.ceil(y)) + 2] = code
            for kind, pixels in (("images", frames[..., index].astype(np.uint8)), ("masks", mask)):
                path = root / str(view) / kind / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.T).save(path)
            rows += [f"cohort1,{name},{view},{k},{x},{y}\n" for k, (x, y) in enumerate(points, 1)]
        (root / f"{view}.csv").write_text("".join(row for row in rows if str(view) in row))
    (root / "lax_4c" / "images" / "0002__09.png").write_bytes(b"is not an image")
    cine = Cine(
        array=frames[:, :, None].astype(np.float32),
        affine=np.diag([PIXEL_MM, PIXEL_MM, 1.0, 1.0]),
        view=View.LAX_2C,
        slice_positions_mm=np.zeros(1),
    )
    cines, facts = {View.LAX_2C: cine}, {"cohort": "cohort1"}
    return Tree(root=root, case="0001-lax_2c", cines=cines, facts=facts, broken="0002-lax_4c", reason="is not an image")


def folder_tree(root: Path) -> Tree:
    cine, labels = cine_of(View.SAX), labels_of_heart(View.SAX)
    for name in ("a", "b", "c"):
        save_nifti(root / f"{name}.nii.gz", cine.array, cine)
    for name in ("a_seg", "c_seg", "masks/c"):
        save_nifti(root / f"{name}.nii.gz", labels, cine)
    save_table(root / "facts.csv", [{"name": "a", "group": "DCM", "height_cm": 171}])
    return Tree(
        root=root,
        case="a",
        cines={View.SAX: cine},
        lv_ml=lv_ml(labels, cine),
        facts={"group": "DCM", "height_cm": 171.0},
        broken="c",
        reason="two label maps",
    )


def sunnybrook_tree(root: Path) -> Tree:
    folder = root / "SCD0000101"
    cines = dicom_of(folder / "dicom", (View.SAX,))
    (folder / "contours" / "i-contours").mkdir(parents=True)
    # A box of 8 x 6 pixels in the image of the first instance.
    (folder / "contours" / "i-contours" / "IM-0001-0001-icontour-manual.txt").write_text(
        "19.5 29.5\n27.5 29.5\n27.5 35.5\n19.5 35.5\n"
    )
    shutil.copytree(folder / "contours", root / "SCD0000102" / "contours")
    box_ml = 8 * 6 * float(cines[View.SAX].voxel_volumes_ml[0])
    return Tree(root=root, case="SCD0000101", cines=cines, lv_ml=(box_ml,), broken="SCD0000102", reason="no images")


def emidec_tree(root: Path) -> Tree:
    cine = cine_of(View.SAX)
    labels = np.array([0, 0, 2, 1], np.uint8)[labels_of_heart(View.SAX)[..., :1]]
    one = replace(cine, array=cine.array[..., :1], frame_times_ms=None, rr_interval_ms=None)
    for name in ("Case_N006", "Case_P002"):
        save_nifti(root / name / "Images" / f"{name}.nii.gz", one.array, one)
    save_nifti(root / "Case_N006" / "Contours" / "Case_N006.nii.gz", labels, one)
    cines = {View.SAX: one}
    return Tree(
        root=root, case="Case_N006", cines=cines, lv_ml=lv_ml(labels, one, 1), broken="Case_P002", reason="missing"
    )


def tenth_tree(root: Path, codes: Mapping[int, int]) -> Tree:
    """The made-up dataset of docs/add-a-dataset.md, one of whose patients has no images."""
    cine, labels = cine_of(View.SAX), labels_of_heart(View.SAX)
    save_nifti(root / "a" / "cine.nii.gz", cine.array, cine)
    save_nifti(root / "a" / "truth.nii.gz", recoded(labels, codes), cine)
    rows = [{"id": name, "disease": "DCM", "sex": "F"} for name in "ab"]
    save_table(root / "patients.csv", rows)
    facts = {"group": "DCM", "sex": "F"}
    return Tree(root=root, case="a", cines={View.SAX: cine}, lv_ml=lv_ml(labels, cine), facts=facts, broken="b")


TREES: dict[str, Callable[[Path], Tree]] = {
    "acdc": acdc_tree,
    "mnms": mnms_tree,
    "mnms2": mnms2_tree,
    "kaggle": kaggle_tree,
    "rescan": rescan_tree,
    "landmark": landmark_tree,
    "myops": myops_tree,
    "emidec": emidec_tree,
    "ukb": ukb_tree,
    "sunnybrook": sunnybrook_tree,
    "folder": folder_tree,
}
"""A tree for every dataset of the registry; a dataset without one fails the contract."""
