"""Published files on this machine: from the package's cache, from Hugging Face's own, or fetched once and checked.

Environment: CINEMA_CACHE (our cache), HF_HUB_CACHE or HF_HOME (where Hugging Face's tools keep theirs),
HF_ENDPOINT (a mirror), CINEMA_OFFLINE or HF_HUB_OFFLINE (1: never use the network). Proxies are those of
`urllib`.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from cinema_cmr.core.errors import WeightsError
from cinema_cmr.models.published.registry import REPOSITORY, REVISION

__all__ = ["cache_folder", "fetch", "find", "is_offline"]

_CHUNK_BYTES = 1 << 20
_TIMEOUT_S = 60


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where files of the pinned revision are kept: copy this folder to take them to a machine without network."""
    if environment.get("CINEMA_CACHE"):
        root = Path(environment["CINEMA_CACHE"])
    else:
        root = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cinema-cmr"
    return root / REPOSITORY.replace("/", "--") / REVISION


def is_offline(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the network must not be used."""
    words = (environment.get(name, "") for name in ("CINEMA_OFFLINE", "HF_HUB_OFFLINE"))
    return any(word.strip().lower() in ("1", "true", "yes", "on") for word in words)


def find(file: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """A file of the repository that is on this machine already and whole, or None.

    Raises `WeightsError` where it is there with another hash than when it was fetched.
    """
    own = cache_folder(environment) / file
    if own.is_file():
        _check_recorded(own)
        return own
    theirs = _hugging_face_snapshot(environment) / file
    if theirs.is_file():
        _check_digest(theirs.name, _digests(theirs), theirs.resolve().name)
        return theirs
    return None


def fetch(file: str, environment: Mapping[str, str] = os.environ) -> Path:
    """A file of the repository on this machine, fetched where it is not yet there.

    What is fetched is checked against the hash that the hub gives for it, and the hash is kept beside it and
    checked at each use. Raises `WeightsError`, with what to do, where the network may not or cannot be used.
    """
    found = find(file, environment)
    if found is not None:
        return found
    if is_offline(environment):
        raise WeightsError(f"'{file}' is not on this machine, and offline mode is on; {_by_hand(environment)}")
    endpoint = environment.get("HF_ENDPOINT") or "https://huggingface.co"
    if urlsplit(endpoint).scheme not in ("https", "http"):
        raise WeightsError(f"HF_ENDPOINT is '{endpoint}'; expected an address that begins with https://")
    url = f"{endpoint.rstrip('/')}/{REPOSITORY}/resolve/{REVISION}/{quote(file)}"
    try:
        return _download(url, cache_folder(environment) / file)
    except HTTPError as error:
        raise WeightsError(
            f"the hub answered {error.code} ({error.reason}) for '{file}'; expected the file: "
            f"look whether the address is reachable from here, or {_by_hand(environment)}"
        ) from error
    except (URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise WeightsError(f"'{file}' could not be fetched ({reason}); {_by_hand(environment)}") from error


class _Redirects(HTTPRedirectHandler):
    """Follows redirects and keeps the hash that the hub gives before it hands over to its store."""

    def __init__(self) -> None:
        self.linked = ""

    def redirect_request(self, req: Request, *answer: Any) -> Request | None:
        """`answer`: the body, the code, its message, the headers and the new address, as the parent takes them."""
        headers: Message = answer[3]
        self.linked = self.linked or headers.get("X-Linked-ETag", "")
        return super().redirect_request(req, *answer)


def _download(url: str, path: Path) -> Path:
    redirects = _Redirects()
    opener: OpenerDirector = build_opener(redirects)
    path.parent.mkdir(parents=True, exist_ok=True)
    sibling = path.with_name(f".{secrets.token_hex(8)}{path.suffix}")
    try:
        with opener.open(Request(url, headers={"User-Agent": "cinema-cmr"}), timeout=_TIMEOUT_S) as answer:
            promised = redirects.linked or answer.headers.get("X-Linked-ETag") or answer.headers.get("ETag", "")
            _copy(answer, sibling)
        digests = _digests(sibling)
        _check_digest(path.name, digests, promised.removeprefix("W/").strip('"'))
        _record(path).write_text(digests["sha256"] + "\n", encoding="ascii")
        os.replace(sibling, path)
    finally:
        sibling.unlink(missing_ok=True)
    return path


def _copy(answer: Any, sibling: Path) -> None:
    expected = answer.headers.get("Content-Length")
    written = 0
    with sibling.open("xb") as sink:
        while chunk := answer.read(_CHUNK_BYTES):
            sink.write(chunk)
            written += len(chunk)
        sink.flush()
        os.fsync(sink.fileno())
    if expected and written != int(expected):
        raise WeightsError(f"the transfer stopped after {written} of {expected} bytes; try again")


def _digests(path: Path) -> dict[str, str]:
    """SHA-256, which the hub gives for large files, and git's own hash, which it gives for small ones."""
    whole, blob = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    blob.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            whole.update(chunk)
            blob.update(chunk)
    return {"sha256": whole.hexdigest(), "git": blob.hexdigest()}


def _check_digest(name: str, digests: Mapping[str, str], promised: str) -> None:
    kind = {64: "sha256", 40: "git"}.get(len(promised))
    # A mirror may give a tag that is no hash; the recorded hash then holds from the first use on.
    if kind and re.fullmatch(r"[0-9a-f]+", promised) and digests[kind] != promised:
        raise WeightsError(
            f"'{name}' has the hash {digests[kind]}, the hub gives {promised}; delete it and fetch it again"
        )


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _check_recorded(path: Path) -> None:
    record = _record(path)
    expected = record.read_text(encoding="ascii").strip() if record.is_file() else None
    if expected is None:
        raise WeightsError(f"'{path.name}' lies in the cache without '{record.name}'; copy both, or fetch it again")
    found = _digests(path)["sha256"]
    if found != expected:
        raise WeightsError(f"'{path.name}' has SHA-256 {found}, was fetched as {expected}; delete and fetch it again")


def _hugging_face_snapshot(environment: Mapping[str, str]) -> Path:
    if environment.get("HF_HUB_CACHE"):
        root = Path(environment["HF_HUB_CACHE"])
    else:
        root = Path(environment.get("HF_HOME") or Path.home() / ".cache" / "huggingface") / "hub"
    return root / f"models--{REPOSITORY.replace('/', '--')}" / "snapshots" / REVISION


def _by_hand(environment: Mapping[str, str]) -> str:
    return (
        "on a machine with network call `cinema weights pull NAME`, copy its cache folder here, "
        f"to '{cache_folder(environment)}' or where CINEMA_CACHE points, and call again"
    )
