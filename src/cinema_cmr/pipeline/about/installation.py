"""What is installed and usable: packages and extras, device and precision, threads, memory, models."""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec
from typing import Literal, NamedTuple

from cinema_cmr.core.errors import CinemaError
from cinema_cmr.core.memory import free_memory_bytes, usable_cores
from cinema_cmr.core.run_facts import installed_version
from cinema_cmr.io.provenance import file_digest
from cinema_cmr.models.cards import WEIGHTS_FILE, embedded_folder, embedded_names, read_card

__all__ = ["DISTRIBUTION", "InstallationCheck", "check_installation", "install_command"]

DISTRIBUTION = "cinema-cmr"
_DEVELOPMENT = ("dev", "docs", "fuzz")
"""Extras of no use to users."""
_MIN_MEMORY_GB = 2.0
"""An analysis takes about 0.7 GB; less than this may not suffice for large studies."""
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[[^]]*\])?(?P<bounds>[^;]*)(;.*extra == ['\"](?P<extra>[\w-]+)['\"])?")
_MODULES = {"python-gdcm": "gdcm"}
"""Packages that conda-forge installs under another name, without the metadata of this one -> the module to look for."""
_BEFORE_PYTHON = re.compile(r"python_version < ['\"]([\d.]+)['\"]")
"""Marker of a requirement that pip leaves out on later versions of Python."""


@dataclass(frozen=True, kw_only=True)
class InstallationCheck:
    """One line of `cinema doctor`."""

    name: str
    state: Literal["ok", "absent", "failed"]
    """"absent" is an extra that is not installed: no fault."""
    found: str
    """What was found; for a fault also what to do."""


def check_installation() -> Iterator[InstallationCheck]:
    """Yield the checks one by one; none of them raises."""
    version = installed_version(DISTRIBUTION)
    yield InstallationCheck(
        name="cinema-cmr",
        state="ok" if version else "failed",
        found=version or "no metadata: install the package, do not copy its folder",
    )
    yield _check("python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.platform()}")
    yield from _packages()
    yield from _torch_checks()
    yield _memory()
    yield _temporary_folder()
    yield from _models()


def install_command(*extras: str) -> str:
    """Return the command that installs extras, for a wheel and for a checkout alike.

    >>> install_command("train", "bench")
    "pip install 'cinema-cmr[train,bench]'"
    """
    return f"pip install '{DISTRIBUTION}[{','.join(extras)}]'"


def _check(name: str, passed: bool, found: str) -> InstallationCheck:
    return InstallationCheck(name=name, state="ok" if passed else "failed", found=found)


class _Requirement(NamedTuple):
    """A package that the metadata ask for."""

    name: str
    bounds: str
    is_left_out: bool
    """Whether its marker makes pip leave it out on this version of Python."""


def _packages() -> Iterator[InstallationCheck]:
    """Yield one check of the required packages and one for each extra."""
    for extra, wanted in _requirements().items():
        if extra in _DEVELOPMENT:
            continue
        faults = {one: fault for one in wanted if (fault := _fault(one.name, one.bounds))}
        names = ", ".join(f"{one.name} {installed_version(one.name)}" for one in wanted if installed_version(one.name))
        if not extra:
            hint = f"{'; '.join(faults.values())}: pip install --upgrade {DISTRIBUTION}"
            yield _check("required packages", not faults, hint if faults else names)
        else:
            found = f"{'; '.join(faults.values())}: {_remedy(extra, faults)}" if faults else names
            yield InstallationCheck(name=f"extra [{extra}]", state="absent" if faults else "ok", found=found)


def _requirements() -> dict[str, list[_Requirement]]:
    """Return the requirements of the installed package by extra; those of the core under ""."""
    groups: dict[str, list[_Requirement]] = defaultdict(list)
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return {}
    for line in lines:
        match = _REQUIREMENT.match(line)
        if match and match["name"] != DISTRIBUTION:
            before = _BEFORE_PYTHON.search(line)
            is_left_out = before is not None and sys.version_info[:2] >= _numbers(before[1])
            groups[match["extra"] or ""].append(_Requirement(match["name"], match["bounds"], is_left_out))
    return groups


def _remedy(extra: str, lacking: Collection[_Requirement]) -> str:
    """Return the commands that install what an extra lacks, also what pip leaves out on this version of Python."""
    by_hand = [one.name for one in lacking if one.is_left_out]
    commands = [] if by_hand and len(by_hand) == len(lacking) else [install_command(extra)]
    return ", then ".join(commands + ([f"pip install --no-deps {' '.join(by_hand)}"] if by_hand else []))


def _fault(name: str, bounds: str) -> str | None:
    """Return why a package does not meet its lower bound, or None."""
    version = installed_version(name)
    if version is None:
        is_there = name in _MODULES and find_spec(_MODULES[name]) is not None
        return None if is_there else f"{name} is not installed"
    lowest = re.search(r">=\s*([\d.]+)", bounds)
    if lowest and _numbers(version) < _numbers(lowest[1]):
        return f"{name} is {version}, expected {lowest[1]} or later"
    return None


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def _torch_checks() -> Iterator[InstallationCheck]:
    try:
        import torch

        from cinema_cmr.inference.runtime import choose_runtime

        runtime = choose_runtime()
        n_threads, setting = torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    except Exception as error:  # of any kind: a broken installation of torch raises many
        yield _check(
            "torch", False, f"cannot be imported ({type(error).__name__}): pip install --force-reinstall torch"
        )
        return
    gpus = (
        [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    others = ["mps"] if torch.backends.mps.is_available() else []
    listed = ", ".join(["cpu", *gpus, *others])
    yield _check("device", True, f"{runtime.device} in {runtime.precision} (--device auto); available: {listed}")
    from_environment = f", OMP_NUM_THREADS={setting}" if setting else ""
    yield _check("threads", True, f"{n_threads} a process on {usable_cores()} usable processors{from_environment}")


def _memory() -> InstallationCheck:
    free_gb = free_memory_bytes() / 1e9
    found = f"{free_gb:.1f} GB free"
    enough = free_gb >= _MIN_MEMORY_GB
    return _check("memory", enough, found if enough else f"{found}; expected {_MIN_MEMORY_GB:g} GB: close programs")


def _temporary_folder() -> InstallationCheck:
    try:
        with tempfile.TemporaryFile(prefix="cinema-") as file:
            file.write(b"\0" * 1024)
    except OSError as error:
        return _check("temporary folder", False, f"cannot be written ({error.strerror}): set TMPDIR to one that can")
    return _check("temporary folder", True, "can be written")


def _models() -> Iterator[InstallationCheck]:
    for name in embedded_names():
        try:
            whole = file_digest(embedded_folder(name) / WEIGHTS_FILE) == read_card(embedded_folder(name)).weights_sha256
        except (OSError, CinemaError):
            whole = False
        yield _check(f"model {name}", whole, "hash matches its card" if whole else "damaged: install the package anew")
