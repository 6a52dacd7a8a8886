"""Options of training runs, for the command line and for Python alike; importing them does not import torch.

Each field is one option: its docstring is the help text, `option(path=...)` names the value of the experiment that it
replaces. None leaves the recipe's own value.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from cinema_cmr.core.errors import UnreadableFileError, UsageError, unknown_name
from cinema_cmr.core.serialise import Json
from cinema_cmr.files.text import parse_yaml

__all__ = ["PRESETS", "FinetuneOptions", "PretrainOptions", "option"]


PRESETS = ("coarse", "medium", "smoke", "base")
"""Other sizes of every recipe: see `recipes.presets`."""


def option(default: Any = None, *, path: str = "", flag: str = "", short: str = "") -> Any:
    """Declare a field that is an option.

    `path`: the value of the experiment that it replaces; `flag`: the option's name where it is not the field's;
    `short`: a short form of it.
    """
    metadata = {"path": path, "flag": flag, "short": short}
    return field(default=default, metadata=metadata)


def _as_given(value: Any, *, is_list: bool) -> Any:
    if is_list:
        several = [value] if isinstance(value, str | Path) else value
        return [_as_given(item, is_list=False) for item in several]
    return str(value) if isinstance(value, Path) else value


@dataclass(frozen=True, kw_only=True)
class _LoopOptions:
    group: ClassVar[str] = "training (default: the recipe's values)"

    steps: int | None = option(path="train.n_steps")
    """updates of the weights"""
    batch: int | None = option(path="train.batch_size")
    """samples of one pass on one device"""
    gradient_accumulation: int | None = option(path="train.gradient_accumulation")
    """passes whose gradients are summed for one update"""
    lr: float | None = option(path="train.optim.lr")
    """highest learning rate"""
    validate_every: int | None = option(path="train.validate_every")
    """steps between validations on the held-out studies"""
    patience: int | None = option(path="train.patience")
    """end after N validations without a better one, and keep the best weights"""
    end_now: bool = option(False)
    """end an interrupted run where it is, with the model of its checkpoint"""
    seed: int | None = option(path="train.seed")
    """seed of the first weights and of every random draw"""
    device: str | None = option(path="train.accelerator")
    """auto, cpu, cuda or mps"""
    precision: str | None = option(path="train.precision")
    """auto, fp32, bf16, or fp16 on a GPU"""
    workers: int | None = option(path="train.workers")
    """processes that prepare samples, for each device"""
    set: list[str] = field(default_factory=list)
    """any value of config.yaml's experiment, e.g. train.optim.clip_norm=2"""

    @classmethod
    def from_keywords(cls, **values: Any) -> Self:
        """Return the options, as the command line gives them: paths as text, one value of a list as a list.

        Raises `UsageError` for an unknown one, with the nearest known.
        """
        known = {each.name: each.default_factory is list for each in fields(cls)}
        unknown = [name for name in values if name not in known]
        if unknown:
            raise unknown_name("option", unknown[0], known)
        return cls(**{name: _as_given(value, is_list=known[name]) for name, value in values.items()})

    def changes(self) -> dict[str, Json]:
        """Return the values of the experiment that the options replace, `set` last, by dotted path."""
        changes = {
            each.metadata["path"]: value
            for each in fields(self)
            if each.metadata.get("path") and (value := getattr(self, each.name)) is not None
        }
        return {**changes, **dict(_parsed(text) for text in self.set)}

    def command(self, name: str, folder: Path) -> str:
        """Return the command line that gives these options to a command for a run in `folder`."""
        words = ["cinema", name]
        for each in fields(self):
            value, flag = getattr(self, each.name), f"--{(each.metadata.get('flag') or each.name).replace('_', '-')}"
            if each.metadata.get("nargs") and value:
                words += [flag, *value]
                continue
            for item in value if isinstance(value, list) else [value]:
                if item not in (None, "", False):
                    words += [flag] if item is True else [flag, str(item)]
        return shlex.join([*words, "-o", str(folder)])


@dataclass(frozen=True, kw_only=True)
class _LabelledDataOptions:
    group: ClassVar[str] = "input"

    data: str | None = option()
    """NAME:FOLDER of a dataset, or a folder of images with masks"""
    add_data: list[str] = field(default_factory=list, metadata={"metavar": "NAME:FOLDER"})
    """a further dataset to train on and validate with; may be repeated"""
    repeat: list[str] = field(default_factory=list, metadata={"metavar": "NAME=TIMES"})
    """use the studies of one of several datasets, or folders, so many times an epoch"""
    cycles: bool = option(False)
    """add unlabelled frames of the training patients' whole cycles, with --teacher"""
    codes: list[str] = field(default_factory=list, metadata={"metavar": "CODE=NAME", "nargs": "+"})
    """codes of a folder's masks, e.g. 1=lv 2=myo 3=rv; default: its labels.json"""
    split: str | None = option()
    """split file (JSON) of --data; default: the dataset's, or drawn at random"""
    n_train: int | None = option()
    """train on at most N patients, drawn round-robin over the groups"""


