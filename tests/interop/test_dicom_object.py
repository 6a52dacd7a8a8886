"""What the written objects share: identifiers that follow from content, references by study, short texts."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from interop_hearts import analysed, set_elements, stack_cine, write_study
from pydicom import dcmread

from cinema_cmr.core.errors import UsageError
from cinema_cmr.interop import dicom_object
from cinema_cmr.interop.dicom_object import check_dicom_extra, reference_sequences, short_text
from cinema_cmr.interop.export import export_context
from cinema_cmr.interop.study_files import read_study_files
from cinema_cmr.io.dicom.writing.series import DicomShape

pytest.importorskip("highdicom")


def test_references_are_grouped_by_study_and_series(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", stack_cine([0, 10]), shape=DicomShape.SERIES_PER_SLICE)
    first = sorted(study.iterdir())[0]
    set_elements(first, StudyInstanceUID="1.2.3.4")
    images = {str(one.SOPInstanceUID): one for one in map(dcmread, sorted(study.rglob("*.dcm"))[:12])}
    files = read_study_files(study, images)
    found = reference_sequences(files, images)
    (other,) = found["StudiesContainingOtherReferencedInstancesSequence"]
    (own,) = found["ReferencedSeriesSequence"]
    counts = [len(own.ReferencedInstanceSequence), len(other.ReferencedSeriesSequence[0].ReferencedInstanceSequence)]
    assert sorted(counts) == [4, 8]
    assert {other.StudyInstanceUID, files.study_uid} == {one.StudyInstanceUID for one in images.values()}


@pytest.mark.medium
def test_a_study_without_frame_of_reference_gets_one(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", stack_cine(), shape=DicomShape.ENHANCED)
    reference = str(dcmread(next(study.rglob("*.dcm"))).FrameOfReferenceUID)
    assert export_context(analysed(study), study).reference_uid == reference
    set_elements(study, FrameOfReferenceUID=None)
    context = export_context(analysed(study), study)
    assert context.reference_uid == context.uid("frame of reference") != reference


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_object, "find_spec", lambda name: None)
    monkeypatch.setattr(dicom_object.sys, "version_info", (3, 13, 0))
    with pytest.raises(UsageError, match=r"pip install 'cinema-cmr\[dicom\]'$"):
        check_dicom_extra()
    monkeypatch.setattr(dicom_object.sys, "version_info", (3, 14, 0))
    with pytest.raises(UsageError, match=r"pip install --no-deps highdicom$"):
        check_dicom_extra()


@pytest.mark.medium
def test_highdicom_needs_no_pyjpegls_here() -> None:
    """On Python 3.14 the extra leaves highdicom out, as pyjpegls has no wheel; without it all that is used is there."""
    sources = [path.read_text(encoding="utf-8") for path in Path(dicom_object.__file__).parent.glob("*.py")]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    lines = [ast.unparse(node) for node in nodes if (node.module or "").startswith("highdicom")]
    assert len(lines) > 4
    code = "\n".join(["import sys", "sys.modules['jpeg_ls'] = None", *lines])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_texts_fit_their_elements() -> None:
    assert short_text("a\\b  c") == "a/b c"
    assert len(short_text("x" * 100)) == 64
