"""Runs one after the other, each kept in a folder of its own: what is finished is kept, what fails stops no other."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cinema_cmr.bench.scored_run import RunIdentity, ScoredRun
from cinema_cmr.core.errors import CinemaError, OutputExistsError, RunStoppedError, UnreadableFileError, UsageError
from cinema_cmr.core.serialise import from_dict, from_result, json_text, to_dict
from cinema_cmr.files.text import read_json
from cinema_cmr.io.atomic import write_text

__all__ = ["RESULT_FILE", "Outcome", "RunKey", "finished", "run_all", "write_result"]

RESULT_FILE = "result.json"
"""Written last: a run's folder that has it is complete."""


@dataclass(frozen=True, kw_only=True)
class RunKey:
    """Which training it is; several rows of the table may be read off one."""

    dataset: str
    run: str
    model: str
    seed: int

    def folder(self, root: Path) -> Path:
        """Where the run's checkpoint, model and result lie."""
        return root / self.dataset / self.run / self.model / f"seed-{self.seed}"

    def __str__(self) -> str:
        return f"{self.run}, {self.model}, seed {self.seed}, on {self.dataset}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A run's record, or why there is none."""

    record: ScoredRun | None = None
    reason: str = ""
    exit_code: int = 0


def run_all(
    keys: Sequence[RunKey],
    do: Callable[[RunKey], ScoredRun],
    *,
    note: Callable[[str], None] = lambda text: None,
) -> dict[RunKey, Outcome]:
    """What became of every run; a failure is told and kept with its exit code, and the next run follows.

    A signal that stops a training (`RunStoppedError`) stops all: the same call goes on with it.
    """
    outcomes: dict[RunKey, Outcome] = {}
    for number, key in enumerate(keys, start=1):
        note(f"[{number}/{len(keys)}] {key}")
        try:
            outcomes[key] = Outcome(record=do(key))
        except RunStoppedError:
            raise
        except CinemaError as error:
            outcomes[key] = Outcome(reason=str(error), exit_code=error.exit_code)
        except (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
            # A fault of ours in one run is no reason to lose the others of a night.
            outcomes[key] = Outcome(reason=f"{type(error).__name__}: {error}", exit_code=1)
        if outcomes[key].record is None:
            note(f"failed: {key}: {outcomes[key].reason}")
    return outcomes


def finished(folder: Path, identity: RunIdentity) -> ScoredRun | None:
    """The record of a finished run, or None; raises `OutputExistsError` where it is of a run with another identity."""
    path = folder / RESULT_FILE
    if not path.exists():
        return None
    ours = to_dict(identity)
    try:
        values: Any = read_json(path)
        theirs = to_dict(from_dict(RunIdentity, values["identity"]))  # with the defaults of newer values
        record = from_result(ScoredRun, values)
        other = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
    except (OSError, UnreadableFileError, KeyError, TypeError, AttributeError, UsageError) as error:
        raise UnreadableFileError(
            f"'{_name(folder)}/{path.name}' cannot be read ({type(error).__name__}); expected the result of a run:"
            " remove it"
        ) from error
    if other:
        raise OutputExistsError(
            f"'{_name(folder)}' holds a run with another {', '.join(other)}; expected the same settings to keep it:"
            " give another folder, or --overwrite"
        )
    return record


def write_result(folder: Path, identity: RunIdentity, record: ScoredRun) -> ScoredRun:
    """Write the record of a run that ended, with its identity; return it as every later call reads it."""
    text = json_text({**vars(record), "identity": identity})
    write_text(folder / RESULT_FILE, text, overwrite=True)
    return from_result(ScoredRun, json.loads(text))


def _name(folder: Path) -> str:
    return "/".join(folder.parts[-4:])