@dataclass(frozen=True, kw_only=True)
class _FinetuneModelOptions:
    group: ClassVar[str] = "model"

    recipe: str | None = option()
    """recipe, listed below; default: the first of the task"""
    preset: str | None = option()
    """other size of the recipe: coarse, medium, smoke or base"""
    target: str | None = option()
    """for regress and classify: a fact or measurement, e.g. lv_ef_percent"""
    start: str | None = option(path="start", flag="from")
    """model or pre-trained encoder to start from; default: random weights"""
    teacher: str | None = option()
    """model whose labels stand in where nothing was drawn, or none; default: --from"""
    teacher_tta: int | None = option()
    """test-time augmentation of the teacher; default: that of its card"""
    layer_decay: float | None = option(path="train.optim.layer_decay")
    """factor of the learning rate from an encoder block to the one below"""
    freeze: bool | None = option()
    """freeze stems and encoder, with --from"""
    adapters: int | None = option()
    """like --freeze, with trainable adapters of this rank in the encoder"""


@dataclass(frozen=True, kw_only=True)
class _CardOptions:
    group: ClassVar[str] = "the model's card"

    name: str | None = option(path="model_name")
    """name of the model; default: the recipe's"""
    author: str | None = option(path="author")
    """people or lab to name and ask"""
    description: str | None = option(path="description")
    """what the model is for and was made of"""


@dataclass(frozen=True, kw_only=True)
class FinetuneOptions(_CardOptions, _LoopOptions, _FinetuneModelOptions, _LabelledDataOptions):
    """Options of `cinema finetune` and of `recipes.finetune.finetune`."""

    @property
    def that_need_a_start(self) -> list[str]:
        """The given options that keep pre-trained weights."""
        values = {"--layer-decay": self.layer_decay, "--freeze": self.freeze, "--adapters": self.adapters}
        return [name for name, value in values.items() if value]

    def changes(self) -> dict[str, Json]:
        """Return the values of the experiment that the options replace, by dotted path."""
        changes = super().changes()
        if self.freeze or self.adapters:
            changes["adaptation"] = {"rank": self.adapters or 0}
        if self.steps is not None:
            every = max(200, self.steps // 8)
            changes = {"train.validate_every": every, "train.checkpoint_every": every, **changes}
        return changes


@dataclass(frozen=True, kw_only=True)
class _StoreOptions:
    group: ClassVar[str] = "input"

    data: str | None = option()
    """store that `cinema prepare` wrote"""
    validation: str | None = option()
    """store to validate with; default: a twentieth of the first"""
    lessons: str | None = option()
    """labelled studies to learn too, e.g. of cinema phantom; recipes both, synthetic"""
    teacher: list[str] = field(default_factory=list, metadata={"metavar": "MODEL"})
    """model to agree with on unlabelled images, with --lessons; may be repeated"""
    title: str = option("")
    """name of the data in the model's card"""
    licence: str = option("")
    """licence of the data, inherited by the weights"""


@dataclass(frozen=True, kw_only=True)
class _PretrainModelOptions:
    group: ClassVar[str] = "model"

    recipe: str | None = option()
    """recipe, listed below; default: small"""
    start: str | None = option(path="start", flag="from")
    """pre-trained model of the recipe's size; default: random weights"""
    skip_blank: bool | None = option(path="task.skip_blank")
    """leave out the blank slices that pad a stack"""
    decoder_token_ratio: float | None = option(path="task.decoder_token_ratio")
    """fraction of the masked tokens that are decoded"""
    complementary_masks: int | None = option(path="task.complementary_masks")
    """masks of a study in one pass that share no visible token"""
    normalise_targets: bool | None = option(path="network.normalise_targets")
    """compare patches that are scaled to mean 0 and SD 1"""
    augment: bool | None = option()
    """augment the images, for hundreds of studies, not thousands"""


@dataclass(frozen=True, kw_only=True)
class _DistributedOptions:
    group: ClassVar[str] = "devices and logs"

    devices: int | None = option(path="train.devices")
    """devices of this machine, one process each; default: 1"""
    nodes: int | None = option(path="train.nodes")
    """machines with as many devices each; default: 1"""
    strategy: str | None = option(path="train.strategy")
    """ddp, or fsdp to shard the weights over the devices"""
    compile: bool | None = option(path="train.compiled")
    """use torch.compile: a slow start, then faster"""
    activation_checkpointing: bool | None = option(path="train.activation_checkpointing")
    """less memory, more time, the same gradients"""
    log_every: int | None = option(path="train.log_every")
    """steps between lines of progress"""
    checkpoint_every: int | None = option(path="train.checkpoint_every")
    """steps between checkpoints"""
    tensorboard: bool | None = option(path="train.tensorboard")
    """write the journal to events/ too, for TensorBoard"""


@dataclass(frozen=True, kw_only=True)
class PretrainOptions(_DistributedOptions, _LoopOptions, _PretrainModelOptions, _StoreOptions):
    """Options of `cinema pretrain` and of `recipes.pretrain.pretrain`."""


def _parsed(text: str) -> tuple[str, Json]:
    """Return path and value of PATH=VALUE, the value read as YAML."""
    path, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set {text}; expected PATH=VALUE, e.g. train.optim.weight_decay=0.1")
    try:
        return path.strip(), _number_or_value(parse_yaml(value, path))
    except UnreadableFileError as error:
        raise UsageError(f"--set {path}: the value is no YAML; expected e.g. 0.2, true or [1, 2]") from error


def _number_or_value(value: Json) -> Json:
    """Return a value, or the number that a text stands for: YAML reads 1e-4 as text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
