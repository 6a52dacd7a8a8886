"""`cinema weights`: list, show, fetch, import, export, pack, join, average, narrow and verify models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import get_args

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.study import Study
from cinema_cmr.models.cards import Precision

__all__ = ["ACTIONS", "add_arguments", "run"]

Action = Callable[[Namespace, Console], int]

_OF_SEVERAL = ("join", "average")
_NEEDS_NAME = (*_OF_SEVERAL, "narrow")
_NEEDS_OUTPUT = ("import", "export", "pack", *_NEEDS_NAME)
_NARROW_STUDIES = 16
"""Training studies of each data set that a narrower network is fitted to."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the action, its models and where to write."""
    parser.add_argument("action", choices=tuple(ACTIONS), help=", ".join(ACTIONS))
    parser.add_argument("source", nargs="*", help="a model's name or folder; pull: also 'all'; join, average: several")
    parser.add_argument(
        "-o", "--output", help="folder that import, export, join, average and narrow write to; file of pack"
    )
    parser.add_argument("--name", default="", help="name of the new model; import: default as before")
    parser.add_argument("--licence", default="", help="terms of use of the new model; default those of the models")
    parser.add_argument("--precision", choices=get_args(Precision), default="float32", help="import: stored precision")
    parser.add_argument(
        "--offset",
        nargs="*",
        default=[],
        metavar="CLASS=NUMBER",
        help="join, average: offset added to the logit of a class, e.g. lv=0.4; default those of the first model",
    )
    parser.add_argument("--chans", help="narrow: channels of each resolution, finest first, as 16,48,96,192,256")
    parser.add_argument(
        "--data",
        nargs="*",
        default=[],
        metavar="NAME:FOLDER",
        help="narrow: data sets, of whose training studies it sees 16 each, without their labels",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--json", action="store_true", help="print one JSON document per line")


def run(given: Namespace) -> int:
    """Carry out the action; exit code 5 if a check of `verify` fails."""
    _check_arguments(given)
    return ACTIONS[given.action](given, Console(as_json=given.json))


def _check_arguments(given: Namespace) -> None:
    action, n_sources = given.action, len(given.source)
    of_several = action in _OF_SEVERAL
    if of_several and n_sources < 2:
        raise UsageError(
            f"cinema weights {action} got {n_sources} model(s) and needs two or more; see `cinema weights list`"
        )
    if action != "list" and not of_several and n_sources != 1:
        raise UsageError(f"cinema weights {action} got {n_sources} models and needs one; see `cinema weights list`")
    if action in _NEEDS_OUTPUT and given.output is None:
        raise UsageError(f"cinema weights {action} got no output and needs one to write to; give -o")
    if action in _NEEDS_NAME and not given.name:
        raise UsageError(f"cinema weights {action} got no name and needs one for the new model; give --name NAME")
    if action == "narrow" and not (given.chans and given.data):
        missing = "data" if given.chans else "channels"
        raise UsageError(
            f"cinema weights narrow got no {missing}; give e.g. --chans 16,48,96,192,256 --data acdc:FOLDER"
        )
    if action != "narrow" and (given.chans or given.data):
        raise UsageError(f"cinema weights {action} got --chans or --data, which belong to narrow; leave them out")


def _list(_given: Namespace, console: Console) -> int:
    from cinema_cmr.models.catalogue import list_weights

    for (is_here, licence), entries in groupby(list_weights(), lambda entry: (entry.is_here, entry.licence)):
        group = list(entries)
        for entry in group:
            state = "on this machine" if is_here else "to be fetched"
            text = f"{entry.name} ({state}): {entry.task}, {', '.join(entry.views)}\n    data: {entry.data}"
            if entry is group[-1]:
                of_these = f" of these {len(group)}" if len(group) > 1 else ""
                text += f"\n    licence{of_these}: {licence}"
            console.result(text, vars(entry))
    return 0


def _show(given: Namespace, console: Console) -> int:
    """Print a model's card: what it was trained on and how, its licence, its settings."""
    import yaml

    from cinema_cmr.core.card_json import card_to_json
    from cinema_cmr.core.serialise import to_dict
    from cinema_cmr.disease.model import load_disease_model
    from cinema_cmr.disease.verify import is_disease_model
    from cinema_cmr.models.weights import model_card

    source = given.source[0]
    is_disease = is_disease_model(source)
    card = to_dict(load_disease_model(source), "disease model") if is_disease else card_to_json(model_card(source))
    console.result(yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=120).rstrip(), card)
    return 0


def _pull(given: Namespace, console: Console) -> int:
    from cinema_cmr.models.catalogue import pull

    for path in pull(given.source[0]):
        console.result(str(path), {"path": str(path)})
    return 0


