"""What hostile and broken inputs do to the program: a table by kind, kept as results/hostile.json.

    python benchmarks/hostile.py CORPUS [--only WORD] [--again WORD] [--command views] [--work FOLDER]

CORPUS is a folder with `make.py`, which has `CASES`: name -> {"cat": kind, "make": folder -> path}. Each input is made
in one process and read in another, a fork of this one with an address space of 6 GB, 60 seconds of the processor and
low priority. Seconds are the processor's, as the machine may be busy, and memory is its own, less that of a good input.
Counted as a traceback is any error that the program calls its own defect, as an abort any end by a signal. What was
accepted is listed by name, to be looked at. A run that was cut short is continued: outcomes are kept in the folder of
the inputs, and inputs run again only with `--again`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import signal
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from cinema_cmr.cli import main as cinema
from cinema_cmr.io.read import read_study  # noqa: F401  # imported once, for every fork

RESULTS = Path(__file__).parent / "results" / "hostile.json"
SECONDS = 60
MAKING_SECONDS = 240
ADDRESS_SPACE = 6 << 30
OTHER_USER = 65534
COLUMNS = ("n", "clear error", "accepted", "traceback", "hang", "abort", "over 1 GB", "over 10 s", "not made")
FAULTS = COLUMNS[3:8]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one input did."""

    name: str
    kind: str
    exit_code: int | None
    """None for a process that was ended after `SECONDS`; negative for the signal that ended it."""
    seconds: float
    peak_mb: int
    said: str
    made: bool = True

    def columns(self, own_mb: int) -> list[str]:
        """Columns of the table that count this input; `own_mb` is the memory of the program on a good one."""
        if not self.made:
            return ["not made"]
        if self.exit_code is None:
            found = ["hang"]
        elif self.exit_code < 0:
            found = ["abort"]
        elif "Traceback" in self.said or "a defect of this program" in self.said:
            found = ["traceback"]
        else:
            found = ["accepted" if self.exit_code == 0 else "clear error"]
        found += ["over 1 GB"] if self.peak_mb - own_mb > 1024 else []
        return ["n", *found, *(["over 10 s"] if self.seconds > 10 else [])]


def main() -> None:
    """Run the corpus and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--only", default="", help="inputs whose name has this word")
    parser.add_argument("--again", help="run these inputs again: those whose name has this word, or 'failed'")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no further input after so long")
    parser.add_argument("--command", choices=("views", "prepare", "analyse"), default="views")
    parser.add_argument(
        "--work", type=Path, default=Path(gettempdir()) / "cinema-hostile", help="folder for the inputs"
    )
    given = parser.parse_args()
    os.nice(10)
    base = given.work / "base" / "one"
    if not base.exists():
        cinema(["phantom", "-n", "1", "--seed", "3", "-o", str(base), "--views", "sax", "--frames", "8"])
    os.environ["HOSTILE_DIR"] = str(given.work)
    cases = cases_of(given.corpus)
    warm_up(cases, given.work, given.command)
    kept = KeptOutcomes(given.work / f"outcomes-{given.command}.jsonl")
    # In a fixed random order, so that a run that is cut short is a sample.
    names = sorted((name for name in cases if given.only in name), key=lambda name: zlib.crc32(name.encode()))
    started = time.monotonic()
    for name in names:
        if name in kept.outcomes and not kept.is_again(name, given.again):
            continue
        if time.monotonic() - started > given.seconds:
            break
        found = outcome(name, cases[name], given.work / "case", given.command)
        kept.add(found)
        print(name, *found.columns(200)[1:], file=sys.stderr, flush=True)
    run = [kept.outcomes[name] for name in cases if name in kept.outcomes]
    document = {"n_of_corpus": len(cases), "n_run": len(run), **table(run, given.command)}
    print(json.dumps(document["kinds"], indent=1))
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


class KeptOutcomes:
    """Outcomes by name, one line of JSON each in a file, so that a run can be continued."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.outcomes = {one.name: one for one in (Outcome(**json.loads(line)) for line in lines)}

    def add(self, one: Outcome) -> None:
        """Keep an outcome, in place of an earlier one of the same input."""
        self.outcomes[one.name] = one
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(vars(one)) + "\n")

    def is_again(self, name: str, again: str | None) -> bool:
        """Whether an input that has run is to run again."""
        if again == "failed":
            return any(column in FAULTS for column in self.outcomes[name].columns(200))
        return again is not None and again in name


