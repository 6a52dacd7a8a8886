"""`cinema finetune`: labelled studies in, a model folder for `cinema analyse --model` out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.training_data import add_data_options, read_training_data
from cinema_cmr.core.errors import UsageError
from cinema_cmr.io.output_folder import check_writable

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Data, recipe, and how long."""
    parser.add_argument(
        "--config", action="config", help="a YAML file of these options; words of the call go before it"
    )
    parser.add_argument("task", nargs="?", default="segment", help="segment, landmark, regress or classify")
    add_data_options(parser)
    parser.add_argument("-o", "--output", required=True, help="folder of the run; a run that was cut off goes on")
    parser.add_argument(
        "--recipe",
        help="segment: sax-unet (the usual one), sax-unet-synthetic, sax-unetr, scar-unet, scar-unetr, lax-mask-unet,"
        " lax-mask-unetr; landmark: lax-unet, lax-unetr, lax-coordinates; regress: ef-vit, ef-resnet; classify:"
        " disease-vit, disease-resnet; NAME-base of those with an encoder (unetr, vit, coordinates) has the published"
        " size, for --from hf:mathpluscode/CineMA/pretrained on a GPU",
    )
    parser.add_argument(
        "--target",
        help="what to regress or classify: a fact of the studies (group, sex, age_years, bmi, a column of their table)"
        " or a measurement of the masks (lv_ef_percent, rv_ef_percent, ...)",
    )
    _add_start_options(parser)
    parser.add_argument("--steps", type=int, help="updates of the weights; the recipe's own number where absent")
    parser.add_argument("--batch", type=int, help="samples of one pass; the recipe's own number where absent")
    parser.add_argument("--gradient-accumulation", type=int, help="passes of one update; default: the recipe's")
    parser.add_argument("--lr", type=float, help="highest learning rate; the recipe's own where absent")
    parser.add_argument(
        "--n", type=int, help="learn from so many patients only, groups in turn, as a lab with few labels"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the first weights, every draw, and who --n takes")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--precision", default="auto", help="auto, fp32, bf16, or fp16 on a GPU")
    parser.add_argument("--workers", type=int, default=0, help="processes that prepare samples")
    parser.add_argument("--json", action="store_true", help="progress and result on stdout as JSON lines")


def _add_start_options(parser: ArgumentParser) -> None:
    """What to start from, what of it learns, and whether to tell what it gained."""
    parser.add_argument(
        "--from", dest="start", help="weights to start from: a model or a pre-trained encoder; random if absent"
    )
    parser.add_argument(
        "--layer-decay",
        type=float,
        help="factor of the learning rate from each block of the encoder to the one below it; the recipe's own where"
        " absent (1, or 0.75 of NAME-base)",
    )
    parser.add_argument(
        "--freeze",
        action="store_true",
        help="stems and encoder stay as --from has them, only the rest learns; of regress and classify that is the"
        " head alone (a linear probe)",
    )
    parser.add_argument(
        "--adapters",
        type=int,
        default=0,
        help="like --freeze, with adapters of this rank in the encoder that learn; the saved model is a plain one",
    )
    parser.add_argument(
        "--compare-scratch",
        action="store_true",
        help="train the recipe from random weights too, and write gain.html and gain.json: what --from gained",
    )
    parser.add_argument(
        "--folds",
        type=int,
        default=0,
        help="with --compare-scratch: hold each labelled patient out once in so many folds (two runs a fold), as where"
        " the validation part is small",
    )


def run(given: Namespace) -> int:
    """Train to the end and tell where the model is."""
    _check_options(given)
    check_writable(given.output)
    from cinema_cmr.recipes.finetune import finetune
    from cinema_cmr.recipes.scalars import with_target

    console = Console(as_json=given.json)
    experiment = _experiment(given)
    data = read_training_data(given, console, drawn_only=given.task in ("segment", "landmark"))
    if given.target is not None:
        experiment = with_target(experiment, given.target, data.train)
    start = _start(given.start)
    with console.bar("step") as tell:
        result = finetune(
            experiment,
            data,
            Path(given.output),
            start=start,
            report=lambda progress: tell(progress.step, progress.n_steps, _how_it_goes(progress)),
        )
    told = {"model": str(result.model), "recipe": experiment.name}
    if given.compare_scratch:
        told |= _compare(given, console, experiment, data, start)
    console.result("\n".join(f"{name}: {text}" for name, text in told.items() if name != "recipe"), told)
    return 0


def _check_options(given: Namespace) -> None:
    if given.layer_decay is not None and given.start is None:
        raise UsageError("--layer-decay keeps what was pre-trained nearer to it; give it as --from WEIGHTS")
    if (given.freeze or given.adapters) and given.start is None:
        raise UsageError("--freeze and --adapters keep what was pre-trained; give it as --from WEIGHTS")
    if given.compare_scratch and given.start is None:
        raise UsageError("--compare-scratch compares a start with random weights; give it as --from WEIGHTS")
    if given.folds and not given.compare_scratch:
        raise UsageError("--folds goes with --compare-scratch")


def _compare(given: Namespace, console: Console, experiment: Any, data: Any, start: Any) -> dict[str, str]:
    """The second training, and what `gain.json` and `gain.html` say."""
    from cinema_cmr.core.serialise import json_text
    from cinema_cmr.io.atomic import write_text
    from cinema_cmr.recipes.scratch import compare_with_scratch
    from cinema_cmr.report.evaluation.gain import gain_page

    folder = Path(given.output)
    with console.bar("compared run, step") as tell:
        gain = compare_with_scratch(
            experiment,
            data,
            folder,
            start=start,
            n_folds=given.folds,
            report=lambda name, progress: tell(progress.step, progress.n_steps, f"{name}: {_how_it_goes(progress)}"),
            note=console.note,
        )
    document = gain.to_dict()
    write_text(folder / "gain.json", json_text(document), overwrite=True)
    write_text(folder / "gain.html", gain_page(document), overwrite=True)
    return {"gain": document["verdict"]["text"], "page": str(folder / "gain.html")}


def _experiment(given: Namespace) -> Any:
    from dataclasses import replace

    from cinema_cmr.recipes.registry import recipe

    chosen = recipe(given.recipe, task=given.task)
    changes: dict[str, Any] = {
        "seed": given.seed,
        "accelerator": given.device,
        "precision": given.precision,
        "workers": given.workers,
    }
    if given.steps is not None:
        every = max(200, given.steps // 8)
        changes |= {"n_steps": given.steps, "validate_every": every, "checkpoint_every": every}
    if given.batch is not None:
        changes["batch_size"] = given.batch
    if given.gradient_accumulation is not None:
        changes["gradient_accumulation"] = given.gradient_accumulation
    rates = {"lr": given.lr, "layer_decay": given.layer_decay}
    changes["optim"] = replace(chosen.train.optim, **{name: rate for name, rate in rates.items() if rate is not None})
    return replace(chosen, adaptation=_adaptation(given)).with_train(**changes)


def _start(name: str | None) -> Any:
    if name is None:
        return None
    from cinema_cmr.models.weights import load_model

    return load_model(name)


def _adaptation(given: Namespace) -> Any:
    from cinema_cmr.models.adapters import Adaptation

    return Adaptation(rank=given.adapters) if given.freeze or given.adapters else None


def _how_it_goes(progress: Any) -> str:
    minutes = progress.seconds_left / 60
    text = f"loss {progress.loss:.3f}, {progress.samples_per_s:.2f} samples/s, {minutes:.0f} min left"
    if progress.validation:
        text += "; " + ", ".join(f"{name} {value:.3f}" for name, value in progress.validation.items())
    return text
