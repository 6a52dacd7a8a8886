"""Results folders of `cinema analyse`, written small: what a reader corrected in them is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from trees import LV, Tree, cine_of, labels_of_heart, lv_ml, save_nifti

from cinema_cmr.core.vocabulary import View


def results_tree(root: Path, *, every_frame: bool = False) -> Tree:
    """Results of two studies: one whose second frame a reader corrected, one whose mask lies elsewhere."""
    cine, labels = cine_of(View.SAX), labels_of_heart(View.SAX)
    own = labels.copy()
    own[..., 1][own[..., 1] == LV] = 2
    for name in ("a", "b"):
        folder = root / name
        save_nifti(folder / "images" / "sax.nii.gz", cine.array, cine)
        save_nifti(folder / "segmentation" / "original" / "sax.nii.gz", own, cine)
        moved = cine if name == "a" else replace(cine, affine=cine.affine @ np.diag([-1.0, 1, 1, 1]))
        save_nifti(folder / "segmentation" / "sax.nii.gz", labels, moved)
        record = {"study": {"modality": "cine"}, "subject": {"sex": "F", "age_years": None}}
        (folder / "measurements.json").write_text(json.dumps(record))
        (folder / "run.json").write_text("{}")
    frames = [0, 1] if every_frame else [1]
    return Tree(
        root=root,
        case="a",
        cines={View.SAX: cine},
        lv_ml=lv_ml(labels[..., frames], cine),
        facts={"sex": "F"},
        broken="b",
        reason="from its image",
    )
