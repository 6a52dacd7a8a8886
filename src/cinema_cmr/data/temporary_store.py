"""Uniform access to prepared files and scans; a scan is prepared in a temporary file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cinema_cmr.core.study import Study
from cinema_cmr.data.population import MANIFEST_FILE, open_population
from cinema_cmr.data.store import STORE_SUFFIX, StoredStudy, open_study, write_study
from cinema_cmr.files.leftovers import temporary_folder
from cinema_cmr.io.names import name_from_path
from cinema_cmr.io.read import read_study

__all__ = ["expand_stores", "open_or_prepare"]


def expand_stores(inputs: Sequence[Path]) -> list[Path]:
    """Return the inputs with each store replaced by the files of its studies."""
    found: list[Path] = []
    for source in inputs:
        is_store = (source / MANIFEST_FILE).is_file()
        found += [study.path for study in open_population(source)] if is_store else [source]
    return found


@contextmanager
def open_or_prepare(source: Study | Path | str, name: str | None = None) -> Iterator[StoredStudy]:
    """Yield a study, or that at a path, its frames read on demand; a scan is prepared for the duration of the context.

    `name`: that of a scan; None for the path's stem. Raises what `open_study`, or `read_study` and `write_study`,
    raise.
    """
    if not isinstance(source, Study) and Path(source).suffix == STORE_SUFFIX:
        yield open_study(Path(source))
        return
    study = source if isinstance(source, Study) else read_study(source, name=name or name_from_path(source))
    with temporary_folder() as folder:
        yield write_study(study, folder / f"study{STORE_SUFFIX}")
