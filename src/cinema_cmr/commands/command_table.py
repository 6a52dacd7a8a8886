"""The commands: their names, summaries and modules, and the parser of each, as the command line and the docs use it."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.options.parser import CommandParser

__all__ = ["ALIASES", "COMMANDS", "NOTICE", "command_module", "command_parser", "current_name"]

COMMANDS = {
    "analyse": "one or many studies: masks, volumes, EF, a report",
    "remeasure": "finished results measured again, with corrected masks, frames or rules",
    "compare": "two finished results beside each other: numbers, outlines, curves, what differs",
    "population": "tables of thousands of studies, on all cores or many machines",
    "cohort": "one page about a population: distributions, flags, failures, centiles",
    "segment": "one mask per image, on the image's own grid",
    "export": "finished results as DICOM segmentation, structured report and PDF, and as FHIR",
    "deidentify": "a DICOM study without identity, with what an analysis needs",
    "serve": "a local web application: see, correct and sign off results, and send new studies",
    "serve-dicom": "a DICOM node: receives studies, analyses them, sends the results back",
    "views": "the recognised views of a study, without measurements",
    "demo": "analyse the bundled synthetic study",
    "finetune": "train a model on labelled studies: masks, landmarks, a number or a class",
    "disease": "fit the disease-group model to measurements, and score it",
    "evaluate": "score a model on a labelled dataset, per patient, with intervals",
    "datasets": "list the supported datasets, and check the files of one",
    "weights": "list, fetch, import, export and check model weights",
    "pretrain": "train the masked autoencoder on prepared studies without labels",
    "embed": "features of studies from a pre-trained model, without labels",
    "rank": "which unlabelled studies to label next",
    "reconstruct": "a picture of a pre-trained model's reconstruction of a masked study",
    "prepare": "store studies for training, with access to single frames",
    "bench": "train and score every task with every suitable model: one table",
    "sweep": "data-efficiency curve of a task: fractions of the patients, seeds, starting weights",
    "phantom": "write synthetic studies with exact volumes, masks and landmarks",
    "doctor": "check the installation: packages, device, models, and a short self-test",
    "info": "models, measurements, views, flags and schemas for other programs; shell completion",
}
"""Command -> its summary, in the order of `cinema --help`."""

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
    """Return the parser of a command: its own options, and those of every command."""
    from cinema_cmr.commands.options.help_text import HelpFormatter

    summary = COMMANDS[name]
    parser = CommandParser(
        prog=f"cinema {name}",
        description=f"{summary[0].upper()}{summary[1:]}. {NOTICE}",
        formatter_class=HelpFormatter,
    )
    command_module(name).add_arguments(parser)
    parser.add_argument(
        "--log", choices=("text", "json"), default="text", help="progress and messages on stderr, as text or JSON"
    )
    return parser
