"""What of a dataset is there: every case opened once and told as found, missing or broken, with the reason."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cinema_cmr.core.errors import CinemaError, MissingFileError
from cinema_cmr.data.cases import Case
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.io.walk import paths_below

__all__ = ["Checked", "check_cases", "check_downloads"]

_HASHES = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
"""Length of a published hash -> its kind."""
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One case, or one file of the download."""

    name: str
    status: Literal["found", "missing", "broken"]
    why: str = ""
    """The error that reading it raises; empty where it is found."""


def check_cases(dataset: Dataset, cases: Sequence[Case], *, open_files: bool = True) -> Iterator[Checked]:
    """What became of each case, in turn; with `open_files` False only from what the listing knows, nothing read.

    A file that the layout names and that is not there makes a case missing, all other errors broken.
    """
    for case in cases:
        try:
            _check(dataset, case, open_files)
        except MissingFileError as error:
            yield Checked(name=case.name, status="missing", why=str(error))
        except CinemaError as error:
            yield Checked(name=case.name, status="broken", why=str(error))
        except Exception as error:  # one case that nobody foresaw must not hide the others
            yield Checked(name=case.name, status="broken", why=f"{type(error).__name__}: {error}")
        else:
            yield Checked(name=case.name, status="found")


def check_downloads(dataset: Dataset, root: Path) -> Iterator[Checked]:
    """Files of the download that lie under `root` and have a published hash; removed ones are not told."""
    for name, expected in dataset.card.checksums.items():
        for path in paths_below(root, name):
            same = _hash(path, _HASHES[len(expected)]) == expected.lower()
            why = "" if same else f"its {_HASHES[len(expected)]} is not the published {expected}; download it again"
            yield Checked(name=name, status="found" if same else "broken", why=why)


def _check(dataset: Dataset, case: Case, open_files: bool) -> None:
    case.check()
    if open_files:
        dataset.read_case(case)
        return
    absent = [path.name for path in case.files or (case.folder,) if not path.exists()]
    if absent:
        raise MissingFileError(f"'{absent[0]}' is missing; unpack the dataset again")


def _hash(path: Path, kind: str) -> str:
    digest = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