def cases_of(corpus: Path) -> Mapping[str, Mapping[str, object]]:
    """Return the cases of a corpus's make.py."""
    sys.path.insert(0, str(corpus))
    spec = importlib.util.spec_from_file_location("make", corpus / "make.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"'{corpus.name}' has no make.py; expected the folder of a corpus")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.CASES)


def warm_up(cases: Mapping[str, Mapping[str, object]], work: Path, command: str) -> None:
    """Import here what every fork needs, by running good inputs."""
    for name in ("dcm-good", "nii-good-gz", "zip-good"):
        folder = work / "warm" / name
        subprocess.run(["rm", "-rf", folder], check=True)
        folder.mkdir(parents=True)
        path = cases[name]["make"](str(folder))  # type: ignore[operator]
        cinema([command, path, *([] if command == "views" else ["-o", str(folder / "out")])])


def outcome(name: str, case: Mapping[str, object], work: Path, command: str) -> Outcome:
    """Make one input and run the command on it."""
    subprocess.run(["rm", "-rf", work], check=True)  # Python's own cannot go 1000 folders down
    (work / "in").mkdir(parents=True)
    work.chmod(0o777)
    make = case["make"]

    def write_path() -> int:
        path = make(str(work / "in"))  # type: ignore[operator]
        (work / "path").write_bytes(os.fsencode(path))
        return 0

    kind = str(case["cat"])
    if forked(write_path, work, MAKING_SECONDS)[0] != 0:
        return Outcome(name=name, kind=kind, exit_code=None, seconds=0.0, peak_mb=0, said="", made=False)
    path = os.fsdecode((work / "path").read_bytes())
    words = [command, path, *([] if command == "views" else ["-o", str(work / "out")])]

    def run() -> int:
        if case.get("user") and os.getuid() == 0:
            os.setgroups([])
            os.setgid(OTHER_USER)
            os.setuid(OTHER_USER)
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        return cinema(words)

    code, seconds, peak_mb = forked(run, work, SECONDS)
    said = (work / "said").read_text(encoding="utf-8", errors="replace")
    return Outcome(name=name, kind=kind, exit_code=code, seconds=round(seconds, 1), peak_mb=peak_mb, said=said[-2000:])


def forked(function: Callable[[], int], work: Path, limit: float) -> tuple[int | None, float, int]:
    """Run a function in a fork whose output goes to `work/said`; return exit code, CPU seconds and peak memory in MB.

    It is ended after `limit` seconds of the processor, or of waiting; on a busy machine it may take longer.
    """
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _end_as(function, work)
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            break
        used = _cpu_seconds(child)
        if used > limit or time.monotonic() - started > limit * (1 + 10 * (used > 1)):
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            _, _, usage = os.wait4(child, 0)
            status = None
            break
        time.sleep(0.01)
    code = None if status is None else os.waitstatus_to_exitcode(status)
    return code, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _end_as(function: Callable[[], int], work: Path) -> None:
    os.setsid()
    said = os.open(work / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, target in ((0, nothing), (1, said), (2, said)):
        os.dup2(target, number)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    code = 1
    try:
        code = function()
    except SystemExit as stop:
        code = int(stop.code or 0)
    except BaseException as error:
        os.write(2, f"Traceback: {type(error).__name__}".encode())
    finally:
        with suppress(OSError, AttributeError):
            sys.stdout.flush()
        os._exit(code)


def table(outcomes: list[Outcome], command: str) -> dict[str, Any]:
    """Return the counts by kind, and by name the inputs that failed and those that were accepted."""
    own_mb = min((one.peak_mb for one in outcomes if one.name.endswith("-good")), default=200)
    kinds = {kind: Counter[str]() for kind in sorted({one.kind for one in outcomes})}
    for one in outcomes:
        kinds[one.kind].update(one.columns(own_mb))
    rows = {kind: {column: counts[column] for column in COLUMNS} for kind, counts in kinds.items()}
    total = {column: sum(row[column] for row in rows.values()) for column in COLUMNS}
    failed = [
        {"name": one.name, "faults": found, "seconds": one.seconds, "mb": one.peak_mb, "said": one.said[-300:]}
        for one in outcomes
        if (found := [column for column in one.columns(own_mb) if column in FAULTS])
    ]
    accepted = [one.name for one in outcomes if "accepted" in one.columns(own_mb)]
    return {
        "command": f"python benchmarks/hostile.py CORPUS --command {command}",
        "own_mb": own_mb,
        "kinds": {**rows, "all": total},
        "failed": failed,
        "accepted": accepted,
        "not_made": [one.name for one in outcomes if not one.made],
    }


if __name__ == "__main__":
    main()
