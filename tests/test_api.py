"""The Python twin of each command, one to three lines, on tiny hearts."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from hearts import heart as measured_heart
from oracles import cine_of, heart, segmenter
from torch.utils.data import DataLoader

import cinema_cmr as cmr
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.models import catalogue
from cinema_cmr.phantom.demo import demo_truth

RADII = tuple(12.0 + 3.0 * np.cos(np.linspace(0, 2 * np.pi, 8, endpoint=False)))


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> Segmenter:
    """A model that reads the synthetic hearts stands in for the bundled one."""
    model = segmenter(size=(63, 59))
    for module in ("pipeline.analyzer", "inference.loading"):
        monkeypatch.setattr(f"cinema_cmr.{module}.load_segmenter", lambda name, **_: model)
    return model


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scan") / "scan.nii.gz"
    cmr.write_cine(cine_of(heart(RADII, n_slices=6)), path)
    return path


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten labelled stacks of one frame, of three or four slices: an image and its mask each."""
    folder = tmp_path_factory.mktemp("lab")
    for number, radius in enumerate((11.0, 12.0, 13.0, 14.0, 15.0, 11.5, 12.5, 13.5, 14.5, 10.5)):
        labels = heart((radius,), n_slices=3 + number % 2)
        cine = cine_of(labels)
        noise = np.random.default_rng(number).normal(0, 10, cine.shape)
        cmr.write_cine(cine.with_array((cine.array + noise).astype(np.float32)), folder / f"p{number}.nii.gz")
        cmr.write_mask(labels, cine, folder / f"p{number}_seg.nii.gz")
    return folder


@pytest.mark.medium
def test_analyse(scan: Path, oracle: Segmenter, tmp_path: Path) -> None:
    analysis = cmr.analyse(scan, sex="F", height_cm=170, basal_rule="all-slices", landmarks=None)
    analysis.write(tmp_path / "out")
    record = cmr.read_measurements(tmp_path / "out" / "measurements.json")
    assert record.summary.lv_ef_percent == pytest.approx(analysis.measurements.value("lv_ef_percent"), rel=1e-5)
    assert analysis.study.subject.sex == "F" and (tmp_path / "out" / "report.html").exists()
    assert len(repr(analysis)) < 500
    corrected = cmr.remeasure(tmp_path / "out", masks=tmp_path / "out" / "segmentation" / "sax.nii.gz", es_frame=2)
    corrected.write(tmp_path / "out", overwrite=True)
    assert corrected.edits is not None and [rule.name for rule in corrected.edits.rules] == ["es_frame"]


@pytest.mark.medium
def test_compare_results_folders(scan: Path, oracle: Segmenter, tmp_path: Path) -> None:
    cmr.analyse(scan, tta=1).write(tmp_path / "a")
    cmr.remeasure(tmp_path / "a", es_frame=3).write(tmp_path / "b")
    compared = cmr.compare(tmp_path / "a", tmp_path / "b", names=("found", "given"))
    assert [one.name for one in compared.record.settings] == ["es_frame"] and compared.record.same_images
    assert compared.write(tmp_path / "out").exists() and (tmp_path / "out" / "compare.json").exists()
    with pytest.raises(cmr.UsageError, match="expected two evaluations, or two results folders"):
        cmr.compare(tmp_path / "a", compared)  # type: ignore[call-overload]


def test_analyse_many_studies_with_one_analyzer(scan: Path, oracle: Segmenter) -> None:
    analyzer = cmr.Analyzer(cmr.Options.of(tta=1))
    first, second = (analyzer.analyse(scan, name=name) for name in ("a", "b"))
    assert (first.study.name, second.study.name) == ("a", "b")


@pytest.mark.slow
def test_a_population_is_a_table(scan: Path, tmp_path: Path) -> None:
    settings = {"landmarks": None, "disease": None, "device": "cpu", "masks": False, "tta": 1}
    found = cmr.analyse_population([scan, tmp_path / "absent.zip"], tmp_path / "cohort", workers=1, **settings)
    assert (found.done, found.failed) == (1, 1) and found.measurements["study"] == ["scan"]
    assert [row["study"] for row in found.failures] == ["absent"]
    assert cmr.read_population(tmp_path / "cohort").statuses[0].finished
    merged = cmr.merge_populations([tmp_path / "cohort"], tmp_path / "all")
    assert list(merged.measurements) == list(found.measurements)


