"""Labels of another system become a dataset folder that training and evaluation read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from interop_hearts import analysed, long_axis_cine, stack_cine, with_atria, write_study

from cinema_cmr.core.vocabulary import View
from cinema_cmr.datasets.reading import find_cases, read_cases
from cinema_cmr.files.text import read_json
from cinema_cmr.interop.export import export_analysis
from cinema_cmr.interop.label_folder import convert_labels
from cinema_cmr.io.dicom.writing.series import DicomShape

pytest.importorskip("highdicom")


@pytest.mark.medium
@pytest.mark.parametrize("phases", ["ed-es", "all"])
def test_converted_labels_are_a_dataset(tmp_path: Path, phases: str) -> None:
    study = write_study(tmp_path / "study", stack_cine(), shape=DicomShape.ENHANCED)
    analysis = analysed(study)
    export_analysis(analysis, study, tmp_path / "dicom", phases=phases)
    paths = convert_labels(tmp_path / "dicom", study, tmp_path / "labels")
    assert len(paths) == (2 if phases == "ed-es" else 8)
    dataset, cases = find_cases(str(tmp_path / "labels"))
    studies = list(read_cases(dataset, cases, {case.patient for case in cases}))
    truth = analysis.predictions[View.SAX].labels.array
    found = [one.labels[View.SAX].array[..., t] for one in studies for t in range(one.study[View.SAX].n_frames)]
    frames = (0, 4) if phases == "ed-es" else range(8)
    assert len(found) == len(frames)
    for array, frame in zip(found, frames, strict=True):
        np.testing.assert_array_equal(array, truth[..., frame])
    assert len({case.patient for case in cases}) == 1


@pytest.mark.medium
def test_atria_are_stated_where_all_long_axes_have_them(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", stack_cine(), long_axis_cine(), shape=DicomShape.ENHANCED)
    analysis = with_atria(analysed(study))
    export_analysis(analysis, study, tmp_path / "dicom")
    paths = convert_labels(tmp_path / "dicom", study, tmp_path / "whole")
    assert len(paths) == 4
    for path in paths:
        highest = 5 if "_lax_4c_" in path.name else 3
        assert np.unique(nibabel.load(path).dataobj).tolist() == list(range(highest + 1))
    assert not (tmp_path / "whole" / "labels.json").exists(), "the structures of a cine were all drawn"
    labels = analysis.predictions[View.LAX_4C].labels
    without_rv = replace(labels, array=np.where(labels.array == 1, 0, labels.array).astype(np.uint8))
    plane = replace(analysis.predictions[View.LAX_4C], labels=without_rv)
    partly = replace(analysis, predictions={**analysis.predictions, View.LAX_4C: plane})
    export_analysis(partly, study, tmp_path / "partly")
    convert_labels(tmp_path / "partly", study, tmp_path / "part")
    assert read_json(tmp_path / "part" / "labels.json") == {"drawn": ["myo", "lv", "la", "ra"]}
