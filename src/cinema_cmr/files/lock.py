"""One run in a folder at a time: a lock that outlives neither its process nor its machine."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cinema_cmr.core.errors import InputError, UnreadableFileError, UsageError
from cinema_cmr.core.serialise import from_dict, to_dict
from cinema_cmr.files.leftovers import temporary_name
from cinema_cmr.files.owner import Owner, this_process
from cinema_cmr.files.text import read_json

__all__ = ["LOCK_FILE", "folder_lock", "is_held", "waiting_lock"]

LOCK_FILE = ".cinema-lock"

_RENEWED_S = 30.0
_STALE_S = 300.0
"""Without renewal for so long, a lock of another machine or container counts as that of a dead process."""
_TRIED_EVERY_S = 0.05
_MAX_BYTES = 4096
_GUARD = "-guard"
_GUARD_S = 10.0
"""What is done under the guard takes milliseconds."""


@contextmanager
def folder_lock(folder: Path | str) -> Iterator[None]:
    """Hold the lock of a folder, which is created if missing.

    Raises `InputError` if a process that is alive holds it, on this machine or, by the age of its lock, on another.
    The lock of a dead process is taken over.
    """
    path = Path(folder) / LOCK_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps(to_dict(this_process(), "lock")).encode("ascii")
    _take(path, content)
    done = threading.Event()
    thread = threading.Thread(target=_renew, args=(path, content, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        with _guarded(path):
            if _is_ours(path, content):
                path.unlink(missing_ok=True)


@contextmanager
def waiting_lock(folder: Path | str, *, seconds: float = 600.0) -> Iterator[None]:
    """Hold the lock of a folder as `folder_lock` does, after waiting for its holder, at most so long."""
    until = time.monotonic() + seconds
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(folder_lock(folder))
                break
            except InputError:
                if time.monotonic() > until:
                    raise
                time.sleep(_TRIED_EVERY_S)
        yield


def is_held(folder: Path | str) -> bool:
    """Return whether a process that is alive holds the lock of a folder: the one rule for taking it over.

    A process of this machine by its number and start time; one of another machine or container, which cannot be seen
    from here, and a damaged lock by the age of the lock. Without a lock there is no holder.
    """
    return _holder(Path(folder) / LOCK_FILE)[0]


def _take(path: Path, content: bytes) -> None:
    own = path.with_name(temporary_name())
    own.write_bytes(content)
    try:
        with _guarded(path):
            if not _link(own, path):
                _check_dead(path)
                # Where there is no guard, only one of several that find the lock dead can move it away.
                aside = path.with_name(temporary_name())
                os.rename(path, aside)
                aside.unlink()
                if not _link(own, path):
                    raise _held(path)
    except FileNotFoundError:  # its holder has just finished, or another process took it over
        raise _held(path) from None
    finally:
        own.unlink(missing_ok=True)


@contextmanager
def _guarded(path: Path) -> Iterator[None]:
    """Let one process at a time look at a lock and change it: between the two it may be taken over by another.

    The guard is a file beside the lock, locked by the system and removed at the end. A file system without such locks
    has none.
    """
    guard, until = path.with_name(path.name + _GUARD), time.monotonic() + _GUARD_S
    with ExitStack() as held:
        while not _is_guarding(guard, held):
            if time.monotonic() > until:
                raise _held(path)
            time.sleep(_TRIED_EVERY_S)
        yield


def _is_guarding(guard: Path, held: ExitStack) -> bool:
    """Lock the guard until `held` ends; False while another process has it, or has just removed it."""
    try:
        import fcntl
    except ImportError:
        return True
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        file = os.open(guard, flags, 0o666)
    except PermissionError:  # that of another user, for a moment
        return False
    with ExitStack() as opened:
        opened.callback(os.close, file)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # not by this file system
            guard.unlink(missing_ok=True)
            return True
        if not _is_at(file, guard):
            return False
        opened.callback(guard.unlink, missing_ok=True)
        held.push(opened.pop_all())
    return True


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.lstat())
    except FileNotFoundError:
        return False


def _is_ours(path: Path, content: bytes) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(_MAX_BYTES) == content
    except OSError:
        return False


def _link(own: Path, path: Path) -> bool:
    """Create the lock, complete from its first moment; False where there is one."""
    try:
        os.link(own, path, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        return _copy(own, path)
    return True


def _copy(own: Path, path: Path) -> bool:
    try:
        with path.open("xb") as stream:
            stream.write(own.read_bytes())
    except FileExistsError:
        return False
    return True


def _check_dead(path: Path) -> None:
    """Raise `InputError` unless the holder of the lock is dead."""
    alive, owner = _holder(path)
    if alive:
        raise _held(path, owner)


def _holder(path: Path) -> tuple[bool, Owner | None]:
    """Return whether the holder of a lock is alive, and who it is; None for a lock that is damaged or not there."""
    try:
        age_s = time.time() - path.lstat().st_mtime
        owner = from_dict(Owner, read_json(path, max_bytes=_MAX_BYTES), "lock")
    except FileNotFoundError:
        return False, None
    except (UnreadableFileError, UsageError):
        return age_s < _STALE_S, None
    return owner.lives(age_s, _STALE_S), owner


def _held(path: Path, owner: Owner | None = None) -> InputError:
    here = owner is not None and owner.host == this_process().host
    who = f"process {owner.pid} of this machine" if here and owner is not None else "a process of another machine"
    hint = "" if here else f"; if that is dead, its lock expires {_STALE_S / 60:g} minutes after it"
    return InputError(
        f"folder '{path.parent.name}' is in use by {who}; expected one run at a time: choose another folder, or wait"
        f" for it{hint}"
    )


def _renew(path: Path, content: bytes, done: threading.Event) -> None:
    while not done.wait(_RENEWED_S):
        try:
            if _is_ours(path, content):
                os.utime(path)
        except OSError:
            continue
