"""Names and facts of the studies of one call: what is said of one person is not said of several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from jsonargparse import Namespace

from cinema_cmr.commands.options.dataclass_options import option_values
from cinema_cmr.commands.options.manifest import ManifestRow
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.study import Subject
from cinema_cmr.io.names import unique_names
from cinema_cmr.pipeline.analysis_options import Options

__all__ = ["check_one_study", "study_names", "with_facts"]

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


def study_names(rows: Sequence[ManifestRow]) -> list[str]:
    """Return the name of each study's results: that of the manifest, else that of its path.

    Raises `UsageError` for a path twice, and where a given name is also another path's.
    """
    from_paths = unique_names([row.path for row in rows])
    names = [row.name or name for row, name in zip(rows, from_paths, strict=True)]
    twice = [name for name, n in Counter(name.casefold() for name in names).items() if n > 1]
    if twice:
        raise UsageError(
            f"two studies are named '{twice[0]}'; expected one name a study: change a name in the manifest"
        )
    return names


def with_facts(options: Options, row: ManifestRow) -> Options:
    """Return the options with a row's facts where the command line has none."""
    frames = {
        name: value
        for name in _OF_ONE_STUDY
        if (value := getattr(row, name)) is not None and getattr(options.measure, name) is None
    }
    subject = options.subject.fill_from(row.subject)
    return replace(options, subject=subject, measure=replace(options.measure, **frames))
