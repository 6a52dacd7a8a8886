"""The whole arrow on late enhancement: an infarct read off intensities, told as such, and never taken for a cine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from oracles import CPU, segmenter
from scars import PIXEL_MM, ring
from torch import Tensor, nn

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.errors import NoCineError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.io.read import read_study
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.pipeline.analysis_options import Options
from cinema_cmr.pipeline.analyzer import Analyzer
from cinema_cmr.pipeline.segment import segment_to_file
from cinema_cmr.report.write import write_results

LEVELS = (0.0, 0.6, 0.3, 0.8, 1.0)
"""Grey of background, blood, healthy wall, infarct and no-reflow."""
LABELS = np.stack([ring(scale=scale) for scale in (1.0, 1.0, 0.95, 0.9, 0.75, 0.65)], axis=2)
LABELS[..., 1] = np.where(ring(core=True, depth=0.25, wedge_deg=60) == 4, 4, LABELS[..., 1])


class ScarOracle(nn.Module):
    """Calls each voxel what its grey is nearest to."""

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        levels = torch.tensor(LEVELS).view(1, 5, 1, 1, 1)
        return {view: -2000 * (image - levels) ** 2 for view, image in images.items()}


def scar_segmenter() -> Segmenter:
    grid = Grid(spacing_mm=PIXEL_MM, size=(180, 180), percentiles=(0.0, 100.0))
    card = ModelCard(
        name="scar-oracle",
        task="segment",
        architecture="none",
        config={},
        grids={View.SAX: grid},
        label_scheme="scar",
        modality="lge",
    )
    return Segmenter(LoadedModel(model=ScarOracle(), card=card), CPU)


def image_of(labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Whole greys from 0 to 100; dark is 0 or 1, as `normalise` leaves out a flat floor."""
    dark = np.indices(labels.shape).sum(axis=0) % 2
    return np.choose(labels, [dark, *(round(100 * level) for level in LEVELS[1:])]).astype(np.float32)


def analyse(source: Study | Path, model: Segmenter, **options: object) -> Analysis:
    analyzer = Analyzer(Options.of(**options))
    analyzer.segmenter = model
    return analyzer.analyse(source)


def scan(folder: Path, image: NDArray[np.float32] | None = None) -> Path:
    array = image_of(LABELS)[..., None] if image is None else image
    cine = Cine(
        array=array,
        affine=np.diag([-PIXEL_MM, -PIXEL_MM, 8.0, 1.0]),
        view=View.SAX,
        slice_positions_mm=np.arange(array.shape[2]) * 8.0,
    )
    path = folder / "Case_P900.nii.gz"
    write_cine(cine, path)
    return path


def test_a_mask_has_the_challenge_s_codes_on_the_image_s_grid(tmp_path: Path) -> None:
    source = scan(tmp_path)
    segment_to_file(source, tmp_path / "Case_P900_seg.nii.gz", segmenter=scar_segmenter())
    mask, image = nibabel.load(tmp_path / "Case_P900_seg.nii.gz"), nibabel.load(source)
    assert mask.shape == image.shape and np.allclose(mask.affine, image.affine)
    found = np.asarray(mask.dataobj)
    assert set(np.unique(found)) == {0, 1, 2, 3, 4}
    assert (found == LABELS).mean() > 0.98


@pytest.mark.medium
def test_an_analysis_tells_the_infarct_and_that_it_is_no_cine(tmp_path: Path) -> None:
    analysis = analyse(scan(tmp_path), scar_segmenter())
    folder = tmp_path / "out"
    write_results(analysis, folder)
    document = json.loads((folder / "measurements.json").read_text())
    lesion, wall = (LABELS > 2).sum(), (LABELS > 1).sum()
    assert document["study"]["modality"] == "lge"
    assert document["summary"]["infarct_percent"] == pytest.approx(100 * lesion / wall, rel=0.1)
    assert document["summary"]["infarct_g"] == pytest.approx(1.05 * lesion * PIXEL_MM**2 * 8 / 1000, rel=0.15)
    assert document["summary"]["lv_ef_percent"] is None and document["summary"]["ed_frame"] is None
    assert {flag["code"] for flag in document["flags"] if flag["severity"] == "error"} == set()
    assert "not-a-cine" in {flag["code"] for flag in document["flags"]}
    page = (folder / "report.html").read_text()
    assert "not a cine study" in page and "Late-enhancement cardiac MRI report" in page
    assert 'class="infarct"' in page and "ejection fraction</span>" not in page
    assert (folder / "segmentation" / "sax.nii.gz").exists()


@pytest.mark.medium
def test_a_cine_given_to_the_scar_model_is_flagged_and_not_measured(tmp_path: Path) -> None:
    moving = np.repeat(image_of(LABELS)[..., None], 8, axis=3)
    measured = analyse(scan(tmp_path, moving), scar_segmenter()).measurements
    assert measured.value("infarct_percent") is None
    flag = next(flag for flag in measured.flags if flag.code == "modality-mismatch")
    assert flag.severity == "error" and flag.evidence["frames"] == 8


def test_late_enhancement_given_to_a_cine_model_is_refused_or_flagged(tmp_path: Path) -> None:
    source, cine_model = scan(tmp_path), segmenter(size=(120, 120))
    with pytest.raises(NoCineError, match="one frame"):
        analyse(source, cine_model)
    study = replace(read_study(source), modality="lge")
    flags = analyse(study, cine_model, single_frame=True).measurements.flags
    assert "modality-mismatch" in {flag.code for flag in flags if flag.severity == "error"}


@pytest.mark.medium
def test_a_mask_of_the_wrong_kind_of_image_is_written_and_warned_of(tmp_path: Path) -> None:
    moving = np.repeat(image_of(LABELS)[..., None], 8, axis=3)
    source, seen = scan(tmp_path, moving), []
    segment_to_file(source, tmp_path / "a.nii.gz", segmenter=scar_segmenter(), warn=seen.append)
    # Copies of one image, as the frames are here, are still too.
    assert {flag.code for flag in seen} == {"modality-mismatch", "still-slices"} and (tmp_path / "a.nii.gz").exists()
    seen.clear()
    (tmp_path / "still").mkdir()
    segment_to_file(scan(tmp_path / "still"), tmp_path / "b.nii.gz", segmenter=scar_segmenter(), warn=seen.append)
    assert not seen
