"""A folder of results that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cinema_cmr.core.errors import OutputExistsError

__all__ = ["new_folder"]


@contextmanager
def new_folder(folder: Path | str, *, last: str, overwrite: bool = False) -> Iterator[Path]:
    """A temporary sibling to fill; when the block ends well its files become those of `folder`.

    A folder that was not there, or empty, appears at once. Into one that is there, files are moved one by one,
    the one named `last` at the end: where it stands, the others are complete. Files of other names are left
    alone. Raises `OutputExistsError` before anything is written where `last` or, after the block, any other
    file is there already and `overwrite` is False.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise OutputExistsError(f"'{folder.name}' is a file; expected a folder to write results to")
    if (folder / last).exists() and not overwrite:
        raise OutputExistsError(f"'{folder.name}' holds results already; give --overwrite to replace them")
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield made
        _settle(made, folder, last=last, overwrite=overwrite)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _settle(made: Path, folder: Path, *, last: str, overwrite: bool) -> None:
    files = sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file())
    there = [str(file) for file in files if (folder / file).exists()]
    if there and not overwrite:
        raise OutputExistsError(f"'{folder.name}' holds {there[0]} already; give --overwrite to replace it")
    made.chmod(0o777 & ~_umask())
    if not folder.exists() or not any(folder.iterdir()):
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
        return
    (folder / last).unlink(missing_ok=True)
    for file in sorted(files, key=lambda file: file == Path(last)):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        os.replace(made / file, folder / file)


def _umask() -> int:
    """The process's mask for new folders; `mkdtemp` makes them private."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
