"""`cinema weights`: which models there are, and fetching, importing, exporting and checking them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.core.errors import UsageError
from cinema_cmr.models.cards import Precision

__all__ = ["add_arguments", "run"]

Action = Callable[[Namespace, Console], int]

_ACTIONS = ("list", "pull", "import", "export", "join", "verify")


def add_arguments(parser: ArgumentParser) -> None:
    """What to do, with which weights, and where to."""
    parser.add_argument("action", choices=_ACTIONS, help="list, pull, import, export, join or verify")
    parser.add_argument("source", nargs="*", help="a model's name or folder; for pull also 'all'; for join several")
    parser.add_argument("-o", "--output", help="folder that import, export and join write to")
    parser.add_argument("--name", default="", help="import and join: what to call the model")
    parser.add_argument("--licence", default="", help="import and join: the condition of its use")
    parser.add_argument(
        "--precision",
        choices=get_args(Precision),
        default="float32",
        help="import: how numbers are stored; they are float32 once loaded",
    )
    parser.add_argument(
        "--offset",
        nargs="*",
        default=[],
        metavar="CLASS=NUMBER",
        help="join: what is added to a class's logit before labels are taken",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")
    parser.add_argument("--json", action="store_true", help="one JSON document a line")


def run(given: Namespace) -> int:
    """Do what was asked; exit code 5 where a check of `verify` fails."""
    console = Console(as_json=given.json)
    if given.action == "list":
        return _list(console)
    if not given.source or (len(given.source) > 1 and given.action != "join"):
        needs = "one model's name or folder" if given.action != "join" else "the names or folders of several models"
        raise UsageError(f"cinema weights {given.action} needs {needs}; see `cinema weights list`")
    if given.action in ("import", "export", "join") and given.output is None:
        raise UsageError(f"cinema weights {given.action} needs -o FOLDER to write to")
    act: Action = _DO[given.action]
    return act(given, console)


def _list(console: Console) -> int:
    from cinema_cmr.models.catalogue import list_weights

    for entry in list_weights():
        where = "here" if entry.is_here else "to be fetched"
        line = f"{entry.name}: {entry.task}, {', '.join(entry.views)}; {entry.data}; {entry.licence}; {where}"
        console.result(line, vars(entry))
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


def _join(given: Namespace, console: Console) -> int:
    from cinema_cmr.models.catalogue import join_weights

    if not given.name:
        raise UsageError("cinema weights join needs --name, what to call the new model")
    card = join_weights(
        given.source,
        given.output,
        name=given.name,
        licence=given.licence,
        logit_offsets=_offsets(given.offset),
        overwrite=given.overwrite,
    )
    console.result(f"{card.name}: {given.output}", {"name": card.name, "folder": given.output})
    return 0


def _offsets(words: Sequence[str]) -> dict[str, float]:
    try:
        pairs = [word.split("=") for word in words]
        return {name: float(number) for name, number in pairs}
    except ValueError as error:
        raise UsageError(f"--offset {' '.join(words)}; expected CLASS=NUMBER, e.g. lv=0.4") from error


def _verify(given: Namespace, console: Console) -> int:
    from cinema_cmr.models.catalogue import verify_weights

    checks = verify_weights(given.source[0])
    for check in checks:
        console.result(f"{'ok' if check.passed else 'FAILED'}: {check.name}: {check.found}", vars(check))
    return 0 if all(check.passed for check in checks) else 5


_DO: dict[str, Action] = {"pull": _pull, "import": _import, "export": _export, "join": _join, "verify": _verify}
