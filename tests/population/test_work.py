"""What is done with a study: its record, masks, thumbnail and report; what makes two results the same."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from oracles import annotated, heart, segmenter

from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.pipeline.analysis_options import Options
from cinema_cmr.population import work as work_module
from cinema_cmr.population.listed_studies import ListedStudy
from cinema_cmr.population.work import StudyWork, WorkOptions, listing_hash

RADII = tuple(12.0 + 3.0 * np.cos(np.linspace(0, 2 * np.pi, 8, endpoint=False)))
LABELS = heart(RADII, n_slices=4)


@pytest.fixture
def study(tmp_path: Path) -> ListedStudy:
    path = tmp_path / "scan.nii.gz"
    write_cine(annotated(LABELS).study.cines[0], path)
    return ListedStudy(name="s1", path=path, facts={"sex": "F", "height_cm": 170.0, "weight_kg": 70.0})


@pytest.mark.medium
def test_a_study_gives_numbers_masks_and_a_picture(study: ListedStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.pipeline.analyzer.load_segmenter", lambda model, **_: segmenter(size=(63, 59)))
    options = Options.of(landmarks=None, disease=None)
    parts = WorkOptions(options=options, reports="none")()(study)
    values = {one.name: one.value for one in parts.record.measurements}
    blood_ml = (LABELS == 3).sum(axis=(0, 1, 2)) * 1.5 * 1.5 * 8 / 1000
    assert values["lv_edv_ml"] == pytest.approx(blood_ml.max(), rel=0.02)
    assert values["bsa_m2"] is not None, "the manifest's height and weight are used"
    assert (parts.record.study.name, parts.record.subject.sex) == ("s1", "F")
    assert set(parts.members) == {"sax.nii.gz", "thumbnail.png"}
    mask = nibabel.Nifti1Image.from_bytes(gzip.decompress(parts.members["sax.nii.gz"]))
    assert mask.shape == LABELS.shape
    again = StudyWork(WorkOptions(options=options, masks=False, reports="all"))(replace(study, facts={}))
    assert set(again.members) == {"report.html", "thumbnail.png"}
    assert again.image == parts.image and again.record.subject.sex is None


@pytest.mark.medium
def test_facts_and_frames_of_each_study_are_its_own(study: ListedStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.pipeline.analyzer.load_segmenter", lambda model, **_: segmenter(size=(63, 59)))
    work = StudyWork(WorkOptions(options=Options.of(landmarks=None, disease=None), masks=False))
    recorded = []
    for one in (replace(study, ed_frame=1, es_frame=3), study, replace(study, facts={"sex": "M"})):
        record = work(one).record
        options = work.analyzer.run_facts(None).options
        recorded.append((record.summary.ed_frame, record.summary.es_frame, options["es_frame"], options["given_sex"]))
    assert recorded == [(1, 3, 3, "F"), (0, 4, None, "F"), (0, 4, None, "M")]


@pytest.mark.medium
def test_what_a_killed_worker_leaves_is_removed_by_the_next(
    study: ListedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import os, signal, sys, tempfile\nfrom pathlib import Path\nimport cinema_cmr.io.nifti.image as image\n"
        "image.write_mask = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from types import SimpleNamespace as N\nfrom cinema_cmr.population import work\n"
        "list(work._masks(N(predictions={'sax': N(labels=None)}, study={'sax': None})))"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(scratch)}, check=False)
    assert done.returncode == -9 and len(list(scratch.iterdir())) == 1
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    with work_module.temporary_folder() as folder:
        assert list(scratch.iterdir()) == [folder], "the system's place for such, and nothing of a dead process"


def test_settings_name_what_determines_a_result() -> None:
    base = WorkOptions(options=Options())
    others = [
        WorkOptions(options=Options.of(tta=2)),
        WorkOptions(options=Options.of(landmarks=None)),
        WorkOptions(options=Options(), masks=False),
    ]
    assert len({each.settings() for each in (base, *others)}) == 4
    with pytest.raises(WeightsError):
        WorkOptions(options=Options.of(model="no-such-model")).settings()
    with pytest.raises(UsageError, match="expected none, flagged or all"):
        WorkOptions(options=Options(), reports="some")  # type: ignore[arg-type]


def test_settings_hold_the_device_and_the_precision_that_auto_means(monkeypatch: pytest.MonkeyPatch) -> None:
    auto = WorkOptions(options=Options.of(landmarks=None, disease=None))
    found = []
    for chosen in (("cpu", "fp32"), ("cpu", "bf16"), ("cuda", "bf16")):
        runtime = Runtime(device=chosen[0], precision=chosen[1])
        monkeypatch.setattr("cinema_cmr.inference.runtime.choose_runtime", lambda *_, runtime=runtime: runtime)
        inference = auto.resolved().options.inference
        assert (inference.device, inference.precision) == chosen
        assert auto.settings() == auto.resolved().settings()
        found.append(auto.settings())
    assert len(set(found)) == 3
    named = Options.of(landmarks=None, disease=None, device="cuda", precision="bf16")
    assert WorkOptions(options=named).settings() == found[2], "where there is none, as on the head of a cluster"


def test_a_listing_changes_with_files_and_subject_alone(study: ListedStudy) -> None:
    before = listing_hash(study)
    assert listing_hash(replace(study, facts={**study.facts, "group": "NOR"})) == before
    assert listing_hash(replace(study, facts={"sex": "M"})) != before
    framed = [replace(study, ed_frame=1), replace(study, es_frame=1), replace(study, es_frame=2), study]
    assert len({listing_hash(one) for one in framed}) == 4, "frames of the manifest change the numbers"
    study.path.write_bytes(study.path.read_bytes() + b"0")
    assert listing_hash(study) != before
    assert listing_hash(replace(study, path=Path("none"))) == "missing"
