"""What a reader changed, said in exported objects: masks, landmarks, phases and rules; silent for the model's own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("highdicom")

from interop_hearts import analysed, long_axis_cine, stack_cine, write_study
from pydicom import dcmread

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.edits import Edits, MaskEdit, PointEdit, RuleChange
from cinema_cmr.core.vocabulary import View
from cinema_cmr.interop.correction_notes import corrected_parts, correction_notes, is_mask_corrected
from cinema_cmr.interop.export import export_analysis
from cinema_cmr.io.dicom.writing.series import DicomShape

MASK = MaskEdit(view=View.SAX, frames=(0, 3), slices=(), model_mask="m", model_mask_sha256="0")
POINT = PointEdit(
    view=View.LAX_4C,
    name="mitral_septal",
    frame=3,
    model_ras_mm=(0, 0, 0),
    model_confidence=0.9,
    now_ras_mm=(0, 3, 0),
)
MOVED_ES = RuleChange(name="es_frame", model=None, now=3)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Path]:
    folder = tmp_path_factory.mktemp("notes")
    study = write_study(folder / "study", stack_cine(), long_axis_cine(), shape=DicomShape.SERIES_PER_VIEW)
    return analysed(study), study


def edited(original: tuple[Analysis, Path], **edits: object) -> Analysis:
    return replace(original[0], edits=Edits(**edits))  # type: ignore[arg-type]


def test_the_model_s_own_run_has_no_notes(original: tuple[Analysis, Path]) -> None:
    for analysis in (original[0], edited(original)):
        assert correction_notes(analysis) == () and corrected_parts(analysis, View.SAX, 0) == ()


def test_each_change_is_said_once_with_frames_and_the_state_before(original: tuple[Analysis, Path]) -> None:
    rules = (
        MOVED_ES,
        RuleChange(name="ed_frame", model=2, now=None),
        RuleChange(name="basal_rule", model="scmr", now="descent"),
        RuleChange(name="given_weight_kg", model=None, now=70.0),
    )
    assert correction_notes(edited(original, masks=(MASK,), points=(POINT,), rules=rules)) == (
        "corrected short axis mask in frames 0, 3",
        "corrected 4-chamber landmarks (mitral septal) in frame 3",
        "corrected end-systole: frame 3, by the reader; found on the curves in the model's run",
        "corrected end-diastole: found on the curves, by the reader; frame 2 in the model's run",
        "rule basal_rule descent, by the reader; scmr in the model's run",
        "weight kg was given by the reader",
    )


def test_parts_of_a_frame(original: tuple[Analysis, Path]) -> None:
    analysis = edited(original, masks=(MASK,), points=(POINT,), rules=(MOVED_ES,))
    assert corrected_parts(analysis, View.SAX, 3) == ("mask", "phase")
    assert corrected_parts(analysis, View.SAX, 0) == ("mask",)
    assert corrected_parts(analysis, View.SAX, 1) == ()
    assert corrected_parts(analysis, View.LAX_4C, 0) == ("landmarks",)
    assert is_mask_corrected(analysis, View.SAX, 3) and not is_mask_corrected(analysis, View.LAX_4C, 3)


@pytest.mark.medium
@pytest.mark.parametrize("change", ["phase", "landmarks"])
def test_segmentation_report_and_bundle_say_what_was_corrected(
    original: tuple[Analysis, Path], tmp_path: Path, change: str
) -> None:
    """Also where no mask was: landmarks that were moved, and ED or ES that were chosen."""
    analysis, study = original
    es = next(one.frames[0] for one in analysis.measurements.measured if one.name == "lv_esv_ml")
    changes = {"phase": {"rules": (replace(MOVED_ES, now=es),)}, "landmarks": {"points": (POINT,)}}
    other = edited(original, **changes[change])
    note = {"phase": f"corrected end-systole: frame {es}", "landmarks": "corrected 4-chamber landmarks"}[change]
    uids = []
    for name, one in (("own", analysis), ("corrected", other)):
        export_analysis(one, study, tmp_path / name)
        report = dcmread(tmp_path / name / "sr.dcm")
        bundle = json.dumps(json.loads((tmp_path / name / "fhir.json").read_text()))
        said = [("corrected" in report.SeriesDescription), (note in report.to_json()), (note in bundle)]
        assert said == [name == "corrected"] * 3
        uids.append(str(report.SOPInstanceUID))
        view = {"phase": f"seg_sax_{es:03d}.dcm", "landmarks": "seg_lax_4c_*.dcm"}[change]
        paths = sorted((tmp_path / name).glob(view))
        for path in paths:
            segmentation = dcmread(path)
            marked = f"corrected {change}" in segmentation.SeriesDescription
            assert marked is (name == "corrected")
            assert ("corrected" in segmentation.ContentDescription) is marked
            assert {part.SegmentAlgorithmType for part in segmentation.SegmentSequence} == {"AUTOMATIC"}
        assert paths or change == "landmarks"
    assert uids[0] != uids[1]
