"""`cinema pretrain`: a store of studies without labels in, a masked autoencoder out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.core.errors import RunStoppedError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Data, recipe, devices, and how long."""
    parser.add_argument(
        "--config", action="config", help="a YAML file of these options; words of the call go before it"
    )
    parser.add_argument("--data", required=True, help="a store that `cinema prepare` wrote")
    parser.add_argument("--validation", help="another store to watch the run by; a twentieth of the first where absent")
    parser.add_argument("-o", "--output", required=True, help="folder of the run; a run that was cut off goes on")
    parser.add_argument(
        "--recipe", default="small", help="small, base (the published size), coarse (for a CPU) or tiny (to try it)"
    )
    parser.add_argument("--from", dest="start", help="weights to start from: a model's name or folder")
    parser.add_argument("--steps", type=int, help="updates of the weights; the recipe's own number where absent")
    parser.add_argument("--batch", type=int, help="studies of one pass of one device; the recipe's own where absent")
    parser.add_argument("--gradient-accumulation", type=int, help="passes of one update; 1 where absent")
    parser.add_argument("--lr", type=float, help="highest learning rate; the recipe's own where absent")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--devices", type=int, default=1, help="processes of this machine, each with its own device")
    parser.add_argument("--nodes", type=int, default=1, help="machines with as many devices each")
    parser.add_argument("--strategy", default="ddp", help="of several devices: ddp, or fsdp to share out the weights")
    parser.add_argument("--precision", default="auto", help="auto, fp32, bf16, or fp16 on a GPU")
    parser.add_argument("--compile", action="store_true", help="through torch.compile: a slow start, then faster")
    parser.add_argument("--activation-checkpointing", action="store_true", help="less memory, more time, same result")
    parser.add_argument("--skip-blank", action="store_true", help="leave the blank slices that pad a stack out")
    parser.add_argument("--decoder-token-ratio", type=float, default=1.0, help="part of the hidden tokens asked for")
    parser.add_argument("--complementary-masks", type=int, default=1, help="masks of a study in one pass, apart")
    parser.add_argument(
        "--normalise-targets", action="store_true", help="compare patches less their mean, over their sd"
    )
    parser.add_argument(
        "--augment", action="store_true", help="turn, bend and shade the images: for hundreds of studies, not thousands"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes of each device that prepare samples")
    parser.add_argument("--log-every", type=int, help="steps between lines of progress")
    parser.add_argument("--validate-every", type=int, help="steps between validations, each with pictures")
    parser.add_argument("--checkpoint-every", type=int, help="steps between checkpoints")
    parser.add_argument("--tensorboard", action="store_true", help="write the journal for TensorBoard too, to events/")
    parser.add_argument("--title", default="", help="what the data is, for the model's card")
    parser.add_argument("--licence", default="", help="the condition of the data that the weights inherit")
    parser.add_argument("--json", action="store_true", help="the result on stdout as one JSON document")


def run(given: Namespace) -> int:
    """Train to the end and tell where the model is; the first process alone speaks."""
    from cinema_cmr.engine.ranks import is_first_rank
    from cinema_cmr.recipes.pretrain import pretrain

    console = Console(as_json=given.json)
    experiment, data = _experiment(given), _data(given)
    start = _start(given.start)
    try:
        result = pretrain(experiment, data, Path(given.output), start=start, report=lambda p: _tell(console, p))
    except RunStoppedError:
        if is_first_rank():
            raise
        return 0
    if is_first_rank():
        console.result(f"model: {result.model}", {"model": str(result.model), "recipe": experiment.name})
    return 0


def _experiment(given: Namespace) -> Any:
    from dataclasses import replace

    from cinema_cmr.recipes.registry import recipe
    from cinema_cmr.tasks.pretrain import SMALL_DATA_AUGMENTATION

    chosen = recipe(given.recipe, task="pretrain")
    changes: dict[str, Any] = {
        "n_steps": given.steps,
        "batch_size": given.batch,
        "gradient_accumulation": given.gradient_accumulation,
        "log_every": given.log_every,
        "validate_every": given.validate_every,
        "checkpoint_every": given.checkpoint_every,
        "optim": _optim(given, chosen.train.optim),
    }
    same = {name: getattr(given, name) for name in ("seed", "precision", "devices", "nodes", "strategy", "workers")}
    asked = {name: value for name, value in changes.items() if value is not None}
    options = ("skip_blank", "decoder_token_ratio", "complementary_masks")
    augmentation = SMALL_DATA_AUGMENTATION if given.augment else None
    chosen = replace(chosen, network=replace(chosen.network, normalise_targets=given.normalise_targets))
    chosen = chosen.with_task(augmentation=augmentation, **{name: getattr(given, name) for name in options})
    return chosen.with_train(
        accelerator=given.device,
        compiled=given.compile,
        tensorboard=given.tensorboard,
        activation_checkpointing=given.activation_checkpointing,
        **same,
        **asked,
    )


def _optim(given: Namespace, its: Any) -> Any:
    """The recipe's own, with another rate; in a run of fewer steps no more than a tenth of them warms up."""
    from dataclasses import replace

    warmup = its.warmup_steps if given.steps is None else min(its.warmup_steps, given.steps // 10)
    return replace(its, lr=its.lr if given.lr is None else given.lr, warmup_steps=warmup)


def _data(given: Namespace) -> Any:
    from cinema_cmr.recipes.pretrain import open_stores

    return open_stores(given.data, given.validation, title=given.title, licence=given.licence)


def _start(name: str | None) -> Any:
    if name is None:
        return None
    from cinema_cmr.models.weights import load_model

    return load_model(name)


def _tell(console: Console, progress: Any) -> None:
    text = (
        f"step {progress.step}/{progress.n_steps}, loss {progress.loss:.5f}, "
        f"{progress.images_per_s:.1f} images/s, {_time(progress.seconds_left)} left"
    )
    if progress.validation:
        text += "; " + ", ".join(f"{name} {value:.5f}" for name, value in progress.validation.items())
    console.note(text)


def _time(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
