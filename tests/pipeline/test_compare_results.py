"""Results folders that cannot be compared are refused, with the reason and what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from corrected_results import edited_mask, shrunk, written_results

from cinema_cmr.core.errors import InputError, MissingFileError, UnreadableFileError, UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.pipeline.compare_results import compare_results, compare_with_model
from cinema_cmr.pipeline.remeasure import Corrections, remeasure
from cinema_cmr.pipeline.results_folder import read_results
from cinema_cmr.report.write import write_results


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("cinema_cmr.report.html.write_report", lambda *given: given[-1].write_text("page"))
    return written_results(tmp_path / "results")


def test_two_equal_results_differ_in_nothing(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results, tmp_path / "copy")
    record = compare_results(results, tmp_path / "copy").record
    assert record.same_images and not record.settings and not record.beyond
    assert {one.difference for one in record.values} <= {0.0, None}
    assert all(score in (1.0, None) for view in record.views for score in view.dice.values())


def test_what_is_not_finished_or_not_measured_is_refused(results: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(results, tmp_path / "copy"))
    with pytest.raises(UsageError, match="given twice"):
        compare_results(results, results)
    with pytest.raises(UsageError, match="expected two different ones"):
        compare_results(results, copy, names=("A", "A"))
    with pytest.raises(MissingFileError, match=r"'nowhere' has no run.json"):
        compare_results(results, tmp_path / "nowhere")
    edited_mask(results, copy / "segmentation" / "sax.nii.gz", shrunk(0), view=View.SAX)
    with pytest.raises(InputError, match=r"was edited after it was measured.*cinema remeasure"):
        compare_results(results, copy)
    (copy / "measurements.json").write_text("{")
    with pytest.raises(UnreadableFileError):
        compare_results(results, copy)


def test_a_reader_is_compared_with_the_model_of_the_same_folder(results: Path) -> None:
    """Mask and ES frame are corrected in place; the model's side has the numbers of the run before."""
    before = {one.name: one.value for one in read_results(results).record.measurements}
    with pytest.raises(InputError, match="correct a slice first"):
        compare_with_model(results)
    edited_mask(results, results / "segmentation" / "sax.nii.gz", shrunk(0))
    with pytest.raises(InputError, match="was edited after it was measured"):
        compare_with_model(results)
    write_results(remeasure(results, Corrections(rules={"es_frame": 5})), results, overwrite=True)
    record = compare_with_model(results).record
    after = {one.name: one.value for one in read_results(results).record.measurements}
    values = {one.name: (one.first, one.second) for one in record.values}
    for name in ("lv_edv_ml", "lv_esv_ml", "lv_ef_percent", "lv_es_frame"):
        assert values[name] == (pytest.approx(before[name]), pytest.approx(after[name]))
        assert name == "lv_edv_ml" or before[name] != after[name]
    assert (record.first.title, record.second.title, record.same_images) == ("model", "reader", True)
    assert not record.first.has_corrected_masks and record.second.has_corrected_masks
    assert [one.name for one in record.settings] == ["es_frame"]
