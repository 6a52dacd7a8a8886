"""What `cinema weights` does: list, pull, import, export and verify models; each function returns what to print.

Importing this module and listing need no torch.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.models.cards import Precision, embedded_folder, embedded_names, read_card
from cinema_cmr.models.published.hub import fetch, find
from cinema_cmr.models.published.registry import HUB_PREFIX, PUBLISHED, PublishedModel, published_files

if TYPE_CHECKING:
    from cinema_cmr.models.loaded import LoadedModel

__all__ = [
    "Check",
    "WeightsEntry",
    "export_weights",
    "import_weights",
    "join_weights",
    "list_weights",
    "pull",
    "verify_weights",
]


@dataclass(frozen=True, kw_only=True)
class WeightsEntry:
    """One model that can be loaded by name."""

    name: str
    """What `load_model` takes."""
    task: str
    views: tuple[str, ...]
    outputs: tuple[str, ...]
    data: str
    """What it learned from."""
    licence: str
    revision: str
    """Of the hub repository; empty for a model inside this package."""
    sha256: str
    """Of the weights; empty where they are not on this machine."""
    n_members: int
    """Seeds that predict together."""
    is_here: bool
    """Usable without network."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was verified of a model."""

    name: str
    passed: bool
    found: str
    """What was found, in words."""


def list_weights() -> list[WeightsEntry]:
    """The models inside this package, then all published ones, whether or not they are on this machine."""
    embedded = [_embedded_entry(name, read_card(embedded_folder(name))) for name in embedded_names()]
    return [*embedded, *(_published_entry(model) for model in PUBLISHED.values())]


def pull(name: str) -> list[Path]:
    """Fetch the files of a published model, or of all with "all", and return where they are.

    Files that are here already are checked and not fetched again. Raises `UsageError` for an unknown name and
    `WeightsError` where the network cannot be used or a hash differs.
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
    """Turn any model that `load_model` takes into a folder of our own (weights and card); returns its card.

    `precision` is how its numbers are stored, as in `save_model`.
    """
    from cinema_cmr.models.weights import load_model, save_model

    loaded = load_model(source)
    card = replace(loaded.card, name=name or loaded.card.name, licence=licence or loaded.card.licence)
    return read_card(save_model(folder, loaded.model, card, precision=precision, overwrite=overwrite))


def export_weights(source: Path | str, folder: Path | str, *, overwrite: bool = False) -> list[Path]:
    """Write any model that `load_model` takes in the published layout; returns the files.

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
    """Make one model of several that see the same grids and give the same classes: a committee; returns its card.

    Those of one name, as seeds of a recipe are, get numbers. `logit_offsets` are the new card's; where none are given
    they are the first model's. Raises `WeightsError` where they differ in task, grids,
    outputs or label scheme, where one comes twice, or where they predict no classes.
    """
    from cinema_cmr.models.architectures import config_values
    from cinema_cmr.models.committee import Committee, CommitteeConfig, MemberConfig
    from cinema_cmr.models.weights import load_model, save_model

    loaded = [load_model(source) for source in sources]
    _check_joinable([model.card for model in loaded])
    members = _named(loaded)
    cards = {key: member.card for key, member in members.items()}
    config = CommitteeConfig(
        members={key: MemberConfig(architecture=card.architecture, config=card.config) for key, card in cards.items()}
    )
    first = loaded[0].card
    card = replace(
        first,
        name=name,
        architecture="committee",
        config=config_values(config),
        training={"members": {key: {**card.training, "sha256": card.weights_sha256} for key, card in cards.items()}},
        logit_offsets=logit_offsets or first.logit_offsets,
        licence=licence or "; ".join(dict.fromkeys(card.licence for card in cards.values())),
    )
    committee = Committee({key: member.model for key, member in members.items()})
    return read_card(save_model(folder, committee, card, precision="float16", overwrite=overwrite))


def _named(loaded: Sequence[LoadedModel]) -> dict[str, LoadedModel]:
    """Models by name; a second one of a name is its "NAME-2"."""
    named: dict[str, LoadedModel] = {}
    for model in loaded:
        name = model.card.name
        others = (f"{name}-{number}" for number in itertools.count(2))
        named[name if name not in named else next(other for other in others if other not in named)] = model
    return named


def _check_joinable(cards: Sequence[ModelCard]) -> None:
    shared = [(card.task, card.grids, card.outputs, card.label_scheme, card.modality) for card in cards]
    different = len({card.weights_sha256 for card in cards})
    if len(cards) < 2 or different < len(cards) or any(facts != shared[0] for facts in shared):
        names = ", ".join(card.name for card in cards)
        raise WeightsError(
            f"{len(cards)} models named {names} cannot answer together; expected two or more of different weights with"
            " one task, grid, set of outputs and label scheme"
        )
    if cards[0].task != "segment":
        raise WeightsError(f"models that {cards[0].task} cannot be joined; expected ones that segment")


def verify_weights(source: Path | str) -> list[Check]:
    """Whether a model can be trusted to work: its files, keys, numbers, and an answer to an empty image.

    Never raises for a bad model: what is wrong stands in the checks.
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
    card = loaded.card
    yield Check(name="hash", passed=bool(card.weights_sha256), found=f"SHA-256 {card.weights_sha256}")
    n_keys = len(loaded.model.state_dict())
    found = f"{n_keys} keys of {card.architecture}, {len(loaded.members)} member(s)"
    yield Check(name="keys", passed=True, found=found)
    broken = [k for k, x in loaded.model.state_dict().items() if not bool(torch.isfinite(x).all())]
    yield Check(name="finite", passed=not broken, found=", ".join(broken[:5]) or "all numbers are finite")
    yield Check(name="licence", passed=bool(card.licence), found=card.licence or "none stated")
    yield _answer_check(loaded.model, card)


def _answer_check(model: Any, card: ModelCard) -> Check:
    import torch

    from cinema_cmr.models.architectures import config_from_values

    config = config_from_values(card.architecture, card.config)
    sizes = getattr(config, "image_sizes", None) or {view: (*g.size, g.n_slices or 1) for view, g in card.grids.items()}
    images = {view: torch.zeros(1, config.in_chans, *sizes[view]) for view in card.grids}
    with torch.no_grad():
        answer = model(images)
    values = list(answer.values()) if isinstance(answer, dict) else [answer]
    shapes = ", ".join(str(tuple(x.shape)) for x in values)
    finite = all(bool(torch.isfinite(x).all()) for x in values)
    return Check(name="answers", passed=finite, found=f"{'finite' if finite else 'not finite'}, of shape {shapes}")


def _embedded_entry(name: str, card: ModelCard) -> WeightsEntry:
    return WeightsEntry(
        name=name,
        task=card.task,
        views=tuple(view.value for view in card.grids),
        outputs=card.outputs,
        data=str(card.training.get("data", "")),
        licence=card.licence,
        revision="",
        sha256=card.weights_sha256,
        n_members=1,
        is_here=True,
    )


def _published_entry(model: PublishedModel) -> WeightsEntry:
    here = [find(file) for file in (model.config_file, *model.files)]
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
        is_here=None not in here,
    )
