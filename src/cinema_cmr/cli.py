"""The command line: `cinema COMMAND ...`; results on stdout, progress and messages on stderr.

Each command is a module of `cinema_cmr.commands` that is imported only when the command is called, so that
`cinema --help` stays fast.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.metadata import version
from tempfile import gettempdir

from jsonargparse import Namespace

from cinema_cmr.commands.console import print_error, silence
from cinema_cmr.commands.ending_signals import EndedBySignal, ending_signals
from cinema_cmr.commands.options.parser import CommandParser, check_config_files, check_paths
from cinema_cmr.core.errors import as_cinema_error
from cinema_cmr.files.leftovers import remove_leftovers

__all__ = ["main"]

COMMANDS = {
    "analyse": "one study or many: views, masks, volumes, EF, mass, curves, flags and a report",
    "remeasure": "finished results measured again, with corrected masks, frames or rules",
    "population": "tables of thousands of studies, on all cores or many machines",
    "cohort": "one page about a population: distributions, flags, failures, centiles",
    "segment": "one mask per image, on the image's own grid",
    "export": "finished results as DICOM segmentation, structured report and PDF, and as FHIR",
    "deidentify": "a DICOM study without identity, with what an analysis needs",
    "serve": "a local web application: see, correct and sign off results, and send new studies",
    "views": "the recognised views of a study, without measurements",
    "demo": "analyse the bundled synthetic study",
    "finetune": "train a model on labelled studies: masks, landmarks, a number or a class",
    "disease": "fit the disease-group model to measurements, and score it",
    "evaluate": "score a model on a labelled dataset, per patient, with intervals",
    "datasets": "list the supported datasets, and check the files of one",
    "weights": "list, fetch, import, export and check model weights",
    "pretrain": "train the masked autoencoder on prepared studies without labels",
    "embed": "features of studies from a pre-trained model, without labels",
    "reconstruct": "a picture of a pre-trained model's reconstruction of a masked study",
    "prepare": "store studies for training, with access to single frames",
    "bench": "train and score every task with every suitable model: one table",
    "sweep": "data-efficiency curve of a task: fractions of the patients, seeds, starting weights",
    "phantom": "write synthetic studies with exact volumes, masks and landmarks",
}
NOTICE = "For research use only; not a medical device."

_PACKAGES = {
    **dict.fromkeys(("deidentify", "export"), "dicom."),
    **dict.fromkeys(("embed", "prepare", "pretrain", "reconstruct"), "encoder."),
    **dict.fromkeys(("cohort", "population"), "population."),
}
"""Command -> package of `commands` that its module lies in."""

_ALIASES = {"analyze": "analyse"}
"""Other spelling of a command -> the command."""

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

_AFTER_INTERRUPT = {
    **dict.fromkeys(
        ("analyse", "population", "segment", "prepare", "phantom"), "finished studies are kept; call again to continue"
    ),
    **dict.fromkeys(("finetune", "pretrain"), "call again to continue from the last checkpoint"),
    **dict.fromkeys(("embed", "evaluate", "reconstruct"), "nothing was written; call again to start over"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 usage, 3 input, 4 quality under --strict, 5 weights.

    No error leaves a traceback; CINEMA_TRACEBACK=1 prints it. Whatever ends the command, its temporary files go.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    with ending_signals():
        try:
            remove_leftovers(gettempdir())
            return _run(words)
        except (Exception, KeyboardInterrupt) as error:
            return _report(error, words)


def _report(error: Exception | KeyboardInterrupt, words: Sequence[str]) -> int:
    """Print an error in a line, and return its exit code."""
    if isinstance(error, KeyboardInterrupt):
        consequence = _AFTER_INTERRUPT.get(_command_of(words))
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


def _command_of(words: Sequence[str]) -> str:
    return _ALIASES.get(words[0], words[0]) if words else ""


def _run(words: list[str]) -> int:
    name = _command_of(words)
    if name not in COMMANDS:
        _top_parser().parse_args(words)
        _top_parser().print_help()
        return 0
    module = import_module(f"cinema_cmr.commands.{_PACKAGES.get(name, '')}{name}")
    parser = CommandParser(
        prog=f"cinema {name}",
        description=f"{COMMANDS[name][0].upper()}{COMMANDS[name][1:]}. {NOTICE}",
        formatter_class=_command_formatter(),
    )
    module.add_arguments(parser)
    current = _config_first(_current_words(name, words[1:]))
    check_config_files(current)
    given: Namespace = parser.parse_args(current)
    check_paths(given)
    code: int = module.run(given)
    return code


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

    lines = "\n".join(f"  {name:<12} {text}" for name, text in COMMANDS.items())
    parser = CommandParser(
        prog="cinema",
        description=f"Cine cardiac MRI: from a scan to measurements. {NOTICE}",
        epilog=f"commands (each has --help):\n{lines}",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"cinema-cmr {version('cinema-cmr')}")
    parser.add_argument("command", choices=sorted(COMMANDS), nargs="?", help="what to do")
    return parser


def _command_formatter() -> type:
    from cinema_cmr.commands.options.help_text import HelpFormatter

    return HelpFormatter


if __name__ == "__main__":
    sys.exit(main())
