"""Weights files: hashing, reading without unpickling, atomic writing and strict loading."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cinema_cmr.core.errors import OutputExistsError, UnreadableFileError, WeightsError
from cinema_cmr.files.exchange import draft_folder, put_in_place
from cinema_cmr.files.regular import open_regular

__all__ = [
    "check_format",
    "check_hash",
    "check_none_exists",
    "check_shapes",
    "fill",
    "floats_as",
    "hash_of",
    "is_pickle",
    "mean_state",
    "read_state",
    "replacing_folder",
    "write_state",
]

_CHUNK_BYTES = 1 << 22
_NAMES_SHOWN = 6
_PICKLES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth")


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal; raises `WeightsError` if there is no file."""
    digest = hashlib.sha256()
    with _opened(path) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def check_hash(path: Path, expected: str) -> None:
    """Raise `WeightsError` if the file's SHA-256 is not the expected one."""
    found = hash_of(path)
    if found != expected:
        raise WeightsError(
            f"'{path.name}' has SHA-256 {found}; expected {expected or 'one, and the card names none'}: "
            "the file was changed or copied in part; fetch or export it again"
        )


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file, on the CPU; `WeightsError` for any other file, also pickles."""
    check_format(path)
    with _opened(path):
        pass
    try:
        state: dict[str, Tensor] = load_file(path)
    except (SafetensorError, ValueError) as error:
        raise WeightsError(f"'{path.name}' cannot be read ({error}); fetch or export it again") from error
    broken = [name for name, x in state.items() if x.is_floating_point() and not bool(torch.isfinite(x).all())]
    if broken:
        raise WeightsError(
            f"'{path.name}' has weights that are NaN or infinite: {_some(broken)}; expected finite numbers: fetch it or"
            " train it again"
        )
    return state


def is_pickle(path: Path) -> bool:
    """Return whether a file has the suffix of a pickle, as torch and others write weights."""
    return path.suffix.lower() in _PICKLES


def check_format(path: Path) -> None:
    """Raise `WeightsError` for a file of weights that is no safetensors file: a pickle can run code when it is read."""
    if is_pickle(path):
        raise WeightsError(
            f"'{path.name}' is a pickle ({path.suffix}), which can run code when it is read, and is never opened;"
            " expected .safetensors: convert it with the software that wrote it"
        )
    if path.suffix != ".safetensors":
        raise WeightsError(
            f"'{path.name}' is not a .safetensors file; expected one: other formats can run code when read, "
            "so convert it first with the software that wrote it"
        )


def write_state(path: Path, state: Mapping[str, Tensor]) -> str:
    """Write tensors as safetensors to a new file, and return its SHA-256."""
    # Two names of one tensor would be refused by the format; each gets memory of its own.
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    path.touch()
    mode = path.stat().st_mode
    save_file(tensors, path, metadata={"format": "pt"})
    path.chmod(mode)  # the library makes files that no other user may read
    return hash_of(path)


def fill(model: nn.Module, state: Mapping[str, Tensor], *, what: str) -> None:
    """Load tensors into a network, every key and shape matched, in the network's precision.

    `what` names the weights in the message. Raises `WeightsError` with the keys that are missing, left over
    or of another shape; the network is then unchanged.
    """
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    check_shapes(own, {name: tuple(tensor.shape) for name, tensor in state.items()}, what=what)
    model.load_state_dict(dict(state))


def check_shapes(own: Mapping[str, tuple[int, ...]], given: Mapping[str, tuple[int, ...]], *, what: str) -> None:
    """Raise `WeightsError`, naming the differences, if two lists of keys and shapes differ."""
    missing = [key for key in own if key not in given]
    left_over = [key for key in given if key not in own]
    reshaped = [f"{key} {given[key]} for {own[key]}" for key in own if key in given and own[key] != given[key]]
    found = [("missing", missing), ("left over", left_over), ("of another shape", reshaped)]
    differences = "; ".join(f"{len(keys)} {kind}: {_some(keys)}" for kind, keys in found if keys)
    if differences:
        raise WeightsError(
            f"{what} do not fit the architecture and configuration of their description: keys {differences}; "
            "give the description that belongs to these weights"
        )


def check_none_exists(folder: Path, names: Collection[str], *, overwrite: bool = False) -> None:
    """Raise `OutputExistsError` if one of `names` is in `folder` and `overwrite` is False."""
    existing = [name for name in names if os.path.lexists(folder / name)]
    if existing and not overwrite:
        raise OutputExistsError(f"'{existing[0]}' exists already; give --overwrite to replace it")


@contextmanager
def replacing_folder(folder: Path, names: Collection[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a hidden folder; its files, complete, are put into `folder` in one step, the first of `names` as the last.

    Raises `OutputExistsError` if one of `names` is in `folder` and `overwrite` is False.
    """
    check_none_exists(folder, names, overwrite=overwrite)
    with draft_folder(folder) as draft:
        yield draft
        for file in draft.iterdir():
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())
        put_in_place(draft, folder, last=next(iter(names)))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        stream = open_regular(path)
    except (OSError, UnreadableFileError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise WeightsError(f"no weights at '{path.name}' ({why}); give the path of a file") from error
    with stream:
        yield stream


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more


def floats_as(state: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Convert the floating-point tensors to `dtype`; raises `WeightsError` if a number is out of its range."""
    cast = {name: x.to(dtype) if x.is_floating_point() else x for name, x in state.items()}
    for name, x in cast.items():
        if x.is_floating_point() and not bool(torch.isfinite(x).all()):
            raise WeightsError(f"{name} is not finite as {dtype}; store it as bfloat16 or float32")
    return cast


def mean_state(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of each tensor over states of the same keys and shapes; integers are those of the first."""
    first, *others = states
    mean = dict(first)
    for name in [name for name, tensor in first.items() if tensor.is_floating_point()]:
        mean[name] = torch.stack([first[name], *(other[name] for other in others)]).mean(dim=0)
    return mean
