"""Weights files: hashing, reading without unpickling, atomic writing and strict loading."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cinema_cmr.core.errors import OutputExistsError, WeightsError
from cinema_cmr.files.leftovers import temporary_name

__all__ = [
    "check_hash",
    "check_shapes",
    "fill",
    "floats_as",
    "hash_of",
    "read_state",
    "replacing",
    "write_state",
]

_CHUNK_BYTES = 1 << 22
_NAMES_SHOWN = 6


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
    if path.suffix != ".safetensors":
        raise WeightsError(
            f"'{path.name}' is not a .safetensors file; expected one: other formats can run code when read, "
            "so convert it first with the software that wrote it"
        )
    with _opened(path):
        pass
    try:
        state: dict[str, Tensor] = load_file(path)
    except (SafetensorError, ValueError) as error:
        raise WeightsError(f"'{path.name}' cannot be read ({error}); fetch or export it again") from error
    return state


def write_state(path: Path, state: Mapping[str, Tensor], *, overwrite: bool = False) -> str:
    """Write tensors as safetensors, whole or not at all, and return the file's SHA-256."""
    # Two names of one tensor would be refused by the format; each gets memory of its own.
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    with replacing(path, overwrite=overwrite) as sibling:
        sibling.touch()
        mode = sibling.stat().st_mode
        save_file(tensors, sibling, metadata={"format": "pt"})
        sibling.chmod(mode)  # the library makes files that nobody else may read
        return hash_of(sibling)


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


@contextmanager
def replacing(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary sibling that becomes `path` once it is complete and on the disk, else is removed.

    Raises `OutputExistsError` where `path` exists and `overwrite` is False.
    """
    if path.exists() and not overwrite:
        raise OutputExistsError(f"'{path.name}' exists already; give --overwrite to replace it")
    path.parent.mkdir(parents=True, exist_ok=True)
    sibling = path.with_name(temporary_name(path.suffix))
    try:
        yield sibling
        with sibling.open("rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(sibling, path)
    finally:
        sibling.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise WeightsError(f"no weights at '{path.name}' ({error.strerror}); give the path of a file") from error
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
