"""Options that `cinema bench` and `cinema sweep` share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.expected_end import progress_text
from cinema_cmr.commands.options.training_data import add_codes_option

if TYPE_CHECKING:
    from cinema_cmr.engine.progress import Progress
    from cinema_cmr.pipeline.benchmarks import BenchRequest

__all__ = ["add_bench_options", "bench_request", "split_names"]


def add_bench_options(parser: ArgumentParser) -> None:
    """Add the options of data, models, training and output."""
    parser.add_argument(
        "--data",
        action="append",
        help="NAME:FOLDER of a dataset (see `cinema datasets`), or a folder of images with masks; can be repeated",
    )
    add_codes_option(parser)
    parser.add_argument("--split", help="split file (JSON) of the one dataset; default: its own, else one is drawn")
    parser.add_argument("--part", default="validation", help="held-out part; default: %(default)s")
    parser.add_argument("--models", help="names separated by commas; default: all that fit a task")
    parser.add_argument("--from", dest="start", help="pre-training from which the model `cinema` starts")
    parser.add_argument(
        "--preset",
        choices=["coarse", "medium", "smoke", "base"],
        help="coarse: half the resolution, medium: pixels of 2 mm, for a CPU; smoke: small networks and few steps, to"
        " see that it runs; base: the published size, for a GPU; default: whole recipes",
    )
    parser.add_argument("--steps", type=int, help="updates of every run; default: each recipe's number")
    parser.add_argument(
        "--patience",
        type=int,
        default=0,
        help="end a run after N validations without a better one on the validation part, and keep the best weights;"
        " with --validate-every, and with --choose-by or another --part to score; default: all updates",
    )
    parser.add_argument("--validate-every", type=int, help="updates between the validations of --patience")
    parser.add_argument(
        "--choose-by",
        metavar="N",
        type=int,
        default=0,
        help="with --patience: set N of the training patients apart, stratified by group, to end the runs by and"
        " choose the weights; the held-out part is scored; default: the validation part chooses",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps; default: %(default)s")
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16; default: %(default)s")
    parser.add_argument("--workers", type=int, default=0, help="processes that prepare samples; default: %(default)s")
    parser.add_argument("-o", "--output", required=True, help="folder of runs and tables; finished runs are kept")
    parser.add_argument("--overwrite", action="store_true", help="replace runs with other settings")
    parser.add_argument("--json", action="store_true", help="print the table as one JSON document")


def bench_request(given: Namespace, console: Console) -> BenchRequest:
    """Return what a call requests, with its progress on the console."""
    from cinema_cmr.bench.run import BenchOptions
    from cinema_cmr.models.weights import load_model
    from cinema_cmr.pipeline.benchmarks import BenchRequest

    show = console.stage("  training")
    options = BenchOptions(
        root=Path(given.output),
        device=given.device,
        precision=given.precision,
        workers=given.workers,
        steps=given.steps,
        preset=given.preset,
        start=None if given.start is None else load_model(given.start),
        overwrite=given.overwrite,
        patience=given.patience,
        validate_every=given.validate_every,
        choose_by=given.choose_by,
    )
    return BenchRequest(
        data=given.data or [],
        options=options,
        models=split_names(given.models),
        n_seeds=given.seeds,
        part=given.part,
        split=given.split or None,
        codes=given.codes,
        note=console.note,
        report=lambda progress: show(_shown(progress), progress.step, progress.n_expected),
    )


def _shown(progress: Progress) -> str:
    return f"{progress_text(progress, f'loss {progress.loss:.3f}')}, step"


def split_names(text: str | None) -> list[str] | None:
    """Return the names of a list with commas; None if it is not given."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]
