"""Three labs of five ACDC patients each, for docs/five-studies.md: codes of their own, LV masks alone, NRRD files.

    python benchmarks/five_studies.py ACDC OUT

writes OUT/codes (1 LV, 2 myocardium, 3 RV), OUT/cavity (1 LV, nothing else drawn) and OUT/nrrd (images and masks in
NRRD, our codes), and OUT/held_out, five patients of our validation part, whom no model of ours was trained on.
For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nibabel as nib
import numpy as np

PATIENTS = ("patient001", "patient021", "patient041", "patient062", "patient081")
"""One of each of the five groups; cinema-sax was trained on them."""
HELD_OUT = ("patient002", "patient026", "patient044", "patient061", "patient082")
FOREIGN = np.array([0, 3, 2, 1], np.uint8)
CAVITY = np.array([0, 0, 0, 1], np.uint8)
OURS = np.arange(4, dtype=np.uint8)


def write_lab(acdc: Path, out: Path, patients: tuple[str, ...], codes: np.ndarray, *, suffix: str = ".nii.gz") -> None:
    """Write the ED and ES image and mask of some patients; `codes` is ACDC's code -> the lab's."""
    out.mkdir(parents=True, exist_ok=True)
    for patient in patients:
        masks = sorted((acdc / "database" / "training" / patient).glob("*_frame*_gt.nii.gz"))
        for phase, path in zip(("ED", "ES"), masks, strict=True):
            mask = nib.load(path)
            foreign = nib.Nifti1Image(codes[np.asarray(mask.dataobj, np.uint8)], mask.affine, mask.header)
            write_image(nib.load(str(path).replace("_gt", "")), out / f"{patient}_{phase}{suffix}")
            write_image(foreign, out / f"{patient}_{phase}_seg{suffix}")


def write_image(image: nib.Nifti1Image, path: Path) -> None:
    """Write an image as NIfTI, or as NRRD with its voxel sizes alone, as the affines of ACDC are no places."""
    if path.suffix != ".nrrd":
        nib.save(image, path)
        return
    import SimpleITK as sitk  # noqa: N813  # its own manual imports it so

    stored = sitk.GetImageFromArray(np.asarray(image.dataobj).transpose())
    stored.SetSpacing([float(size) for size in image.header.get_zooms()[:3]])
    sitk.WriteImage(stored, str(path))


def main() -> None:
    """Write the folders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("acdc", type=Path, help="folder that holds database/training")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    write_lab(given.acdc, given.out / "codes", PATIENTS, FOREIGN)
    write_lab(given.acdc, given.out / "cavity", PATIENTS, CAVITY)
    write_lab(given.acdc, given.out / "nrrd", PATIENTS, OURS, suffix=".nrrd")
    write_lab(given.acdc, given.out / "held_out", HELD_OUT, OURS)


if __name__ == "__main__":
    main()