def test_unknown_option_names_the_nearest() -> None:
    with pytest.raises(cmr.CinemaError, match="unknown option 'heigt_cm'; did you mean 'height_cm'"):
        cmr.analyse("scan", heigt_cm=170)
    with pytest.raises(cmr.CinemaError, match="unknown device 'gpu'"):
        cmr.Options.of(device="gpu")


def test_segment(scan: Path, oracle: Segmenter, tmp_path: Path) -> None:
    masks = cmr.segment(scan)
    cmr.segment(scan, tmp_path / "mask.nii.gz")
    written = np.asarray(nibabel.load(tmp_path / "mask.nii.gz").dataobj)
    assert np.array_equal(written, masks[cmr.View.SAX].labels.array)


def test_views(scan: Path) -> None:
    study = cmr.read_study(scan)
    assert [(one.series, one.view, one.kept) for one in study.decisions] == [("scan", "sax", True)]
    assert study["sax"].n_frames == 8 and len(repr(study)) < 400


def test_series_are_chosen_in_an_edited_table_or_by_name(scan: Path, oracle: Segmenter, tmp_path: Path) -> None:
    table = tmp_path / "views.csv"
    cmr.write_views_file(cmr.read_study(scan), table)
    assert cmr.analyse(scan, views=table, tta=1, landmarks=None).study["sax"].n_frames == 8
    table.write_text(table.read_text().replace("yes", "no"))
    for choice in ({"views": str(table)}, {"ignore": ["scan"]}, {"view": {"scan": "lax_4c"}}):
        with pytest.raises(cmr.NoCineError):
            cmr.analyse(scan, landmarks=None, **choice)
    assert cmr.analyse(scan, use=["scan"], view={"scan": "sax"}, landmarks=None).study["sax"].n_frames == 8


def test_measure_masks(scan: Path) -> None:
    study = cmr.read_study(scan)
    measurements = cmr.measure_masks(study, cmr.LabelMap(array=heart(RADII, n_slices=6)))
    assert "lv_ef_percent" in measurements and "lv_ef" not in measurements


def test_cine_reads_and_writes_nifti(scan: Path, tmp_path: Path) -> None:
    cine = cmr.Cine.from_nifti(scan, view="sax")
    cine.select(frames=slice(0, 2)).to_nifti(tmp_path / "two.nii.gz")
    assert cmr.Cine.from_nifti(tmp_path / "two.nii.gz").n_frames == 2


@pytest.mark.medium
def test_bundled_models_load_by_name() -> None:
    model = cmr.load_model("cinema-sax")
    assert repr(model).startswith("Model('cinema-sax': segment,") and model.card.grids


@pytest.mark.medium
def test_finetune_and_use_the_model(labelled: Path, tmp_path: Path) -> None:
    result = cmr.finetune("sax-unet", labelled, tmp_path / "run", steps=2, preset="smoke")
    model = cmr.load_model(result.model)
    assert model.card.training["n_steps"] == 2
    first = cmr.evaluate(result.model, labelled, tmp_path / "scores")
    assert first.summary.n_patients == len({one.patient for one in first.results}) > 0
    assert (tmp_path / "scores" / "page.html").exists()
    everyone = cmr.evaluate(result.load(), labelled, part="all")
    comparison = cmr.compare(everyone, everyone)
    assert all(row.difference.value == 0 for row in comparison.rows)


def test_check_dataset(labelled: Path) -> None:
    checked = cmr.check_dataset(labelled)
    assert (checked.found, checked.missing, checked.broken) == (10, 0, 0)


@pytest.mark.medium
def test_weights_are_imported_under_another_name(tmp_path: Path) -> None:
    card = catalogue.import_weights("cinema-lax", tmp_path / "one", name="one")
    assert (card.name, cmr.load_model(tmp_path / "one").card.name) == ("one", "one")


def test_bundled_weights_are_listed_and_verified() -> None:
    names = [entry.name for entry in cmr.list_weights()]
    assert {"cinema-sax", "cinema-lax", "cinema-scar"} <= set(names)


@pytest.mark.medium
def test_weights_are_verified() -> None:
    assert all(check.passed for check in cmr.verify_weights("cinema-lax"))


