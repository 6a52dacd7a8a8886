"""Kills (SIGKILL) at random moments, and what is left: nothing lost, nothing half, nothing left over.

    python benchmarks/kills.py [--kills 100] [--work FOLDER] [analyse prepare finetune pretrain import overwrite ...]

Each command works on the smallest phantoms and models, in a fork of this process, which has imported everything, so
that kills meet the work and not the imports. It is run to its end once; then it is started and killed at a random
moment of its processor's time, again and again in the same folders, and finished when it gets so far, which begins
anew. After each kill the
results under final names are whole; after each end they are those of the uninterrupted run, and no temporary file is
left, in the output or in the temporary folder. Writes results/kills.json, and keeps there what other commands gave.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nibabel
import torch

from cinema_cmr.cli import main as cinema
from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.errors import CinemaError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.store import open_study
from cinema_cmr.io import atomic
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.models.baselines import UNet2dConfig
from cinema_cmr.models.cards import WEIGHTS_FILE, read_card
from cinema_cmr.models.states import check_hash
from cinema_cmr.models.weights import save_model
from cinema_cmr.report.record.stored import changed_output, read_run

RESULTS = Path(__file__).parent / "results" / "kills.json"
VOLATILE = ("run.json", "config.yaml", "journal.csv", "checkpoint.pt", "index.html", "report.html")
"""Files that hold seconds or dates, or the state of a run; the card is compared without its versions."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command under test."""

    words: Sequence[str]
    """Words of the call; `OUT` stands for the output."""
    whole: Callable[[Path], str | None]
    """Returns what is wrong with an output that was killed; None if it is whole."""
    refuses_existing: bool = False
    """Whether a call that finds its output complete, as after a kill in its last moments, refuses to write it again."""
    keeps_output: bool = False
    """Whether the output is that of the uninterrupted run from the beginning, to be overwritten."""


@dataclass(kw_only=True)
class Tally:
    """What the kills of a command did."""

    kills: int = 0
    ends: int = 0
    faults: list[str] = field(default_factory=list)


def main() -> None:
    """Kill each command and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", nargs="*", default=[])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "cinema-kills")
    given = parser.parse_args()
    os.nice(max(0, 10 - os.nice(0)))
    torch.set_num_threads(1)
    (given.work / "tmp").mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(given.work / "tmp")
    commands = made_commands(given.work)
    for name in given.commands or commands:
        tally = kill_often(name, commands[name], given.work, kills=given.kills, draw=random.Random(given.seed))
        print(name, vars(tally), flush=True)


def store(name: str, tally: Tally) -> None:
    """Write what the kills of a command did, beside what other calls found."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))["found"] if RESULTS.exists() else {}
    found[name] = vars(tally)
    RESULTS.write_text(json.dumps({"command": "python benchmarks/kills.py", "found": found}, indent=1) + "\n")


def made_commands(work: Path) -> dict[str, Command]:
    """Make the inputs, once, and return the commands by name."""
    lab, store, model, tiny = work / "lab", work / "store", work / "cinema-sax", work / "tiny"
    images = [str(lab / f"p{n}.nii.gz") for n in range(2)]
    if not (model / WEIGHTS_FILE).exists():
        call(["phantom", "-n", "3", "--views", "sax", "--frames", "3", "-o", str(work / "cohort")], work, check=True)
        make_small(work / "cohort", lab)
        make_model(tiny)
        call(["prepare", *images, "-o", str(store)], work, check=True)
        call(["weights", "import", "cinema-sax", "-o", str(model)], work, check=True)
    few = ["--steps", "5", "--device", "cpu", "--set", "train.checkpoint_every=1", "--set", "train.validate_every=3"]
    few += ["--set", "train.precision=fp32", "--batch", "1"]
    without = ["--landmarks", "none", "--disease", "none", "--device", "cpu"]
    analyse = ["analyse", *images, "--model", str(tiny), *without, "-o", "OUT"]
    train = [*few, "-o", "OUT"]
    finetune = ["finetune", "segment", "--data", f"folder:{lab}", "--preset", "smoke", *train]
    again = ["weights", "import", str(model), "-o", "OUT/model", "--overwrite"]
    return {
        "analyse": Command(words=analyse, whole=whole_results),
        "prepare": Command(words=["prepare", *images, "-o", "OUT"], whole=whole_store),
        "finetune": Command(words=finetune, whole=whole_model),
        "pretrain": Command(words=["pretrain", "--data", str(store), "--recipe", "tiny", *train], whole=whole_model),
        "import": Command(words=again[:-1], whole=whole_model, refuses_existing=True),
        "overwrite": Command(words=[*analyse, "--overwrite"], whole=whole_results, keeps_output=True),
        "overwrite-model": Command(words=again, whole=whole_model, keeps_output=True),
    }


def make_small(cohort: Path, lab: Path) -> None:
    """Write every fourth pixel and second slice of a cohort's short axes, with their masks, as a folder of cases."""
    lab.mkdir(exist_ok=True)
    for n, subject in enumerate(sorted(cohort.glob("subject-*"))):
        for kind, suffix in (("images", ""), ("labels", "_seg")):
            image = nibabel.load(subject / kind / "sax.nii.gz").slicer[::4, ::4, ::2]
            nibabel.save(image, lab / f"p{n}{suffix}.nii.gz")


