"""The commands: their modules, and the parser of each, as the command line and the docs use it."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.options.parser import CommandParser
from cinema_cmr.pipeline.about.command_examples import examples_text
from cinema_cmr.pipeline.about.command_summaries import COMMANDS

__all__ = ["ALIASES", "COMMANDS", "NOTICE", "command_module", "command_parser", "current_name"]

NOTICE = "For research use only; not a medical device."

_PACKAGES = {
    **dict.fromkeys(("doctor", "info"), "about."),
    **dict.fromkeys(("deidentify", "export", "serve-dicom"), "dicom."),
    "compare": "finished.",
    **dict.fromkeys(("cohort", "population"), "population."),
    **dict.fromkeys(("embed", "prepare", "pretrain", "rank", "reconstruct"), "encoder."),
}
"""Command -> package of `commands` that its module lies in."""

ALIASES = {"analyze": "analyse"}
"""Other spelling of a command -> the command."""


class CommandModule(Protocol):
    """A module of one command."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the command's options."""

    def run(self, given: Namespace) -> int:
        """Carry out the command; return its exit code."""


def current_name(name: str) -> str:
    """Return the name of a command in its current spelling; names of no command stay as they are.

    >>> current_name("analyze"), current_name("views")
    ('analyse', 'views')
    """
    return ALIASES.get(name, name)


def command_module(name: str) -> CommandModule:
    """Import and return the module of a command."""
    module = f"{_PACKAGES.get(name, '')}{name.replace('-', '_')}"
    return cast(CommandModule, import_module(f"cinema_cmr.commands.{module}"))


def command_parser(name: str) -> CommandParser:
    """Return the parser of a command: its own options, those of every command, and its examples below."""
    from cinema_cmr.commands.options.help_text import HelpFormatter

    summary = COMMANDS[name]
    parser = CommandParser(
        prog=f"cinema {name}",
        description=f"{summary[0].upper()}{summary[1:]}. {NOTICE}",
        formatter_class=HelpFormatter,
    )
    command_module(name).add_arguments(parser)
    parser.epilog = "\n\n".join(filter(None, [parser.epilog, examples_text(name)]))
    parser.add_argument(
        "--log", choices=("text", "json"), default="text", help="progress and messages on stderr, as text or JSON"
    )
    return parser
