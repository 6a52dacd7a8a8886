"""A model in one file: a zip of `card.json` and `weights.safetensors` with the hash of each, to share and to load.

Weights are stored without compression, so that no file claims more than it holds. The same model gives the same bytes.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import WeightsError
from cinema_cmr.models.cards import CARD_FILE, WEIGHTS_FILE, read_card
from cinema_cmr.models.states import check_hash, hash_of, is_pickle

__all__ = ["is_packed", "pack_folder", "unpacked"]

_HASHES = "sha256.json"
_MEMBERS = (CARD_FILE, WEIGHTS_FILE, _HASHES)
_MAX_TEXT_BYTES = 4 << 20
_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip can state: the time of packing would change the file's hash."""
_ZIP = b"PK\x03\x04"


def pack_folder(folder: Path, file: Path) -> ModelCard:
    """Write a folder of ours (weights and card) into one new file, and return its card.

    Raises `WeightsError` where the weights are not those of the card.
    """
    card = read_card(folder)
    check_hash(folder / WEIGHTS_FILE, card.weights_sha256)
    hashes = {name: hash_of(folder / name) for name in (CARD_FILE, WEIGHTS_FILE)}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed:
        for name in (CARD_FILE, WEIGHTS_FILE):
            with (folder / name).open("rb") as source, packed.open(_entry(name), "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target)
        packed.writestr(_entry(_HASHES), json.dumps(hashes, indent=2) + "\n")
    return card


def is_packed(path: Path) -> bool:
    """Return whether a path is a file that begins as a zip does, and no pickle: those of torch are zips, too."""
    if not path.is_file() or is_pickle(path):
        return False
    with path.open("rb") as stream:
        return stream.read(len(_ZIP)) == _ZIP


@contextmanager
def unpacked(file: Path) -> Iterator[Path]:
    """Yield a temporary folder with weights and card of a packed model, their hashes compared.

    Raises `WeightsError` for a zip that is no packed model, is damaged, or holds another file than was packed.
    """
    with tempfile.TemporaryDirectory(prefix="cinema-model-") as place:
        folder = Path(place)
        try:
            _extract(file, folder)
            hashes = json.loads((folder / _HASHES).read_text(encoding="utf-8"))
        except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
            raise WeightsError(
                f"'{file.name}' cannot be read as a packed model ({type(error).__name__}); expected a file that"
                " `cinema weights pack` wrote: copy it again"
            ) from error
        for name in (CARD_FILE, WEIGHTS_FILE):
            check_hash(folder / name, str(hashes.get(name, "")) if isinstance(hashes, dict) else "")
        yield folder


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_DATE)
    entry.external_attr = 0o644 << 16
    return entry


def _extract(file: Path, folder: Path) -> None:
    size = file.stat().st_size
    with zipfile.ZipFile(file) as packed:
        members = {entry.filename: entry for entry in packed.infolist()}
        if sorted(members) != sorted(_MEMBERS) or len(packed.infolist()) != len(_MEMBERS):
            raise WeightsError(
                f"'{file.name}' is a zip of other files; expected {', '.join(_MEMBERS)}, as `cinema weights pack`"
                " writes them"
            )
        for name, entry in members.items():
            limit = size if name == WEIGHTS_FILE else _MAX_TEXT_BYTES
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > limit:
                raise WeightsError(
                    f"'{file.name}' holds a compressed or oversized '{name}'; expected stored files: pack it again"
                )
            with packed.open(entry) as source, (folder / name).open("wb") as target:
                shutil.copyfileobj(source, target)
