"""The whole arrow on hearts whose volumes are known: what is measured, what is written, what is refused."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from long_axes import POINTS
from long_axes import cine as long_axis
from long_axes import model as landmark_model
from oracles import CPU, annotated, heart, segmenter

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.errors import GeometryError, NoCineError, OutputExistsError, UsageError
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.inference.landmark_predictor import LandmarkPredictor
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.measure.measure import MeasureOptions
from cinema_cmr.pipeline.analysis_options import ExtraModels, Options
from cinema_cmr.pipeline.analyzer import Analyzer
from cinema_cmr.report.record.build import build_record
from cinema_cmr.report.record.stored import read_measurements
from cinema_cmr.report.write import write_results

RADII = tuple(12.0 + 3.0 * np.cos(np.linspace(0, 2 * np.pi, 12, endpoint=False)))
LABELS = heart(RADII, n_slices=6)
VOXEL_ML = 1.5 * 1.5 * 8 / 1000
RESULTS = {
    *("measurements.json", "measurements.csv", "report.html", "run.json", "segmentation/sax.nii.gz"),
    *("segmentation/original/sax.nii.gz", "segmentation/labels_itksnap.txt", "segmentation/labels_slicer.ctbl"),
}


def scan(folder: Path, labels: np.ndarray = LABELS, name: str = "scan") -> Path:  # type: ignore[type-arg]
    path = folder / f"{name}.nii.gz"
    write_cine(annotated(labels).study.cines[0], path)
    return path


def analysed(
    source: Path | Study,
    *,
    model: Segmenter | None = None,
    long_axis: Segmenter | None = None,
    landmarks: LandmarkPredictor | None = None,
    **options: object,
) -> Analysis:
    """Analyse with models that are loaded already."""
    analyzer = Analyzer(Options.of(**options))
    analyzer.segmenter = model or segmenter(size=(63, 59))
    if long_axis is not None:
        analyzer.long_axis_segmenter = long_axis
    if landmarks is not None:
        analyzer.landmark_predictor = landmarks
    return analyzer.analyse(source)


def written(analysis: Analysis, folder: Path, *, overwrite: bool = False) -> Path:
    write_results(analysis, folder, overwrite=overwrite)
    return folder


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_volumes_and_ef_of_a_file_are_those_of_its_heart(tmp_path: Path) -> None:
    measured = analysed(scan(tmp_path)).measurements
    lv_ml = (LABELS == 3).sum(axis=(0, 1, 2)) * VOXEL_ML
    assert measured.value("lv_edv_ml") == pytest.approx(lv_ml.max(), rel=0.02)
    assert measured.value("lv_esv_ml") == pytest.approx(lv_ml.min(), rel=0.02)
    assert measured.value("lv_ef_percent") == pytest.approx(100 * (1 - lv_ml.min() / lv_ml.max()), abs=1)
    ed_myo_ml = (LABELS[..., 0] == 2).sum() * VOXEL_ML
    assert measured.value("lv_mass_g") == pytest.approx(1.05 * ed_myo_ml, rel=0.03)


@pytest.mark.medium
def test_all_results_are_written_and_agree(tmp_path: Path) -> None:
    source = scan(tmp_path)
    analysis = analysed(source)
    folder = written(analysis, tmp_path / "out")
    assert files_of(folder) == RESULTS
    document = json.loads((folder / "measurements.json").read_text())
    assert document["study"] == {
        "name": "scan",
        "modality": "cine",
        "input_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
    }
    with (folder / "measurements.csv").open() as table:
        values = {row["name"]: row["value"] for row in csv.DictReader(table) if row["value"]}
    assert float(values["lv_edv_ml"]) == pytest.approx(document["summary"]["lv_edv_ml"], rel=1e-3)
    image, mask = nibabel.load(source), nibabel.load(folder / "segmentation" / "sax.nii.gz")
    assert mask.shape == image.shape and np.allclose(mask.affine, image.affine)
    assert mask.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(mask.dataobj), analysis.predictions[View.SAX].labels.array)
    run = json.loads((folder / "run.json").read_text())
    assert {"read", "segment", "measure", "write"} <= run["seconds"].keys()
    assert run["input_sha256"] == document["study"]["input_sha256"]


@pytest.mark.medium
def test_results_in_the_way_are_kept_whole(tmp_path: Path) -> None:
    analysis = analysed(scan(tmp_path))
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "report.html").write_text("older")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        written(analysis, folder)
    assert files_of(folder) == {"notes.txt", "report.html"}
    written(analysis, folder, overwrite=True)
    assert files_of(folder) == RESULTS | {"notes.txt"}
    assert (folder / "report.html").read_text() != "older"


def test_what_a_user_knows_of_the_subject_goes_before_the_files(tmp_path: Path) -> None:
    subject = Subject(sex="F", height_cm=170.0, weight_kg=60.0, heart_rate_bpm=70.0)
    analysis = analysed(scan(tmp_path), subject=subject)
    assert analysis.study.subject.sex == "F"
    indexed = analysis.measurements.value("lv_edvi_ml_m2")
    area_m2 = np.sqrt(170 * 60 / 3600)
    assert indexed == pytest.approx(analysis.measurements.value("lv_edv_ml") / area_m2, rel=1e-6)
    assert analysis.run.options["given_sex"] == "F"


def test_a_single_frame_is_measured_without_an_ejection_fraction(tmp_path: Path) -> None:
    source = scan(tmp_path, LABELS[..., :1])
    with pytest.raises(NoCineError, match=r"one frame; .* --single-frame"):
        analysed(source)
    analysis = analysed(source, single_frame=True)
    value = analysis.measurements
    assert value["lv_ef_percent"].value is None and value["lv_ef_percent"].reason
    assert analysis.measurements.curves["lv_volume_ml"].shape == (1,)
    assert "single-frame" in {issue.code for issue in analysis.study.issues}


def test_too_few_slices_and_no_stack_are_refused_before_the_long_part(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="2 slices; a volume needs at least 3"):
        analysed(scan(tmp_path, LABELS[:, :, :2]))
    long_axis = scan(tmp_path, LABELS[:, :, :1], "lax_4c")
    with pytest.raises(NoCineError, match="no short-axis stack"):
        analysed(long_axis)


def test_frames_that_the_stack_lacks_are_refused_before_the_long_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cinema_cmr.pipeline.analyzer.predict_study", None)
    source = scan(tmp_path)
    for frame in (99, -1):
        with pytest.raises(UsageError, match=f"frame {frame} was given"):
            analysed(source, measure=MeasureOptions(ed_frame=frame))


@pytest.mark.medium
def test_heart_that_exceeds_the_field_of_view_is_flagged_and_measured(tmp_path: Path) -> None:
    found = analysed(scan(tmp_path, name="other"), model=segmenter(size=(32, 32))).measurements
    assert "heart-exceeds-fov" in {flag.code for flag in found.flags}
    fits = analysed(scan(tmp_path, name="third"), model=segmenter(size=(52, 52))).measurements
    assert found["lv_edv_ml"].value == pytest.approx(fits["lv_edv_ml"].value, rel=0.03)


@pytest.mark.medium
def test_the_same_input_gives_the_same_results(tmp_path: Path) -> None:
    source = scan(tmp_path)
    folders = [written(analysed(source), tmp_path / name) for name in ("one", "two")]
    for name in ("measurements.csv", "segmentation/sax.nii.gz"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
    pages = [{**json.loads((folder / "measurements.json").read_text()), "seconds": None} for folder in folders]
    assert pages[0] == pages[1]


@pytest.mark.medium
def test_which_group_the_numbers_resemble_is_told_with_its_notice(tmp_path: Path) -> None:
    known = Subject(height_cm=170, weight_kg=70)
    beating = annotated(heart((20.0, 14.0), n_slices=8)).study
    analysis = analysed(beating, subject=known)
    folder = written(analysis, tmp_path / "out")
    told = json.loads((folder / "measurements.json").read_text())["disease"]
    page = (folder / "report.html").read_text()
    assert told["notice"] in page and "not a diagnosis" in told["notice"]
    assert sum(told["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert told["group"] == max(told["probabilities"], key=told["probabilities"].get)
    assert all(title in page for title in (told["titles"][told["group"]], told["titles"]["lv_edvi_ml_m2"]))
    assert build_record(analysed(beating, subject=known, disease=None)).disease is None


def test_without_height_it_says_why_it_tells_no_group(tmp_path: Path) -> None:
    disease = build_record(analysed(scan(tmp_path))).disease
    assert disease is not None and disease.group is None and not disease.probabilities and disease.reason


def with_long_axis() -> Study:
    """The heart of the short axis with a 4-chamber cine of three bright discs, which lies elsewhere in space."""
    n_frames = LABELS.shape[-1]
    way = 4 * (1 - np.cos(np.arange(n_frames) * 2 * np.pi / n_frames))
    points = np.repeat(POINTS[:1], n_frames, axis=0)
    points[:, 2, 1] = 28.0  # as long as a heart
    points[:, :2, 1] -= way[:, None]
    return replace(annotated(LABELS).study, cines=(*annotated(LABELS).study.cines, long_axis(points)))


@pytest.mark.medium
def test_landmarks_are_measured_written_and_shown(tmp_path: Path) -> None:
    finder = LandmarkPredictor(landmark_model(), CPU)
    analysis = analysed(with_long_axis(), landmarks=finder)
    assert analysis.measurements.value("mapse_mean_mm") == pytest.approx(8 * 1.24, abs=1.0)
    assert (analysis.measurements.value("long_axis_shortening_4c_percent") or 0) > 10
    folder = written(analysis, tmp_path / "out")
    document = json.loads((folder / "measurements.json").read_text())
    (found,) = document["landmarks"]
    assert found["view"] == "lax_4c" and found["model"] == "reads"
    assert [len(points) for points in found["points_ras_mm"].values()] == [LABELS.shape[-1]] * 3
    assert len(document["curves"]["values"]["long_axis_length_4c_mm"]) == LABELS.shape[-1]
    page = (folder / "report.html").read_text()
    assert 'data-name="valve"' in page and 'data-name="apex"' in page and "Mitral valve to apex" in page


@pytest.mark.medium
def test_a_landmark_model_without_the_3_chamber_view_gives_what_it_gave(tmp_path: Path) -> None:
    """The study has the view, the model does not: no points, no numbers, no reasons, no flag of it.

    Values may differ: each plane counts in where the heart lies.
    """
    finder = LandmarkPredictor(landmark_model(), CPU)
    study = with_long_axis()
    other = replace(study.cine(View.LAX_4C), view=View.LAX_3C)
    with_3c = analysed(replace(study, cines=(*study.cines, other)), landmarks=finder)
    former = analysed(study, landmarks=finder)
    assert list(with_3c.landmarks) == [View.LAX_4C]
    assert list(with_3c.measurements) == list(former.measurements)
    assert with_3c.measurements.curves.keys() == former.measurements.curves.keys()
    assert [one.code for one in with_3c.measurements.flags] == [one.code for one in former.measurements.flags]
    new = ("mapse_anteroseptal_mm", "mapse_inferolateral_mm", "long_axis_shortening_3c_percent")
    assert not set(new) & set(with_3c.measurements)
    document = json.loads((written(with_3c, tmp_path / "out") / "measurements.json").read_text())
    assert [one["view"] for one in document["landmarks"]] == ["lax_4c"]
    assert not set(new) & {one["name"] for one in document["measurements"]}
    assert "long_axis_length_3c_mm" not in document["curves"]["values"]


@pytest.mark.medium
def test_3_chamber_landmarks_of_a_model_are_measured_and_written(tmp_path: Path) -> None:
    study = with_long_axis()
    planes = (replace(cine, view=View.LAX_3C) for cine in study.cines if cine.view is View.LAX_4C)
    study = replace(study, cines=(study.cine(View.SAX), *planes))
    analysis = analysed(study, landmarks=LandmarkPredictor(landmark_model(view=View.LAX_3C), CPU))
    assert analysis.measurements.value("mapse_inferolateral_mm") == pytest.approx(8 * 1.24, abs=1.5)
    assert (analysis.measurements.value("long_axis_shortening_3c_percent") or 0) > 10
    folder = written(analysis, tmp_path / "out")
    assert "var(--curve-axis_3c)" in (folder / "report.html").read_text()
    assert "mapse_anteroseptal_mm" in (folder / "measurements.csv").read_text()


def test_landmarks_of_no_heart_are_shown_and_flagged_but_not_measured() -> None:
    study = with_long_axis()
    near = np.repeat(POINTS[:1], LABELS.shape[-1], axis=0)  # an axis of 4 cm
    study = replace(study, cines=(study.cine(View.SAX), long_axis(near)))
    finder = LandmarkPredictor(landmark_model(), CPU)
    analysis = analysed(study, landmarks=finder)
    assert "landmarks-implausible-lax_4c" in {flag.code for flag in analysis.measurements.flags}
    assert View.LAX_4C in analysis.landmarks
    assert not any(name.startswith("mapse") for name in analysis.measurements)


@pytest.mark.medium
def test_without_a_landmark_model_or_a_long_axis_there_are_none() -> None:
    assert analysed(with_long_axis(), extra_models=ExtraModels(landmarks=None)).landmarks == {}
    finder = LandmarkPredictor(landmark_model(), CPU)
    short = analysed(annotated(LABELS).study, landmarks=finder)
    assert short.landmarks == {} and build_record(short).landmarks == ()


@pytest.mark.medium
def test_long_axis_masks_come_from_a_model_of_their_own(tmp_path: Path) -> None:
    """The stack's heart shown as a plane: what the second model sees is written beside the first one's."""
    study = annotated(LABELS).study
    plane = replace(
        study.cine(View.SAX),
        view=View.LAX_4C,
        array=study.cine(View.SAX).array[:, :, 3:4],
        slice_positions_mm=np.zeros(1),
    )
    both = replace(study, cines=(*study.cines, plane))
    its = segmenter(size=(63, 59))
    card = replace(its.card, name="long", grids={View.LAX_4C: its.grid(View.SAX)})
    other = Segmenter(replace(its.loaded, card=card), CPU)
    analysis = analysed(both, model=its, long_axis=other)
    assert {view: one.model for view, one in analysis.predictions.items()} == {View.SAX: "oracle", View.LAX_4C: "long"}
    labels = analysis.predictions[View.LAX_4C].labels.array
    assert labels.shape == plane.array.shape
    assert (labels[:, :, 0] == LABELS[:, :, 3]).mean() > 0.99
    folder = written(analysis, tmp_path / "out")
    long_axis = {"segmentation/lax_4c.nii.gz", "segmentation/original/lax_4c.nii.gz"}
    assert files_of(folder) == RESULTS | long_axis | {"images/sax.nii.gz", "images/lax_4c.nii.gz"}
    assert set(analysed(study, model=its, long_axis=other).predictions) == {View.SAX}


@pytest.mark.medium
def test_record_is_built_once_for_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(
        "cinema_cmr.report.write.build_record", lambda analysis: calls.append(1) or build_record(analysis)
    )
    record = write_results(analysed(scan(tmp_path)), tmp_path / "out")
    assert len(calls) == 1
    assert read_measurements(tmp_path / "out" / "measurements.json") == record


def test_models_are_loaded_once_for_many_studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    monkeypatch.setattr(
        "cinema_cmr.pipeline.analyzer.load_segmenter", lambda name, **_: loaded.append(name) or segmenter(size=(63, 59))
    )
    analyzer = Analyzer()
    for name in ("one", "two"):
        analyzer.analyse(scan(tmp_path, name=name))
    assert loaded == ["cinema-sax"]
