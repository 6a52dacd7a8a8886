"""One study of `cinema analyse`: done, kept from an earlier run, or failed; never silently replaced."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles import heart
from scan_runs import RADII, scan, use_oracle

from cinema_cmr.commands.analyse_case import CaseResult, CaseTarget, analyse_case
from cinema_cmr.commands.console import Console
from cinema_cmr.core.errors import OutputExistsError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.pipeline.analysis_options import Options
from cinema_cmr.pipeline.analyzer import Analyzer
from cinema_cmr.pipeline.remeasure import Corrections, remeasure
from cinema_cmr.report.record.review import Review, write_review
from cinema_cmr.report.write import write_results


def analysed(folder: Path, *, overwrite: bool = False, **options: object) -> CaseResult:
    """Analyse scan.nii.gz of a folder into its folder `out`."""
    analyzer = Analyzer(Options.of(landmarks=None, disease=None, **options))
    source, out = folder / "scan.nii.gz", folder / "out"
    target = CaseTarget(folder=out, name="case", overwrite=overwrite)
    return analyse_case(source, target, analyzer=analyzer, console=Console())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> CaseResult:
    """A finished case, with its scan and results in one folder."""
    folder = tmp_path_factory.mktemp("case")
    scan(folder)
    with pytest.MonkeyPatch.context() as patch:
        use_oracle(patch)
        return analysed(folder)


@pytest.fixture
def copy(finished: CaseResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished case."""
    use_oracle(monkeypatch)
    report = Path(finished.text.rpartition("report: ")[2])
    return Path(shutil.copytree(report.parents[1], tmp_path / "copy"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check_refused(folder: Path, message: str, **options: object) -> None:
    """Check that a second run fails with this message and leaves the results as they are."""
    before = contents(folder / "out")
    result = analysed(folder, **options)
    assert result.status == "failed" and isinstance(result.error, OutputExistsError)
    assert message in str(result.error) and "--overwrite" in str(result.error)
    assert contents(folder / "out") == before


def test_finished_results_are_kept_with_their_record(finished: CaseResult, copy: Path) -> None:
    before = contents(copy / "out")
    kept = analysed(copy)
    assert (finished.status, kept.status) == ("done", "kept")
    assert kept.row == finished.row
    assert kept.text.endswith("(finished before, kept)")
    assert {**finished.to_dict(), "status": "kept"} == kept.to_dict()
    assert contents(copy / "out") == before


def test_results_of_other_options_or_another_input_are_not_overwritten(copy: Path) -> None:
    check_refused(copy, "results of another study, model or other options", basal_rule="all-slices")
    scan(copy, labels=heart(RADII[:4], n_slices=6))
    check_refused(copy, "results of another study, model or other options")


@pytest.mark.parametrize("damage", [None, "{", "[]", "{}"])
def test_damaged_results_are_not_overwritten(damage: str | None, copy: Path) -> None:
    measurements = copy / "out" / "measurements.json"
    measurements.unlink() if damage is None else measurements.write_text(damage)
    check_refused(copy, "damaged or incomplete")


def test_results_of_another_version_are_not_kept_as_current(copy: Path) -> None:
    run = json.loads((copy / "out" / "run.json").read_text())
    run["versions"]["cinema_cmr"] = "0.0.1"
    (copy / "out" / "run.json").write_text(json.dumps(run))
    check_refused(copy, "results of version 0.0.1")


@pytest.mark.medium
def test_overwrite_replaces_damaged_results(finished: CaseResult, copy: Path) -> None:
    (copy / "out" / "measurements.json").write_text("{")
    result = analysed(copy, overwrite=True)
    assert result.status == "done" and result.row.record is not None and finished.row.record is not None
    assert replace(result.row.record, seconds={}) == replace(finished.row.record, seconds={})


def test_a_failed_case_has_its_error_and_an_empty_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = analysed(tmp_path)
    line = result.to_dict()
    assert (line["name"], line["status"], line["report"]) == ("case", "failed", None)
    assert result.error is not None and result.error.exit_code == 3 and line["error"] == str(result.error)
    assert set(line["summary"].values()) == {None} and not (tmp_path / "out").exists()
    assert f"cinema: case: {result.error}" in capsys.readouterr().err


def change_ef(out: Path) -> None:
    text = (out / "measurements.json").read_text()
    measured = json.loads(text)["summary"]["lv_ef_percent"]
    (out / "measurements.json").write_text(text.replace(f'"lv_ef_percent": {measured}', '"lv_ef_percent": 99.0'))


def remove_flags(out: Path) -> None:
    record = json.loads((out / "measurements.json").read_text())
    (out / "measurements.json").write_text(json.dumps({**record, "flags": []}))


def forget_hashes(out: Path) -> None:
    run = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps({**run, "outputs": {}}))


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (lambda out: (out / "report.html").unlink(), "report.html is missing or was changed"),
        (change_ef, "measurements.json is missing or was changed"),
        (remove_flags, "measurements.json is missing or was changed"),
        (lambda out: (out / "segmentation" / "sax.nii.gz").write_bytes(b""), "sax.nii.gz is missing or was changed"),
        (forget_hashes, "no hashes"),
    ],
)
def test_results_that_are_not_what_they_were_are_not_kept(
    tamper: Callable[[Path], object], told: str, copy: Path
) -> None:
    tamper(copy / "out")
    check_refused(copy, told)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), (3, "No space left")),
        (ValueError("doe_jane"), (1, "a defect of this program")),
        (MemoryError(), (3, "needs more memory")),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates"), (1, "a defect of this program")),
    ],
)
def test_whatever_goes_wrong_in_one_study_is_its_row(
    error: Exception,
    told: tuple[int, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Analyzer, "analyse", fail)
    scan(tmp_path)
    result = analysed(tmp_path)
    assert result.status == "failed" and result.error is not None and result.error.exit_code == told[0]
    assert told[1] in str(result.row.error) and "doe_jane" not in str(result.row.error)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.medium
def test_corrected_results_are_kept_and_count_as_those_of_the_run(copy: Path) -> None:
    corrections = Corrections(rules={"es_frame": 3, "weight_kg": 80.0})
    write_results(remeasure(copy / "out", corrections), copy / "out", overwrite=True)
    result = analysed(copy)
    assert result.status == "kept" and result.row.record is not None and result.row.record.summary.es_frame == 3
    before = contents(copy / "out")
    refused = analysed(copy, overwrite=True)
    assert "holds corrections of a reader" in str(refused.error) and contents(copy / "out") == before


@pytest.mark.medium
@pytest.mark.parametrize("state", ["drawn", "frame", "signed off", "damaged"])
def test_what_a_reader_did_in_the_viewer_is_not_replaced(copy: Path, state: str) -> None:
    """Corrections of review.json that are not in the results yet, a sign-off, and a review that cannot be read."""
    review = {
        "drawn": Review().with_slice(View.SAX, 0, 0, np.zeros((4, 4), np.uint8)),
        "frame": Review(es_frame=3),
        "signed off": Review(signed_off="2026-01-01T00:00:00+00:00"),
    }.get(state)
    if review is None:
        (copy / "out" / "review.json").write_text("{")
    else:
        write_review(review, copy / "out")
    before = contents(copy / "out")
    refused = analysed(copy, overwrite=True)
    assert refused.status == "failed" and contents(copy / "out") == before
    assert analysed(copy).status == "kept"


def test_a_review_that_only_looked_is_replaced_with_its_results(copy: Path) -> None:
    write_review(Review(looked_at="2026-01-01T00:00:00+00:00"), copy / "out")
    assert analysed(copy, overwrite=True).status == "done"
