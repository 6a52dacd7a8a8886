"""The operations of `cinema weights`: list, pull, import, export, join, average and verify models.

Importing this module and listing models need no torch.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cinema_cmr.core.card import ModelCard, TaskName, seen_facts
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.models.cards import CARD_FILE, Precision, embedded_folder, embedded_names, read_card, split_pin
from cinema_cmr.models.published.hub import fetch, find
from cinema_cmr.models.published.registry import HUB_PREFIX, PUBLISHED, PublishedModel, published_files

if TYPE_CHECKING:
    from cinema_cmr.models.loaded import LoadedModel

__all__ = [
    "Check",
    "WeightsEntry",
    "average_weights",
    "export_weights",
    "import_weights",
    "join_weights",
    "list_weights",
    "pack_weights",
    "pull",
    "verify_weights",
]


@dataclass(frozen=True, kw_only=True)
class WeightsEntry:
    """A model that can be loaded by name."""

    name: str
    """Name that `load_model` takes."""
    task: TaskName
    views: tuple[str, ...]
    outputs: tuple[str, ...]
    data: str
    """Training data."""
    licence: str
    revision: str
    """Revision of the hub repository; empty for a model inside this package."""
    sha256: str
    """SHA-256 of the weights; empty for a published model."""
    n_members: int
    """Number of networks whose outputs are averaged."""
    is_here: bool
    """Whether the model can be used without network."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of a model's weights, passed or failed."""

    name: str
    passed: bool
    found: str
    """Result in words."""


def list_weights() -> list[WeightsEntry]:
    """Return the models inside this package, then all published ones, on this machine or not."""
    embedded = [_embedded_entry(name, read_card(embedded_folder(name))) for name in embedded_names()]
    return [*embedded, *(_published_entry(model) for model in PUBLISHED.values())]


def pull(name: str) -> list[Path]:
    """Fetch the files of a published model, or of all with "all", and return their paths.

    Files that are here already are checked and not fetched again. Raises `UsageError` for an unknown name, and
    `WeightsError` if the network cannot be used or a hash differs.
    """
    paths: dict[Path, None] = {}
    for one in PUBLISHED if name == "all" else [name]:
        model, files = published_files(one)
        paths |= dict.fromkeys(fetch(file) for file in (model.config_file, *files))
    return list(paths)


def import_weights(
    source: Path | str,
    folder: Path | str,
    *,
    name: str = "",
    licence: str = "",
    precision: Precision = "float32",
    overwrite: bool = False,
) -> ModelCard:
    """Save any model that `load_model` takes as a folder of weights and card, and return the card.

    `precision` is the format of the stored numbers, as in `save_model`.
    """
    from cinema_cmr.models.weights import load_model, save_model

    loaded = load_model(source)
    card = replace(loaded.card, name=name or loaded.card.name, licence=licence or loaded.card.licence)
    return read_card(save_model(folder, loaded.model, card, precision=precision, overwrite=overwrite))


def pack_weights(source: Path | str, file: Path) -> ModelCard:
    """Write any model that `load_model` takes into one new file, and return its card.

    The bytes of a folder of ours are kept; another model is stored as `import_weights` stores it.
    """
    from cinema_cmr.models.packed import is_packed, pack_folder, unpacked

    name, pin = split_pin(source)
    if not pin and is_packed(Path(name)):
        with unpacked(Path(name)) as folder:
            return pack_folder(folder, file)
    if not pin and (Path(name) / CARD_FILE).is_file():
        return pack_folder(Path(name), file)
    with TemporaryDirectory(prefix="cinema-model-") as place:
        import_weights(source, Path(place) / "model")
        return pack_folder(Path(place) / "model", file)


def export_weights(source: Path | str, folder: Path | str, *, overwrite: bool = False) -> list[Path]:
    """Write any model that `load_model` takes in the published layout, and return the files.

    Raises `WeightsError` for a model that the layout cannot describe.
    """
    from cinema_cmr.models.published.export import export_published
    from cinema_cmr.models.weights import load_model

    return export_published(load_model(source), Path(folder), overwrite=overwrite)


def join_weights(
    sources: Sequence[Path | str],
    folder: Path | str,
    *,
    name: str,
    licence: str = "",
    logit_offsets: Mapping[str, float] | None = None,
    overwrite: bool = False,
) -> ModelCard:
    """Save an ensemble of several models with the same grids and outputs, and return its card.

    Models of the same name, such as seeds of a recipe, are numbered. `logit_offsets` default to those of the first
    model. Raises `WeightsError` if the models differ in task, grids, outputs, label scheme or target, if one is given
    twice, or if they are autoencoders.
    """
    from cinema_cmr.models.loaded import join
    from cinema_cmr.models.weights import load_model, save_model

    models = [load_model(source) for source in sources]
    _check_joinable([model.card for model in models])
    joined = join(_named(models), _combined_card(models, name, licence, logit_offsets))
    return read_card(save_model(folder, joined.model, joined.card, precision="float16", overwrite=overwrite))


def average_weights(
    sources: Sequence[Path | str],
    folder: Path | str,
    *,
    name: str,
    licence: str = "",
    logit_offsets: Mapping[str, float] | None = None,
    overwrite: bool = False,
) -> ModelCard:
    """Save one network of the mean weights of several of the same configuration, and return its card.

    It takes the time of one, unlike what `join_weights` makes; of runs that share a start it is often better than each
    (Wortsman et al., Model soups, ICML 2022). `logit_offsets` default to those of the first model. Raises
    `WeightsError` if the models differ in architecture, configuration, task, grids or outputs.
    """
    from cinema_cmr.models.states import mean_state
    from cinema_cmr.models.weights import load_model, save_model

    models = [load_model(source) for source in sources]
    cards = [model.card for model in models]
    _check_joinable(cards)
    first = models[0]
    if any((card.architecture, card.config) != (first.card.architecture, first.card.config) for card in cards):
        raise WeightsError(
            f"models of the architectures {', '.join(card.architecture for card in cards)}, or of different sizes;"
            " expected one architecture and size: cinema weights join averages what different networks predict"
        )
    network = copy.deepcopy(first.model)
    network.load_state_dict(mean_state([model.model.state_dict() for model in models]))
    card = _combined_card(models, name, licence, logit_offsets)
    return read_card(save_model(folder, network, card, precision="float16", overwrite=overwrite))


