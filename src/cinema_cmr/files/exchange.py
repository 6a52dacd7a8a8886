"""A folder of results put in place in one step: a kill at any moment leaves the old results or the new, whole.

Where the system can exchange two folders (Linux), the complete new folder changes places with the old one. Elsewhere,
and for a folder that has to stay (a mount point, the current folder, one that holds other folders), the complete new
results first take a name that commits them, and are then moved file by file: whatever interrupts that, the next call
finishes it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from cinema_cmr.core.errors import OutputExistsError
from cinema_cmr.files.leftovers import committed_files, errors_named, is_abandoned, remove_leftovers, temporary_name

__all__ = ["check_no_links", "draft_folder", "finish_commits", "put_in_place"]

_EXCHANGE = 2
"""RENAME_EXCHANGE of renameat2(2)."""
_CURRENT_FOLDER = -100
"""AT_FDCWD of the same call."""
_MAX_OTHERS = 1000
"""Other files that an exchanged folder takes along; one with more of them stays where it is."""


@contextmanager
def draft_folder(folder: Path) -> Iterator[Path]:
    """Yield a hidden empty folder for what `put_in_place` puts into `folder`, on the same disk; removed at the end.

    What killed processes left beside and inside `folder` is finished or removed first.
    """
    folder = Path(os.path.realpath(folder))
    place = folder.parent if not folder.exists() or _is_movable(folder) else folder
    place.mkdir(parents=True, exist_ok=True)
    for each in {folder, place}:
        finish_commits(each)
        remove_leftovers(each)
    draft = place / temporary_name()
    with errors_named(folder, draft=draft):
        draft.mkdir()
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def put_in_place(draft: Path, folder: Path, *, last: str = "", replaced: Collection[str] | None = ()) -> None:
    """Put the complete results in `draft` into `folder`, in one step; other files in it are kept.

    `last` is the file whose presence says that the results are complete; `replaced` are the paths, relative to
    `folder`, of earlier results that go, None for all that is in it. Raises `OutputExistsError` where a link in
    `folder` would be followed.
    """
    folder = Path(os.path.realpath(folder))
    if not folder.exists():
        os.replace(draft, folder)
        return
    check_no_links(folder, _files_below(draft))
    earlier = [file.as_posix() for file in _files_below(folder)] if replaced is None else replaced
    others = _other_files(folder, draft, earlier) if replaced is not None else []
    if draft.parent != folder.parent or others is None or not _exchanged(draft, folder, others):
        _commit(draft, folder, last, earlier)


def finish_commits(folder: Path | str) -> None:
    """Finish what a killed `put_in_place` has committed in this folder."""
    folder = Path(folder)
    try:
        found = sorted(entry.name for entry in os.scandir(folder))
    except OSError:
        return
    for name in found:
        last = committed_files(name)
        if last is not None and is_abandoned(folder / name):
            _roll_forward(folder / name, folder, last)


def check_no_links(folder: Path, files: Collection[Path]) -> None:
    """Raise `OutputExistsError` if a folder on the way to one of these files is a link, which would be followed."""
    for inner in sorted({parent for file in files for parent in file.parents if parent.name}):
        if (folder / inner).is_symlink():
            raise OutputExistsError(
                f"'{folder.name}/{inner}' is a link; expected a folder: links inside an output folder are not followed,"
                " remove it"
            )


def _is_movable(folder: Path) -> bool:
    """Whether the folder can be exchanged with one beside it, without a process or a mount noticing."""
    here = Path.cwd()
    stays = folder.is_mount() or here == folder or folder in here.parents
    return not stays and os.access(folder.parent, os.W_OK | os.X_OK)


def _files_below(folder: Path) -> list[Path]:
    """Return the files below a folder, relative to it."""
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())


def _other_files(folder: Path, draft: Path, replaced: Collection[str]) -> list[Path] | None:
    """Return the files of others, relative to the folder; None if there are many, or other things among them."""
    others: list[Path] = []
    for place, folders, files in os.walk(folder):
        here = Path(place).relative_to(folder)
        others += [here / name for name in files if not os.path.lexists(draft / here / name)]
        if any(not (draft / here / name).is_dir() for name in folders) or len(others) > _MAX_OTHERS:
            return None
    others = [file for file in others if file.as_posix() not in replaced]
    return others if all((folder / file).is_file() for file in others) else None


def _exchanged(draft: Path, folder: Path, others: Collection[Path]) -> bool:
    """Link the others' files into the draft and let it change places with the folder; False where that fails."""
    try:
        for file in others:
            os.link(folder / file, draft / file, follow_symlinks=False)
        shutil.copystat(folder, draft)
    except OSError:
        return False
    return _exchange(draft, folder)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two paths atomically; False where the system or the file system cannot."""
    import ctypes

    try:
        rename = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError, TypeError):
        return False
    code: int = rename(_CURRENT_FOLDER, os.fsencode(one), _CURRENT_FOLDER, os.fsencode(other), _EXCHANGE)
    return code == 0


def _commit(draft: Path, folder: Path, last: str, replaced: Collection[str]) -> None:
    """Give the draft the name that commits it, and move its files."""
    stale = [file for file in replaced if file != last and not os.path.lexists(draft / file)]
    committed = folder / temporary_name(committed=last)
    os.rename(draft, committed)
    _roll_forward(committed, folder, last)
    for file in stale:
        (folder / file).unlink(missing_ok=True)


def _roll_forward(committed: Path, folder: Path, last: str) -> None:
    files = sorted(_files_below(committed), key=lambda file: file == Path(last))
    if Path(last) in files:
        (folder / last).unlink(missing_ok=True)
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        os.replace(committed / file, folder / file)
    shutil.rmtree(committed, ignore_errors=True)