def _import(given: Namespace, console: Console) -> int:
    from cinema_cmr.models.catalogue import import_weights

    card = import_weights(
        given.source[0],
        given.output,
        name=given.name,
        licence=given.licence,
        precision=given.precision,
        overwrite=given.overwrite,
    )
    console.result(f"{card.name}: {given.output}", {"name": card.name, "folder": given.output})
    return 0


def _export(given: Namespace, console: Console) -> int:
    from cinema_cmr.models.catalogue import export_weights

    for path in export_weights(given.source[0], given.output, overwrite=given.overwrite):
        console.result(str(path), {"path": str(path)})
    return 0


def _pack(given: Namespace, console: Console) -> int:
    from cinema_cmr.io.atomic import atomic_path
    from cinema_cmr.models.catalogue import pack_weights

    with atomic_path(given.output, overwrite=given.overwrite) as sibling:
        card = pack_weights(given.source[0], sibling)
    pin = f"{given.output}@{card.weights_sha256[:12]}"
    console.result(
        f"{card.name}: {given.output}\n  licence: {card.licence or 'none stated'}\n  to use exactly these weights:"
        f" --model {pin}",
        {"name": card.name, "file": given.output, "sha256": card.weights_sha256, "licence": card.licence},
    )
    return 0


def _join(given: Namespace, console: Console) -> int:
    from cinema_cmr.models.catalogue import average_weights, join_weights

    make = average_weights if given.action == "average" else join_weights
    card = make(
        given.source,
        given.output,
        name=given.name,
        licence=given.licence,
        logit_offsets=dict(_offsets(given.offset)),
        overwrite=given.overwrite,
    )
    console.result(f"{card.name}: {given.output}", {"name": card.name, "folder": given.output})
    return 0


def _narrow(given: Namespace, console: Console) -> int:
    from cinema_cmr.inference.narrowing import narrow_model

    chans = _channels(given.chans)
    studies = (study for data in given.data for study in _training_studies(data, _NARROW_STUDIES, console))
    made = narrow_model(
        given.source[0],
        given.output,
        chans,
        studies,
        name=given.name,
        licence=given.licence,
        overwrite=given.overwrite,
    )
    agreement = ", ".join(f"{name} {number:g}" for name, number in made.agreement.items())
    console.result(
        f"{made.card.name}: {given.output}\n"
        f"  agreement with {made.card.training['narrowed']['from']} on images that were not fitted to: {agreement}\n"
        f"  to train it: cinema finetune --from {given.output}",
        {"name": made.card.name, "folder": given.output, "agreement": made.agreement},
    )
    return 0


def _training_studies(data: str, n: int, console: Console) -> Iterator[Study]:
    """Yield the studies of up to n training patients of a data set, of all its groups in turn."""
    from cinema_cmr.data.cases import subset_patients
    from cinema_cmr.datasets.reading import find_cases, find_split, read_cases

    dataset, cases = find_cases(data, note=console.note)
    train = find_split(None, dataset, cases, note=console.note)["train"]
    groups = {case.patient: str(case.facts.get("group", "all")) for case in cases if case.patient in train}
    chosen = subset_patients(groups, n=min(n, len(groups)), seed=0)
    for annotated in read_cases(dataset, cases, chosen, note=console.note, labelled_only=False):
        yield annotated.study


def _channels(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError as error:
        raise UsageError(f"--chans {text}; expected whole numbers separated by commas, as 16,48,96,192,256") from error


def _offsets(words: Sequence[str]) -> Iterator[tuple[str, float]]:
    for word in words:
        name, _, number = word.partition("=")
        try:
            yield name, float(number)
        except ValueError as error:
            raise UsageError(f"--offset {word}; expected CLASS=NUMBER, e.g. lv=0.4") from error


def _verify(given: Namespace, console: Console) -> int:
    from cinema_cmr.disease.verify import is_disease_model, verify_disease_model
    from cinema_cmr.models.catalogue import verify_weights

    source = given.source[0]
    checks = verify_disease_model(source) if is_disease_model(source) else verify_weights(source)
    for check in checks:
        console.result(f"{'ok' if check.passed else 'FAILED'}: {check.name}: {check.found}", vars(check))
    return 0 if all(check.passed for check in checks) else 5


ACTIONS: dict[str, Action] = {
    "list": _list,
    "show": _show,
    "pull": _pull,
    "import": _import,
    "export": _export,
    "pack": _pack,
    "join": _join,
    "average": _join,
    "narrow": _narrow,
    "verify": _verify,
}
"""Word of the command line -> what carries it out."""
