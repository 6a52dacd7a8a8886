"""The command line: `cinema COMMAND ...`; results on stdout, progress and messages on stderr.

Each command stands in a module of `cinema_cmr.commands`, which is imported only when the command is called, so
that `cinema --help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.core.errors import CinemaError, InputError

__all__ = ["main"]

COMMANDS = {
    "analyse": "one study or many: views, masks, volumes, EF, mass, curves, flags and a report",
    "segment": "one mask per image, on the image's own grid",
    "views": "how the series of a study were recognised, nothing measured",
    "demo": "analyse the embedded synthetic study",
    "finetune": "train a model on labelled studies: masks, landmarks, a number or a class",
    "disease": "fit the model of disease groups from measurements, and score it",
    "evaluate": "score a model on a labelled dataset, per patient, with intervals",
    "datasets": "list the known datasets, and tell what of one is there, missing or broken",
    "weights": "list, fetch, import, export and check model weights",
    "pretrain": "train the masked autoencoder on prepared studies without labels",
    "embed": "features of studies from a pre-trained model, without labels",
    "reconstruct": "a picture of what a pre-trained model makes of a study of which it sees a quarter",
    "prepare": "store studies so that training reads any frame at once",
    "bench": "train and score every task with every model that fits it: one table",
    "sweep": "the data-efficiency curve of a task: shares of the patients, several seeds, each start",
    "phantom": "write synthetic studies whose volumes, masks and landmarks are known",
}
NOTICE = "For research use only; not a medical device."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 usage, 3 input, 4 quality under --strict, 5 weights."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except CinemaError as error:
        print(f"cinema: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"cinema: interrupted{_what_stays(words)}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        # The name alone: folders above it can name a patient or a person.
        where = f"'{Path(str(error.filename)).name}': " if error.filename is not None else ""
        print(f"cinema: {where}{error.strerror or 'a file cannot be read or written'}", file=sys.stderr)
        return InputError.exit_code


def _what_stays(words: list[str]) -> str:
    """What an interrupted command leaves, where that is the same whenever it is stopped."""
    name = words[0] if words else ""
    if name in ("analyse", "segment", "prepare", "phantom"):
        return "; finished studies are kept, call again to go on"
    if name in ("finetune", "pretrain"):
        return "; call again to go on from the last checkpoint"
    if name in ("embed", "evaluate", "reconstruct"):
        return "; nothing was written, call again to begin anew"
    return ""


def _run(words: list[str]) -> int:
    name = next((word for word in words if not word.startswith("-")), None)
    if name not in COMMANDS or words[0] != name:
        _top_parser().parse_args(words)
        _top_parser().print_help()
        return 0
    module = import_module(f"cinema_cmr.commands.{name}")
    parser = ArgumentParser(prog=f"cinema {name}", description=f"{COMMANDS[name].capitalize()}. {NOTICE}")
    module.add_arguments(parser)
    given: Namespace = parser.parse_args(_config_first(words[1:]))
    code: int = module.run(given)
    return code


def _config_first(words: list[str]) -> list[str]:
    """The words with `--config FILE` at their head, as later words go before earlier ones."""
    for place, word in enumerate(words):
        if word.startswith("--config="):
            return [word, *words[:place], *words[place + 1 :]]
        if word == "--config" and place + 1 < len(words):
            return [*words[place : place + 2], *words[:place], *words[place + 2 :]]
    return words


def _top_parser() -> ArgumentParser:
    lines = "\n".join(f"  {name:<10} {text}" for name, text in COMMANDS.items())
    parser = ArgumentParser(
        prog="cinema",
        description=f"Cine cardiac MRI: from a scan to measurements. {NOTICE}",
        epilog=f"commands (each has --help):\n{lines}",
        formatter_class=_plain_formatter(),
    )
    parser.add_argument("--version", action="version", version=f"cinema-cmr {version('cinema-cmr')}")
    parser.add_argument("command", choices=sorted(COMMANDS), nargs="?", help="what to do")
    return parser


def _plain_formatter() -> type:
    from argparse import RawDescriptionHelpFormatter

    return RawDescriptionHelpFormatter


if __name__ == "__main__":
    sys.exit(main())