@pytest.mark.medium
def test_prepare_pretrain_and_embed(tmp_path: Path) -> None:
    manifest = cmr.write_phantoms(tmp_path / "phantoms", n=2, views=("sax",), n_frames=4)
    studies = sorted(path for path in manifest.parent.iterdir() if path.is_dir())
    store = cmr.prepare(studies, tmp_path / "store").parent
    result = cmr.pretrain("tiny", store, tmp_path / "run", steps=1)
    assert cmr.load_model(result.model).card.task == "pretrain"
    rows = cmr.embed(studies[0], model=result.model)
    assert {row.tokens for row in rows} >= {"cls", "sax"} and {row.frame for row in rows} == {0, 1, 2, 3}
    model, study = cmr.load_model(result.model), cmr.read_study(studies[0])
    about = cmr.embed(study, model=model, cycle=True, heart=True, precision="fp32")
    assert {row.tokens for row in about} >= {"cls", "sax/first", "sax/last"} and {row.frame for row in about} == {None}
    assert cmr.reconstruct(study, model=model).keys() == {"sax"}
    for number, start in enumerate((result.model, model, str(result.model))):
        again = cmr.pretrain("tiny", store, tmp_path / f"again-{number}", steps=1, start=start)
        assert model.card.weights_sha256[:12] in again.card.training["start"]
    first, again = (cmr.reconstruct(studies[0], model=result.model, seed=1) for _ in range(2))
    assert np.array_equal(first["sax"].filled, again["sax"].filled)
    cmr.reconstruct(studies[0], tmp_path / "picture.png", model=result.model)
    assert (tmp_path / "picture.png").exists()


@pytest.mark.slow
def test_demo_study_is_analysed_with_the_bundled_model(tmp_path: Path) -> None:
    cmr.analyse(cmr.demo_study(), landmarks=None).write(tmp_path / "out")
    record = cmr.read_measurements(tmp_path / "out" / "measurements.json")
    assert record.summary.lv_ef_percent == pytest.approx(demo_truth()["lv_ef_percent"], abs=6)


@pytest.mark.medium
def test_demo_study_is_read() -> None:
    assert cmr.read_study(cmr.demo_study())["sax"].n_slices > 5


@pytest.mark.medium
def test_disease_model_of_reference_masks(tmp_path: Path) -> None:
    """The hearts of group "weak" hardly move."""
    rows = ["name,group,height_cm,weight_kg"]
    for number in range(8):
        group, scale = (("strong", 0.65), ("weak", 0.9))[number % 2]
        cine, labels = measured_heart(
            (1.0 - 0.01 * number, scale), spacing_mm=(2.0, 2.0, 10.0), shape=(70, 60), oriented=True
        )
        cmr.write_cine(cine.with_array(100.0 * labels.array.astype(np.float32)), tmp_path / f"p{number}.nii.gz")
        cmr.write_mask(labels, cine, tmp_path / f"p{number}_seg.nii.gz")
        rows.append(f"p{number},{group},{170 + number},70")
    (tmp_path / "facts.csv").write_text("\n".join(rows) + "\n")
    model = cmr.fit_disease_model(tmp_path, tmp_path / "out", model=None, codes=["1=rv", "2=myo", "3=lv"])
    assert model.groups == ("strong", "weak") and (tmp_path / "out" / "disease.json").exists()
    split = tmp_path / "out" / "split.json"
    few = cmr.fit_disease_model(tmp_path, tmp_path / "few", model=None, split=split, n_train=4)
    assert few.training["n_patients"] < model.training["n_patients"]


@pytest.mark.medium
def test_benchmark_and_sweep(labelled: Path, tmp_path: Path) -> None:
    settings = {"preset": "smoke", "steps": 2, "device": "cpu"}
    table = cmr.benchmark(labelled, tmp_path / "bench", tasks=["segment-sax"], models=["unet"], **settings)
    assert [row.status for row in table.rows] == ["done"] and (tmp_path / "bench" / "page.html").exists()
    curve = cmr.sweep("segment-sax", labelled, tmp_path / "curve", shares=[100], models=["unet"], seeds=1, **settings)
    assert [point.n_patients for point in curve.points] == [8] and (tmp_path / "curve" / "curve.svg").exists()
    settings |= {"patience": 1, "validate_every": 1, "choose_by": 3}
    curve = cmr.sweep("segment-sax", labelled, tmp_path / "few", patients=[2], models=["unet"], seeds=1, **settings)
    assert [point.n_patients for point in curve.points] == [2] and "3 patients of the part" in curve.settings[-1]


def test_datasets_in_a_data_loader(labelled: Path) -> None:
    loader = DataLoader(cmr.datasets.folder(labelled, part="all", size=(32, 32), n_slices=4), batch_size=2)
    assert [batch["image"].shape[0] for batch in loader] == [2] * 5
    frames = cmr.frame_dataset("folder", labelled, part="all", size=(32, 32), n_slices=4)
    assert len(frames) == 10 and frames[0]["image"].shape == (1, 32, 32, 4)