def make_model(folder: Path) -> None:
    """Save a random short-axis network of a few thousand weights."""
    torch.manual_seed(0)
    values = config_values(UNet2dConfig(view="sax", out_chans=4, chans=(4, 6, 8)))
    grid = Grid(spacing_mm=3.0, size=(64, 64), slice_spacing_mm=20.0, n_slices=6)
    outputs = ("background", "rv", "myocardium", "lv")
    card = ModelCard(
        name="tiny", architecture="unet2d", config=values, task="segment", grids={View.SAX: grid}, outputs=outputs
    )
    save_model(folder, build("unet2d", values), card)


def call(words: Sequence[str], work: Path, *, after_s: float | None = None, check: bool = False) -> int | None:
    """Run the command; killed after `after_s` seconds of the processor, if it still runs then: None."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _end_as(words, work / "said")
    os.setpgid(child, child)
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if after_s is not None and time.clock_gettime(_clock_of(child)) >= after_s:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(0.002)
    code = os.waitstatus_to_exitcode(status)
    if code != 0 and check:
        said = (work / "said").read_text(encoding="utf-8", errors="replace")
        raise SystemExit(f"{' '.join(words)} ended with {code}: {said[-2000:]}")
    return code


def _clock_of(process: int) -> int:
    """Return the clock of another process's processor time (Linux)."""
    return (~process << 3) | 2


def _end_as(words: Sequence[str], said: Path) -> None:
    """Be the command, in this fork: never returns."""
    os.setpgid(0, 0)
    atomic._clean_once.cache_clear()  # what this process has cleaned, the parent's warm-up had
    code = 1
    try:
        printed = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        for number, target in ((0, os.open(os.devnull, os.O_RDONLY)), (1, printed), (2, printed)):
            os.dup2(target, number)
        code = cinema(list(words))
    except SystemExit as stop:
        code = int(stop.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def kill_often(name: str, command: Command, work: Path, *, kills: int, draw: random.Random) -> Tally:
    """Run to the end once, then kill so often; return what was found."""
    out, tally = work / f"out-{name}", Tally()
    words = [word.replace("OUT", str(out), 1) if word.startswith("OUT") else word for word in command.words]
    shutil.rmtree(out, ignore_errors=True)
    cinema(words)  # imports once, for every fork
    shutil.rmtree(out, ignore_errors=True)
    seconds = -_children_s()
    call(words, work, check=True)
    seconds, expected = seconds + _children_s(), contents(out)
    while tally.kills < kills:
        if not command.keeps_output:
            shutil.rmtree(out, ignore_errors=True)
        ended = _until_end(words, command, out, tally=tally, delay=lambda: draw.uniform(0, 1.1 * seconds), kills=kills)
        tally.faults += [] if ended else ["did not end"]
        tally.ends += 1
        tally.faults += differences(expected, contents(out)) + leftovers(out.parent) + leftovers(work / "tmp")
        store(name, tally)
        print(f"{name}: {tally.kills} kills, {seconds:.1f} s a call, {tally.faults}", file=sys.stderr, flush=True)
    return tally


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _until_end(
    words: Sequence[str], command: Command, out: Path, *, tally: Tally, delay: Callable[[], float], kills: int
) -> bool:
    """Start and kill until a call gets to its end, or there were enough kills: then one more call; whether it ended."""
    while tally.kills < kills:
        code = call(words, out.parent, after_s=delay())
        if code is not None:
            return _is_end(code, command, out)
        tally.kills += 1
        wrong = command.whole(out)
        if wrong:
            tally.faults.append(f"after kill {tally.kills}: {wrong}")
    return _is_end(call(words, out.parent), command, out)


def _is_end(code: int | None, command: Command, out: Path) -> bool:
    """Whether a call is done: 0, or 3 for an output that an earlier one completed before it was killed."""
    return code == 0 or (command.refuses_existing and code == 3 and (out / "model").exists())


def contents(out: Path) -> dict[str, str]:
    """Return path -> hash of the files of an output that every run gives alike."""
    return {
        path.relative_to(out).as_posix(): _stable_hash(path)
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in VOLATILE and "events" not in path.parts
    }


def _stable_hash(path: Path) -> str:
    content = path.read_bytes()
    if path.name in ("measurements.json", "card.json"):
        values = json.loads(content)
        for key in ("seconds", "versions", "weights_sha256"):
            values.pop(key, None)
        content = json.dumps(values, sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """Return the files that differ from those of the uninterrupted run."""
    names = sorted({**expected, **found})
    return [f"{name} differs" for name in names if expected.get(name) != found.get(name)]


def leftovers(folder: Path) -> list[str]:
    """Return the temporary names in a folder and below."""
    return [
        f"left over: {path.name}"
        for path in folder.rglob("*")
        if path.name.lstrip(".").startswith("cinema-") and len(path.name) > 40
    ]


def whole_results(out: Path) -> str | None:
    """Every run.json vouches for files that are as they were written."""
    for run in sorted(out.glob("[!.]*/run.json")):
        changed = changed_output(run.parent, read_run(run))
        if changed:
            return f"{run.parent.name}/{changed} is not what run.json says"
    halves = [path for path in out.glob("[!.]*/measurements.json") if not (path.parent / "run.json").exists()]
    return f"{halves[0].parent.name} has results without run.json" if halves else None


def whole_store(out: Path) -> str | None:
    """Every stored study is whole."""
    try:
        for path in out.glob("[!.]*.cine"):
            open_study(path).check()
    except CinemaError as error:
        return str(error)
    return None


def whole_model(out: Path) -> str | None:
    """The model, where there is one, is whole."""
    try:
        if (out / "model").exists():
            check_hash(out / "model" / WEIGHTS_FILE, read_card(out / "model").weights_sha256)
    except CinemaError as error:
        return str(error)
    return None


if __name__ == "__main__":
    main()