def _combined_card(
    models: Sequence[LoadedModel], name: str, licence: str, logit_offsets: Mapping[str, float] | None
) -> ModelCard:
    """Return the first model's card with the training facts of all, and their licences unless one is given."""
    first = models[0].card
    return replace(
        first,
        name=name,
        training=_joined_training({key: member.card for key, member in _named(models).items()}),
        logit_offsets=logit_offsets or first.logit_offsets,
        licence=licence or "; ".join(dict.fromkeys(model.card.licence for model in models)),
    )


def _named(models: Sequence[LoadedModel]) -> dict[str, LoadedModel]:
    """Models by name; the second of a name becomes "NAME-2". Names cannot hold a dot, as keys of weights do."""
    named: dict[str, LoadedModel] = {}
    for model in models:
        name = model.card.name.replace(".", "-")
        numbered = (f"{name}-{number}" for number in itertools.count(2))
        named[name if name not in named else next(other for other in numbered if other not in named)] = model
    return named


def _check_joinable(cards: Sequence[ModelCard]) -> None:
    names = ", ".join(card.name for card in cards)
    n_different = len({card.weights_sha256 for card in cards})
    if len(cards) < 2 or n_different < len(cards) or not all(cards[0].has_same_use(card) for card in cards):
        raise WeightsError(
            f"{len(cards)} models named {names} cannot be joined; expected two or more of different weights with"
            " the same task, grids, outputs and label scheme"
        )
    if cards[0].output_kind == "tokens":
        raise WeightsError(f"autoencoders named {names} cannot be joined; expected models that were fine-tuned")


def _joined_training(cards: Mapping[str, ModelCard]) -> dict[str, object]:
    """Training facts that all members share, and those of each member."""
    first, *others = [card.training for card in cards.values()]
    shared = {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
    seen = seen_facts(card.seen_frames for card in cards.values())
    members = {
        key: {name: value for name, value in card.training.items() if name not in seen}
        | {"sha256": card.weights_sha256}
        for key, card in cards.items()
    }
    return {**shared, **seen, "members": members}


def verify_weights(source: Path | str) -> list[Check]:
    """Check a model's files, keys and numbers, and its output for an empty image.

    Never raises for a bad model: its faults are failed checks.
    """
    return list(_checks(source))


def _checks(source: Path | str) -> Iterator[Check]:
    import torch

    from cinema_cmr.models.weights import load_model

    try:
        loaded = load_model(source)
    except (WeightsError, UsageError) as error:
        yield Check(name="loads", passed=False, found=str(error))
        return
    card, state = loaded.card, loaded.model.state_dict()
    yield Check(name="hash", passed=bool(card.weights_sha256), found=f"SHA-256 {card.weights_sha256}")
    n_networks = len(loaded.members)
    yield Check(name="keys", passed=True, found=f"{len(state)} keys of {card.architecture}, {n_networks} network(s)")
    broken = [key for key, x in state.items() if not bool(torch.isfinite(x).all())]
    yield Check(name="finite", passed=not broken, found=", ".join(broken[:5]) or "all numbers are finite")
    yield Check(name="licence", passed=bool(card.licence), found=card.licence or "none stated")
    yield _output_check(loaded)


def _output_check(loaded: LoadedModel) -> Check:
    import torch

    from cinema_cmr.models.architectures import config_from_values
    from cinema_cmr.models.ensemble import EnsembleConfig

    member = next(iter(loaded.members.values())).card
    config = config_from_values(member.architecture, member.config)
    if isinstance(config, EnsembleConfig):
        raise WeightsError(f"a network of '{loaded.card.name}' is an ensemble; expected single networks: list them all")
    grids = loaded.card.grids
    sizes = getattr(config, "image_sizes", None) or {view: (*g.size, g.n_slices or 1) for view, g in grids.items()}
    with torch.inference_mode():
        output = loaded.model({view: torch.zeros(1, getattr(config, "in_chans", 1), *sizes[view]) for view in grids})
    tensors = list(output.values()) if isinstance(output, Mapping) else [output]
    shapes = ", ".join(str(tuple(x.shape)) for x in tensors)
    finite = all(bool(torch.isfinite(x).all()) for x in tensors)
    return Check(name="output", passed=finite, found=f"{'finite' if finite else 'not finite'}, of shape {shapes}")


def _embedded_entry(name: str, model: ModelCard) -> WeightsEntry:
    return WeightsEntry(
        name=name,
        task=model.task,
        views=tuple(view.value for view in model.grids),
        outputs=model.outputs,
        data=str(model.training.get("data", "")),
        licence=model.licence,
        revision="",
        sha256=model.weights_sha256,
        n_members=len(model.config.get("members", (name,))),
        is_here=True,
    )


def _published_entry(model: PublishedModel) -> WeightsEntry:
    files = [find(file) for file in (model.config_file, *model.files)]
    return WeightsEntry(
        name=HUB_PREFIX + model.name,
        task=model.task,
        views=tuple(view.value for view in model.views),
        outputs=model.outputs,
        data=model.data,
        licence=model.licence,
        revision=model.revision,
        sha256="",
        n_members=len(model.files),
        is_here=None not in files,
    )
