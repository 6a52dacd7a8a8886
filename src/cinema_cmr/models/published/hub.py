"""Files of the published models: found in a cache on this machine, or fetched once with `huggingface_hub`.

Environment: CINEMA_CACHE (our cache), HF_HUB_CACHE or HF_HOME (Hugging Face's own cache, searched too), HF_ENDPOINT (a
mirror), CINEMA_OFFLINE or HF_HUB_OFFLINE (1: never use the network). Only fetching needs `huggingface_hub`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from cinema_cmr.core.errors import WeightsError
from cinema_cmr.files.regular import open_regular
from cinema_cmr.files.text import read_text
from cinema_cmr.models.published.registry import REPOSITORY, REVISION

__all__ = ["cache_folder", "fetch", "find", "is_offline"]

_CHUNK_BYTES = 1 << 20
_HASH_BYTES = 1024


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of fetched files; copy it to use the models on a machine without network."""
    if environment.get("CINEMA_CACHE"):
        return Path(environment["CINEMA_CACHE"])
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cinema-cmr"


def is_offline(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether the environment forbids the network."""
    values = (environment.get(name, "") for name in ("CINEMA_OFFLINE", "HF_HUB_OFFLINE"))
    return any(value.strip().lower() in ("1", "true", "yes", "on") for value in values)


def find(file: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the path of a file of the repository that is on this machine, or None.

    Raises `WeightsError` if its hash is not the one with which it was fetched.
    """
    path = next((folder / file for folder in _folders(environment) if (folder / file).is_file()), None)
    if path is not None:
        _check_hash(path, _recorded_hash(path))
    return path


def fetch(file: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the path of a file of the repository, fetched at the pinned revision if it is not on this machine.

    The file is checked against the hash that the hub gives for it, now and at each later use. Raises `WeightsError`,
    with what to do, if the network may not or cannot be used or `huggingface_hub` is not installed.
    """
    found = find(file, environment)
    if found is not None:
        return found
    if is_offline(environment):
        raise WeightsError(f"'{file}' is not on this machine, and offline mode is on; {_by_hand(environment)}")
    path = _download(file, environment)
    try:
        _check_hash(path, _recorded_hash(path))
    except WeightsError:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise
    return path


def _download(file: str, environment: Mapping[str, str]) -> Path:
    endpoint = environment.get("HF_ENDPOINT") or "https://huggingface.co"
    if urlsplit(endpoint).scheme not in ("https", "http"):
        raise WeightsError(f"HF_ENDPOINT is '{endpoint}'; expected an address that begins with https://")
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise WeightsError(
            f"'{file}' is not on this machine, and huggingface_hub is not installed; "
            f"install it with `pip install 'cinema-cmr[hub]'`, or {_by_hand(environment)}"
        ) from error
    folder = cache_folder(environment)
    try:
        path = hf_hub_download(
            REPOSITORY, file, revision=REVISION, cache_dir=folder, endpoint=endpoint.rstrip("/"), token=False
        )
    except Exception as error:  # its own errors and those of its HTTP client have no common base
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(f"'{file}' could not be fetched ({reason}); {_by_hand(environment)}") from error
    return Path(path)


def _folders(environment: Mapping[str, str]) -> Iterator[Path]:
    """Folders that may hold the pinned revision: our cache in its old and its present layout, Hugging Face's cache."""
    own = cache_folder(environment)
    yield own / REPOSITORY.replace("/", "--") / REVISION
    home = Path(environment.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    for root in (own, Path(environment.get("HF_HUB_CACHE") or home / "hub")):
        yield root / f"models--{REPOSITORY.replace('/', '--')}" / "snapshots" / REVISION


def _recorded_hash(path: Path) -> str:
    """Return the hash with which a file was fetched.

    In Hugging Face's layout it is the name of the linked file; a plain file has it in a second file beside it. A copy
    without links has no hash.
    """
    if "snapshots" in path.parts:
        return path.resolve().name
    record = path.with_name(f"{path.name}.sha256")
    if not record.is_file():
        raise WeightsError(f"'{path.name}' is in the cache without '{record.name}'; copy both, or fetch it again")
    return read_text(record, max_bytes=_HASH_BYTES).strip()


def _check_hash(path: Path, expected: str) -> None:
    """Compare with SHA-256, which the hub gives for large files, or git's hash, which it gives for small ones."""
    # A mirror may give a tag that is no hash.
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", expected):
        return
    digest = hashlib.sha256() if len(expected) == 64 else hashlib.sha1(usedforsecurity=False)
    if len(expected) == 40:
        digest.update(b"blob %d\0" % path.stat().st_size)
    with open_regular(path) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    if digest.hexdigest() != expected:
        raise WeightsError(
            f"'{path.name}' has the hash {digest.hexdigest()}; expected {expected}: delete it and fetch it again"
        )


def _by_hand(environment: Mapping[str, str]) -> str:
    return (
        "on a machine with network call `cinema weights pull NAME`, copy its cache folder here, "
        f"to '{cache_folder(environment)}' or where CINEMA_CACHE points, and call again"
    )
