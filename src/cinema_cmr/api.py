"""The public functions: what the command line does, in one to three lines of Python each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cinema_cmr.core.analysis import Analysis, NormalRange
from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.results import Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.displays import register_displays

if TYPE_CHECKING:
    from cinema_cmr.datasets.check import CheckSummary
    from cinema_cmr.disease.model import DiseaseModel
    from cinema_cmr.inference.features import FeatureRow
    from cinema_cmr.pipeline.frame_dataset import FrameDataset
    from cinema_cmr.pipeline.task_model import Model, ModelLike
    from cinema_cmr.recipes.experiment import Experiment
    from cinema_cmr.recipes.run import RunResult
    from cinema_cmr.report.record.study_record import StudyRecord
    from cinema_cmr.tasks.reconstruction import ReconstructedView

__all__ = [
    "analyse",
    "check_dataset",
    "demo_study",
    "embed",
    "finetune",
    "fit_disease_model",
    "frame_dataset",
    "load_model",
    "prepare",
    "pretrain",
    "read_cine",
    "reconstruct",
    "remeasure",
    "segment",
    "write_cine",
    "write_phantoms",
    "write_results",
]


def analyse(source: Study | Path | str, *, name: str | None = None, **options: Any) -> Analysis:
    """Read, segment and measure a study: a DICOM folder, a zip, NIfTI files, or a `Study`.

    `options` are the fields of `Options` and its groups, as on the command line: `model`, `tta`, `device`, `sex`,
    `height_cm`, `basal_rule`, `use`, `ignore`, `view`, ... `name` replaces the stem of the path. For many studies use
    one `Analyzer`.
    """
    from cinema_cmr.pipeline.analysis_options import Options
    from cinema_cmr.pipeline.analyzer import Analyzer

    return Analyzer(Options.of(**options)).analyse(source, name=name)


def remeasure(
    results: Path | str,
    *,
    masks: Path | str | Mapping[View | str, Path | str] = MappingProxyType({}),
    images: Path | str | Mapping[View | str, Path | str] = MappingProxyType({}),
    find_frames: bool = False,
    normal_ranges: tuple[NormalRange, ...] | None = None,
    points: Mapping[str, Sequence[float] | None] = MappingProxyType({}),
    **rules: Any,
) -> Analysis:
    """Measure a results folder again, with corrected masks, landmarks, frames or rules; no model runs.

    `masks`, `images`: NIfTI files by view, one alone of the short axis; `points`: moved landmarks, as
    {"lax_4c:mitral_septal:8": (x, y, z)} in RAS mm, None for the model's own; `find_frames`: find ED and ES again;
    `rules`: fields of `MeasureOptions` and `Subject`, such as `es_frame` or `basal_rule`. `.edits` records what differs
    from the model's own run, and `.write(results, overwrite=True)` keeps its masks. Raises `InputError` and its kinds
    for a mask on another grid, with other codes, without labels, or of a view that the results lack.
    """
    from cinema_cmr.pipeline.moved_points import parse_point
    from cinema_cmr.pipeline.remeasure import Corrections, paths_by_view
    from cinema_cmr.pipeline.remeasure import remeasure as measure

    corrections = Corrections(
        masks=paths_by_view(masks),
        images=paths_by_view(images),
        rules=rules,
        find_frames=find_frames,
        normal_ranges=normal_ranges,
        points=tuple(parse_point(text, position) for text, position in points.items()),
    )
    return measure(results, corrections)


def segment(
    source: Study | Path | str, path: Path | str | None = None, *, overwrite: bool = False, **options: Any
) -> Mapping[View, Prediction]:
    """Segment the views of a study that a model has; with `path` the mask is written there, as NIfTI.

    `options` are those of `InferenceOptions` and `SeriesOptions`: `model`, `device`, `tta`, `use`, `ignore`, ...
    """
    from cinema_cmr.inference.loading import load_segmenter
    from cinema_cmr.inference.predictor import predict_study
    from cinema_cmr.io.read import read_study
    from cinema_cmr.pipeline.analysis_options import Options
    from cinema_cmr.pipeline.segment import segment_to_file

    given = Options.of(**options)
    chosen, choices = given.inference, given.series.choices()
    segmenter = load_segmenter(chosen.model, device=chosen.device, precision=chosen.precision, tta=chosen.tta)
    if path is not None:
        return segment_to_file(source, path, segmenter=segmenter, overwrite=overwrite, choices=choices)
    return predict_study(source if isinstance(source, Study) else read_study(source, choices=choices), segmenter)


def load_model(
    name_or_path: Path | str, *, device: str = "auto", precision: str = "auto", tta: int | None = None
) -> Model:
    """Load a model by the name of a bundled or published one (hf:...), or by its folder.

    `model.predict(study)` predicts in patient space, whatever its task; `model(images)` runs the network on tensors.
    """
    from cinema_cmr.pipeline.task_model import load

    return load(name_or_path, device=device, precision=precision, tta=tta)


def write_results(
    analysis: Analysis, folder: Path | str, *, overwrite: bool = False, images: bool | None = None
) -> StudyRecord:
    """Write report, measurements, masks, images and run.json of an analysis into a folder; return the record.

    `images`: True writes the image of each view with a mask, False none, None those that no NIfTI file holds.
    """
    from cinema_cmr.report.write import write_results as write

    return write(analysis, folder, overwrite=overwrite, images=images)


def read_cine(path: Path | str, *, view: View | str = View.SAX) -> Cine:
    """Read one NIfTI image, 3D or 4D, as a cine of a view; `read_study` recognises views by itself."""
    from cinema_cmr.io.nifti.image import read_nifti_cine

    cine, _ = read_nifti_cine(Path(path), view=View.parse(view))
    return cine


def write_cine(cine: Cine, path: Path | str, *, overwrite: bool = False) -> None:
    """Write the intensities of a cine as NIfTI, on the grid of the file that it was read from."""
    from cinema_cmr.io.nifti.image import write_cine as write

    write(cine, path, overwrite=overwrite)


def demo_study() -> Path:
    """Return the path of the bundled synthetic study."""
    from cinema_cmr.phantom.demo import demo_path

    return demo_path()


def write_phantoms(
    folder: Path | str,
    *,
    n: int = 10,
    seed: int = 0,
    views: Sequence[View | str] | None = None,
    overwrite: bool = False,
    **config: Any,
) -> Path:
    """Write synthetic studies with exact volumes, masks and landmarks; return the path of their manifest.

    `config` are further fields of `phantom.cohort.CohortConfig`: `format`, `group`, `style`, `n_frames`.
    """
    from cinema_cmr.phantom.cohort import CohortConfig, write_cohort

    chosen = CohortConfig(n=n, seed=seed, **config)
    if views is not None:
        chosen = replace(chosen, views=tuple(map(View.parse, views)))
    return write_cohort(Path(folder), chosen, overwrite=overwrite)


def finetune(
    recipe: str | Experiment,
    data: Path | str,
    folder: Path | str,
    *,
    start: ModelLike | None = None,
    **options: Any,
) -> RunResult:
    """Train a model on labelled studies; `result.model` is the folder of the trained model.

    `recipe`: a name, e.g. "sax-unet", or an experiment; `data`: NAME:FOLDER of a dataset, or a folder of images with
    masks; `start`: a model or pre-trained encoder; `options`: those of `cinema finetune`, e.g. `steps`, `lr`, `target`.
    """
    from cinema_cmr.pipeline.task_model import unwrapped
    from cinema_cmr.recipes.finetune import finetune as run

    return run(recipe, data, folder, start=None if start is None else unwrapped(start), **options)


def check_dataset(data: Path | str, *, open_files: bool = True, codes: Sequence[str] = ()) -> CheckSummary:
    """Count the cases of a dataset that are found, missing and broken; `data` and `codes` as in `finetune`.

    `.results` has each case with what its label maps hold, the reason if it cannot be read, and remarks on what may be
    wrong with its labels.
    """
    from cinema_cmr.datasets.check import check_cases, summarise_checks
    from cinema_cmr.datasets.reading import find_cases

    dataset, cases = find_cases(str(data), codes=codes)
    return summarise_checks(dataset, cases, check_cases(dataset, cases, open_files=open_files))


def fit_disease_model(
    data: Path | str,
    folder: Path | str,
    *,
    model: str | None = "cinema-sax",
    seed: int = 0,
    n_train: int | None = None,
    codes: Sequence[str] = (),
    split: Path | str | None = None,
    overwrite: bool = False,
    **inference: Any,
) -> DiseaseModel:
    """Fit a linear model of disease groups on measurements, write it to `folder/disease.json`, and return it.

    `model` draws the masks that are measured; None takes the reference masks. Its scores are in `.training["scores"]`.
    `data`, `codes` and `split` as in `evaluate`; `n_train`: learn from at most so many patients, drawn round-robin over
    the groups; `inference`: `device`, `precision` and `tta` of the model. Raises `OutputExistsError`, before any work,
    where a model is there and `overwrite` is False.
    """
    from cinema_cmr.datasets.reading import LabelledSource, open_training_data
    from cinema_cmr.disease.model import DISEASE_FILE
    from cinema_cmr.inference.loading import load_segmenter
    from cinema_cmr.inference.predictor import predict_cine
    from cinema_cmr.io.output_folder import check_new_files
    from cinema_cmr.recipes.disease_groups import train_disease_model

    check_new_files(Path(folder), [DISEASE_FILE], overwrite=overwrite)
    source = LabelledSource(
        data=str(data), split=None if split is None else Path(split), n_train=n_train, seed=seed, codes=codes
    )
    labelled = open_training_data(source, Path(folder))
    segmenter = None if model is None else load_segmenter(model, **inference)
    predict = None if segmenter is None else lambda one: predict_cine(one.study[View.SAX], segmenter).labels
    card = None if segmenter is None else segmenter.card
    fitted = train_disease_model(labelled, predict=predict, predictor=card, seed=seed)
    fitted.write(Path(folder) / DISEASE_FILE, overwrite=overwrite)
    return fitted


def pretrain(
    recipe: str | Experiment,
    data: Path | str | None,
    folder: Path | str,
    *,
    start: ModelLike | None = None,
    **options: Any,
) -> RunResult:
    """Train a masked autoencoder on a store that `prepare` wrote; `result.model` is the folder of the trained model.

    `data` is None for the recipe "synthetic", which learns from `lessons` alone. `options` are those of `cinema
    pretrain`, e.g. `steps`, `batch`, `validation`, `lessons`.
    """
    from cinema_cmr.pipeline.task_model import unwrapped
    from cinema_cmr.recipes.pretrain import pretrain as run

    return run(recipe, data, folder, start=None if start is None else unwrapped(start), **options)


def prepare(sources: Sequence[Path | str], folder: Path | str, *, workers: int = 1, overwrite: bool = False) -> Path:
    """Store studies for training, with access to single frames; return the path of the manifest.

    Raises the error of the first study that cannot be read, after the others are stored.
    """
    from cinema_cmr.data.population import MANIFEST_FILE, prepare_population
    from cinema_cmr.population.engines.choose import EngineRequest
    from cinema_cmr.population.store_work import store_on_engine

    store = None if workers == 1 else store_on_engine(EngineRequest(workers=workers))
    cases = prepare_population([Path(source) for source in sources], Path(folder), store=store, overwrite=overwrite)
    failed = [case for case in cases if case.status == "failed"]
    if failed:
        raise InputError(
            f"{len(failed)} of {len(cases)} studies were not stored; first {failed[0].name}: {failed[0].error}"
        )
    return Path(folder) / MANIFEST_FILE


def embed(
    source: Study | Path | str,
    *,
    model: ModelLike = "cinema-small",
    cycle: bool = False,
    heart: bool = False,
    device: str = "auto",
    precision: str = "auto",
) -> list[FeatureRow]:
    """Return the feature vectors of a study, by view and frame, from a pre-trained encoder.

    `cycle`: their mean over the cycle instead; `heart`: vectors of the tokens about the heart, too. For many studies
    load the model once, `model=load_model(...)`. Raises `WeightsError` for a model that is no autoencoder.
    """
    from cinema_cmr.data.temporary_store import open_or_prepare
    from cinema_cmr.inference.features import FeatureExtractor
    from cinema_cmr.inference.runtime import choose_runtime
    from cinema_cmr.pipeline.task_model import loaded_of

    extractor = FeatureExtractor(loaded_of(model), choose_runtime(device, precision))
    with open_or_prepare(source) as study:
        return extractor.rows(study, over_cycle=cycle, heart=heart)


def reconstruct(
    source: Study | Path | str,
    path: Path | str | None = None,
    *,
    model: ModelLike = "cinema-small",
    frame: int = 0,
    mask_ratio: float = 0.75,
    seed: int = 0,
    overwrite: bool = False,
) -> dict[str, ReconstructedView]:
    """Mask most of one frame of a study and reconstruct it with an autoencoder; view -> input, visible part, result.

    With `path`, a name that ends in .png, the picture is written there. Raises as `tasks.reconstruction.reconstruct`.
    """
    from cinema_cmr.data.temporary_store import open_or_prepare
    from cinema_cmr.io.atomic import atomic_path
    from cinema_cmr.io.output_folder import check_new_files
    from cinema_cmr.pipeline.task_model import loaded_of
    from cinema_cmr.tasks.reconstruction import picture
    from cinema_cmr.tasks.reconstruction import reconstruct as reconstruct_study

    if path is not None:
        if Path(path).suffix != ".png":
            raise UsageError(f"'{Path(path).name}' is no picture; expected a name that ends in .png")
        check_new_files(Path(path).parent, [Path(path).name], overwrite=overwrite)
    with open_or_prepare(source) as study:
        views = reconstruct_study(loaded_of(model), study, frame=frame, mask_ratio=mask_ratio, seed=seed)
    if path is not None:
        with atomic_path(path, overwrite=overwrite) as sibling:
            picture(views).save(sibling)
    return views


def frame_dataset(name: str, root: Path | str, *, part: str = "train", **grid: Any) -> FrameDataset:
    """Open the labelled frames of a dataset for a torch `DataLoader`; `datasets.NAME(root)` with the name as a string.

    `part`: train, validation or test of the dataset's split, or all. `grid`: `view`, `spacing_mm`, `size`, `n_slices`.
    """
    from cinema_cmr.pipeline.frame_dataset import FrameDataset

    return FrameDataset(name, root, part=part, **grid)


# Methods of core types that need upper layers: core only declares them, as it imports nothing above itself.
Analysis.write = write_results  # type: ignore[method-assign, assignment]
Cine.from_nifti = staticmethod(read_cine)  # type: ignore[method-assign]
Cine.to_nifti = write_cine  # type: ignore[method-assign, assignment]
register_displays()
