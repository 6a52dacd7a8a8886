"""The command line: `cinema COMMAND ...`; results on stdout, progress and messages on stderr.

Each command is a module of `cinema_cmr.commands` that is imported only when the command is called, so that
`cinema --help` stays fast.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.core.errors import CinemaError, InputError

__all__ = ["main"]

COMMANDS = {
    "analyse": "one study or many: views, masks, volumes, EF, mass, curves, flags and a report",
    "segment": "one mask per image, on the image's own grid",
    "export": "finished results as DICOM segmentation, structured report and PDF, and as FHIR",
    "deidentify": "a DICOM study without identity, with what an analysis needs",
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
    **dict.fromkeys(("analyse", "segment", "prepare", "phantom"), "finished studies are kept; call again to continue"),
    **dict.fromkeys(("finetune", "pretrain"), "call again to continue from the last checkpoint"),
    **dict.fromkeys(("embed", "evaluate", "reconstruct"), "nothing was written; call again to start over"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 usage, 3 input, 4 quality under --strict, 5 weights."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except CinemaError as error:
        print(f"cinema: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        consequence = _AFTER_INTERRUPT.get(_command_of(words))
        print(f"cinema: interrupted{f'; {consequence}' if consequence else ''}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        # The name alone: folders above it can name a patient or a person.
        where = f"'{Path(str(error.filename)).name}': " if error.filename is not None else ""
        print(f"cinema: {where}{error.strerror or 'a file cannot be read or written'}", file=sys.stderr)
        return InputError.exit_code


def _command_of(words: Sequence[str]) -> str:
    return _ALIASES.get(words[0], words[0]) if words else ""


def _run(words: list[str]) -> int:
    name = _command_of(words)
    if name not in COMMANDS:
        _top_parser().parse_args(words)
        _top_parser().print_help()
        return 0
    module = import_module(f"cinema_cmr.commands.{name}")
    parser = ArgumentParser(
        prog=f"cinema {name}",
        description=f"{COMMANDS[name][0].upper()}{COMMANDS[name][1:]}. {NOTICE}",
        formatter_class=_command_formatter(),
    )
    module.add_arguments(parser)
    given: Namespace = parser.parse_args(_config_first(_current_words(name, words[1:])))
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
            print(f"cinema: '{old}' is deprecated; use '{new}'", file=sys.stderr)
    return text


def _config_first(words: list[str]) -> list[str]:
    """Move `--config FILE` to the front, as later words override earlier ones."""
    if "--config" not in words[:-1]:
        return words
    place = words.index("--config")
    return [*words[place : place + 2], *words[:place], *words[place + 2 :]]


def _top_parser() -> ArgumentParser:
    from argparse import RawDescriptionHelpFormatter

    lines = "\n".join(f"  {name:<12} {text}" for name, text in COMMANDS.items())
    parser = ArgumentParser(
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
