"""`cinema info`: what this version offers, for people and, with --json, for other programs; shell completion."""

from __future__ import annotations

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.about.completion import SHELLS, completion_script
from cinema_cmr.commands.console import Console
from cinema_cmr.pipeline.about.description import Description, info

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the form of the output."""
    parser.add_argument("--json", action="store_true", help="print everything as one JSON document")
    parser.add_argument("--completion", choices=tuple(SHELLS), help="print the completion script of a shell instead")


def run(given: Namespace) -> int:
    """Print the description or the completion script."""
    if given.completion is not None:
        Console().result(completion_script(given.completion), {})
        return 0
    description = info()
    Console(as_json=given.json).result(_text(description), description.to_dict())
    return 0


def _text(description: Description) -> str:
    models = [
        f"  {model.name}: {model.task}, {', '.join(model.views)}; {model.licence}" for model in description.models
    ]
    schemas = [f"  {schema.document}: version {schema.version}" for schema in description.schemas]
    here = [line for model, line in zip(description.models, models, strict=True) if model.bundled]
    return "\n".join(
        [
            f"cinema-cmr {description.version}. {description.notice}",
            f"bundled models ({len(models) - len(here)} published ones: cinema weights list):",
            *here,
            f"views: {', '.join(view.name for view in description.views)}",
            f"{len(description.measurements)} measurements, {len(description.flags)} flags: see --json",
            "schemas of written documents:",
            *schemas,
        ]
    )
