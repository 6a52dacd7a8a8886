"""The command line: `cinema COMMAND ...`; results on stdout, progress and messages on stderr.

Each command is a module of `cinema_cmr.commands` that is imported only when the command is called, so that
`cinema --help` stays fast.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from itertools import pairwise
from tempfile import gettempdir

from jsonargparse import Namespace

from cinema_cmr.commands.command_table import COMMANDS, NOTICE, command_module, command_parser, current_name
from cinema_cmr.commands.console import print_error, set_log_format, silence
from cinema_cmr.commands.ending_signals import EndedBySignal, ending_signals
from cinema_cmr.commands.options.parser import CommandParser, check_config_files, check_paths
from cinema_cmr.core.errors import as_cinema_error, unknown_name
from cinema_cmr.core.memory import reuse_freed_memory
from cinema_cmr.files.leftovers import remove_leftovers

__all__ = ["main"]

_OLD_OPTIONS: dict[str, dict[str, str]] = {
    "": {"--turns": "--tta"},
    "analyse": {"--basal-rule half-rim": "--basal-rule scmr"},
    "bench": {"--coarse": "--preset coarse", "--smoke": "--preset smoke", "--base": "--preset base"},
    "sweep": {"--coarse": "--preset coarse", "--smoke": "--preset smoke", "--base": "--preset base"},
    "finetune": {"--accumulate": "--gradient-accumulation", "--n": "--n-train"},
    "pretrain": {
        "--accumulate": "--gradient-accumulation",
        "--complementary": "--complementary-masks",
        "--decoded-share": "--decoder-token-ratio",
        "--recompute": "--activation-checkpointing",
    },
}
"""Command ("" for all) -> old words -> new words; accepted for one release with a note on stderr, not in --help."""

_WAIT_POLICY = ("OMP_WAIT_POLICY", "passive")
"""Threads of torch that wait for each other sleep. Beside other busy processes those that spin take each other's cores:
`cinema demo` took 86 s on two cores beside two such processes, and takes 19 s; on idle cores 12 and 11 s."""

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""New objects after which Python looks for unused cycles. At its own 700 that is a tenth of the time of the imports, at
10,000 still a fifteenth."""

_AFTER_INTERRUPT = {
    **dict.fromkeys(
        ("analyse", "population", "segment", "prepare", "phantom"), "finished studies are kept; call again to continue"
    ),
    "serve-dicom": "what was received is kept; call again to continue",
    **dict.fromkeys(("finetune", "pretrain"), "call again to continue from the last checkpoint"),
    **dict.fromkeys(("embed", "evaluate", "reconstruct"), "nothing was written; call again to start over"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 usage, 3 input, 4 quality under --strict, 5 weights.

    No error leaves a traceback; CINEMA_TRACEBACK=1 prints it. Whatever ends the command, its temporary files go.
    """
    os.environ.setdefault(*_WAIT_POLICY)  # read when torch is imported, which commands do later
    reuse_freed_memory()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    atexit.register(gc.freeze)  # else the interpreter looks for cycles in all of torch before it ends, for 0.6 s
    words = list(sys.argv[1:] if arguments is None else arguments)
    set_log_format("json" if "json" in _values_of("--log", words) else "text")  # for errors of the words, too
    with ending_signals():
        try:
            remove_leftovers(gettempdir())
            return _run(words)
        except (Exception, KeyboardInterrupt) as error:
            return _report(error, words)


def _report(error: Exception | KeyboardInterrupt, words: Sequence[str]) -> int:
    """Print an error in a line, and return its exit code."""
    if isinstance(error, KeyboardInterrupt):
        consequence = _AFTER_INTERRUPT.get(current_name(words[0] if words else ""))
        what = str(error) if isinstance(error, EndedBySignal) else "interrupted"
        print_error(f"{what}{f'; {consequence}' if consequence else ''}")
        return error.exit_code if isinstance(error, EndedBySignal) else 130
    if isinstance(error, BrokenPipeError):
        silence(sys.stderr)
        return 0
    if os.environ.get("CINEMA_TRACEBACK") == "1":
        traceback.print_exception(error)
    reported = as_cinema_error(error)
    print_error(str(reported))
    return reported.exit_code


def _run(words: list[str]) -> int:
    name = current_name(words[0] if words else "")
    if name and name not in COMMANDS and not name.startswith("-"):
        raise unknown_name("command", name, COMMANDS)
    if name not in COMMANDS:
        _top_parser().parse_args(words)
        _top_parser().print_help()
        return 0
    parser = command_parser(name)
    current = _config_first(_current_words(name, words[1:]))
    check_config_files(current)
    given: Namespace = parser.parse_args(current)
    check_paths(given)
    set_log_format(given.log)
    return command_module(name).run(given)


def _values_of(option: str, words: Sequence[str]) -> list[str]:
    following = [after for word, after in pairwise(words) if word == option]
    return [*following, *(word.partition("=")[2] for word in words if word.startswith(f"{option}="))]


def _current_words(command: str, words: Iterable[str]) -> list[str]:
    """Replace old options by current ones, with a note for each."""
    table = {**_OLD_OPTIONS[""], **_OLD_OPTIONS.get(command, {})}
    parted = {"--config", *(old.split()[0] for old in table)}
    text = [part for word in words for part in (word.split("=", 1) if word.split("=")[0] in parted else [word])]
    for old, new in table.items():
        before, after = old.split(), new.split()
        places = [i for i in range(len(text)) if text[i : i + len(before)] == before]
        for place in reversed(places):
            text[place : place + len(before)] = after
        if places:
            print_error(f"'{old}' is deprecated; use '{new}'")
    return text


def _config_first(words: list[str]) -> list[str]:
    """Move `--config FILE` to the front, as later words override earlier ones."""
    if "--config" not in words[:-1]:
        return words
    place = words.index("--config")
    return [*words[place : place + 2], *words[:place], *words[place + 2 :]]


def _top_parser() -> CommandParser:
    from argparse import RawDescriptionHelpFormatter

    from cinema_cmr import __version__

    lines = "\n".join(f"  {name:<12} {text}" for name, text in COMMANDS.items())
    parser = CommandParser(
        prog="cinema",
        description=f"Cine cardiac MRI: from a scan to measurements. {NOTICE}",
        epilog=f"commands (each has --help):\n{lines}",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"cinema-cmr {__version__}")
    parser.add_argument("command", choices=sorted(COMMANDS), nargs="?", metavar="COMMAND", help="one of those below")
    return parser


if __name__ == "__main__":
    sys.exit(main())
