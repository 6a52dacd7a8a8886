"""Options that state facts of one person: what is said of one is not said of several."""

from __future__ import annotations

from jsonargparse import Namespace

from cinema_cmr.commands.options.dataclass_options import option_values
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.study import Subject

__all__ = ["check_one_study"]

_OF_ONE_STUDY = ("ed_frame", "es_frame")


def check_one_study(given: Namespace, n_studies: int) -> None:
    """Raise `UsageError` for options that state facts of one person or one cine, given for several studies."""
    if n_studies < 2:
        return
    subject = option_values(given, Subject)
    names = [name for name, value in subject.items() if value is not None]
    names += [name for name in _OF_ONE_STUDY if given.get(name) is not None]
    if names:
        flag = names[0].removesuffix("_years").removesuffix("_cm").removesuffix("_kg").removesuffix("_bpm")
        raise UsageError(
            f"--{flag.replace('_', '-')} with {n_studies} studies; expected it for one: give a column '{flag}' in"
            " the table of --manifest, or one study a call"
        )
