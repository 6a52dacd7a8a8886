"""Extensions: a task, a network, a recipe and a row of the benchmark in this one file; an own loss in ten lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest
import torch
from oracles import CPU, annotated, heart
from torch import Tensor, nn
from torch.nn import functional as F

from cinema_cmr.bench.benchmark import run_benchmark
from cinema_cmr.bench.data import BenchDataset, ReadDataset
from cinema_cmr.bench.requirements import has_labels
from cinema_cmr.bench.run import BenchOptions
from cinema_cmr.bench.tasks import BenchTask, Measure
from cinema_cmr.core.card import Grid
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy, DatasetCard, Split
from cinema_cmr.data.sample import Batch, Sample
from cinema_cmr.data.training_set import TrainingData
from cinema_cmr.engine.optim import OptimConfig
from cinema_cmr.engine.trainer import TrainConfig, train
from cinema_cmr.evaluation.compare import compare
from cinema_cmr.evaluation.evaluate import evaluate
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.models.architectures import ARCHITECTURES, Architecture
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.finetune import finetune
from cinema_cmr.recipes.registry import RECIPES_OF_TASKS, recipe
from cinema_cmr.tasks.evaluator import Evaluator, PredictionOptions
from cinema_cmr.tasks.registry import TASKS, TaskType, register, task_type
from cinema_cmr.tasks.result import Result
from cinema_cmr.tasks.segment import SegmentConfig, SegmentTask
from cinema_cmr.tasks.task import CardFields, Loss, Task

LV = 3
STUDIES = [annotated(heart((radius,)), f"p{i}") for i, radius in enumerate((9.0, 10.0, 11.0, 12.0, 13.0, 14.0))]
DATA = TrainingData(
    card=DatasetCard(name="hearts", title="Hearts", licence="CC0", citation="", how_to_get=""),
    split=Split(dataset="hearts", parts={"train": ("p0",), "validation": ("p5",)}, rule="by hand"),
    train=STUDIES[:3],
    val=STUDIES[3:],
)


# A task: area of the left ventricle in the first labelled frame, from the mean intensity.


@dataclass(frozen=True, kw_only=True)
class AreaConfig:
    step: int = 4
    task_name: ClassVar[str] = "area"


class AreaExample(NamedTuple):
    name: str
    image: Tensor
    area: float


def area_of(study: AnnotatedStudy) -> float:
    return float((study.labels[View.SAX].array[..., 0] == LV).mean())


def image_of(study: AnnotatedStudy, step: int) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(study.study.cine(View.SAX).array[::step, ::step, 0, 0]))[None] / 1000


class AreaTask(Task[AreaExample]):
    def __init__(self, config: AreaConfig, network: nn.Module) -> None:
        super().__init__(network)
        self.config = config

    def examples(self, study: AnnotatedStudy) -> Sequence[AreaExample]:
        return [AreaExample(study.patient, image_of(study, self.config.step), area_of(study))]

    def sample(self, example: AreaExample, rng: np.random.Generator | None) -> Sample:
        return Sample(name=example.name, images={"sax": example.image}, values={"area": torch.tensor([example.area])})

    def loss(self, batch: Batch) -> Loss:
        return Loss(F.mse_loss(self.network(batch.images), batch.values["area"]))

    def validate(self, batch: Batch) -> Mapping[str, Sequence[float]]:
        return {"error": (self.network(batch.images) - batch.values["area"]).abs().flatten().tolist()}

    def card_fields(self) -> CardFields:
        return CardFields(task="area", grids={View.SAX: Grid(spacing_mm=6.0, size=(18, 17))}, outputs=("area",))


class AreaEvaluator(Evaluator):
    def __init__(self, loaded: LoadedModel, runtime: Runtime, options: PredictionOptions) -> None:
        self.card, self.network = loaded.card, loaded.model.eval()

    def not_scorable(self, study: AnnotatedStudy) -> str | None:
        return None if View.SAX in study.labels else "no labels of the short axis"

    @torch.inference_mode()
    def evaluate(self, study: AnnotatedStudy) -> Result:
        predicted, area = float(self.network({"sax": image_of(study, 4)[None]})), area_of(study)
        return Result(
            study=study.study.name,
            patient=study.patient,
            scores={"absolute_error": abs(predicted - area)},
            measured={"area": predicted},
            reference={"area": area},
        )


# A network and a recipe.


@dataclass(frozen=True, kw_only=True)
class MeanNetConfig:
    scale: float = 1.0


class MeanNet(nn.Module):
    def __init__(self, config: MeanNetConfig) -> None:
        super().__init__()
        self.config, self.line = config, nn.Linear(1, 1)

    def forward(self, images: Mapping[str, Tensor]) -> Tensor:
        answer: Tensor = self.line(self.config.scale * images["sax"].mean(dim=(1, 2, 3))[:, None])
        return answer


def area_recipe() -> Experiment:
    train = TrainConfig(n_steps=150, accelerator="cpu", precision="fp32", optim=OptimConfig(lr=0.05, warmup_steps=5))
    return Experiment(
        name="area", task=AreaConfig(), architecture="mean_net", network=MeanNetConfig(scale=4.0), train=train
    )


# A row of the benchmark.

ROW = BenchTask(
    name="area",
    title="LV area",
    group="toys",
    task="area",
    run="area",
    recipes={"cinema-scratch": "area", "unet": "area"},
    measures=(Measure(key="absolute_error", title="error"),),
    requires=has_labels("cine", View.SAX),
)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    register(
        TaskType(
            name="area",
            config=AreaConfig,
            create=lambda config, network, studies: AreaTask(config, network),
            evaluator=AreaEvaluator,
            primary="absolute_error",
            primary_title="error of the LV area",
        )
    )
    ARCHITECTURES["mean_net"] = Architecture(config=MeanNetConfig, network=MeanNet)
    RECIPES_OF_TASKS["area"] = {"area": area_recipe}
    yield
    del TASKS["area"], ARCHITECTURES["mean_net"], RECIPES_OF_TASKS["area"]


@pytest.mark.medium
def test_a_task_of_one_file_is_trained_evaluated_and_compared(tmp_path: Path) -> None:
    experiment = recipe("area", task="area")
    models = [finetune(experiment.with_train(n_steps=n), DATA, tmp_path / str(n)).load() for n in (150, 1)]
    long, short = (evaluate(model, STUDIES, CPU).evaluation for model in models)
    assert (long.task, long.model, long.summary.n_patients) == ("area", "area", 6)
    assert long.summary.scores["absolute_error"].value < 0.5 * short.summary.scores["absolute_error"].value
    (row,) = compare(long.results, short.results, task_type("area")).rows
    assert row.name == "absolute_error" and row.difference.value < 0 and row.difference.n == 6


def test_a_task_of_one_file_has_a_row_in_the_benchmark(tmp_path: Path) -> None:
    read = [ReadDataset(name="hearts", dataset=BenchDataset(name="hearts", data=DATA))]
    options = BenchOptions(root=tmp_path, device="cpu", precision="fp32", steps=20)
    models = ["cinema-scratch", "unet"]
    document, failed = run_benchmark([ROW], read, models, options, note=lambda text: None)
    assert failed == [] and [row.status for row in document.rows] == ["done", "done"]
    assert document.rows[0].measures["absolute_error"].n == 3
    difference = document.rows[1].difference
    assert difference is not None and difference.value == 0  # the same recipe and seed


def test_an_own_loss_and_network_take_ten_lines(tmp_path: Path) -> None:
    class Focal(SegmentTask):
        def criterion(self, logits: Tensor, labels: Tensor) -> Loss:
            log_prob = -F.cross_entropy(logits.float(), labels.long(), reduction="none")
            return Loss((-((1 - log_prob.exp()) ** 2) * log_prob).mean())

    class Pixelwise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Conv3d(1, 8, 1), nn.ReLU(), nn.Conv3d(8, 4, 1))

        def forward(self, images: Mapping[str, Tensor]) -> dict[str, Any]:
            return {view: self.layers(image) for view, image in images.items()}

    torch.manual_seed(0)
    task = Focal(SegmentConfig(grid=Grid(spacing_mm=3.0, size=(32, 32))), Pixelwise())
    examples = [example for study in STUDIES for example in task.examples(study)]
    optim = OptimConfig(lr=0.05, warmup_steps=2)
    config = TrainConfig(n_steps=25, log_every=1, accelerator="cpu", precision="fp32", optim=optim)
    losses: list[float] = []
    train(task, train=examples, val=[], config=config, folder=tmp_path, report=lambda p: losses.append(p.loss))
    assert np.mean(losses[-5:]) < 0.6 * losses[0]
