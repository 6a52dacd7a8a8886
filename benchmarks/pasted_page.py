"""Paste the code blocks of a documentation page into a shell, one after the other, as a new user does.

    python benchmarks/pasted_page.py docs/first-report.md FOLDER [--replace OLD=NEW] [--skip TEXT] [--fails TEXT]

Commands run in FOLDER, line by line; blocks marked as Python run as one script each. Indented blocks that do not begin
with a command (what a program prints, contents of files) are not run, nor are `pip` lines: the environment is there.
`--skip` leaves out lines that hold a text (a server that does not end); lines that end with a text of `--fails` are
meant to fail. Prints each with its seconds, of the clock and of the processor; stops at an unexpected exit code.
For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

COMMANDS = ("cinema ", "python ", "printf ")


class Pasted(NamedTuple):
    """One line or script of a page, and what came of it."""

    text: str
    exit_code: int
    seconds: float
    processor_seconds: float
    printed: str


def pasteable(page: str) -> Iterator[tuple[str, bool]]:
    """Yield each line to paste, and each Python block as a whole, with whether it is Python."""
    for block in re.finditer(r"```python\n([\s\S]*?)```|((?:^ {4}.*\S.*\n?)+)", page, flags=re.M):
        if block[1] is not None:
            yield block[1], True
        elif block[2].strip().startswith((*COMMANDS, "pip ")):
            lines = re.sub(r"\\\n +", "", re.sub(r"^ {4}", "", block[2], flags=re.M)).splitlines()
            yield from ((re.split(r" {2,}(?=\S)", line)[0], False) for line in lines if line.startswith(COMMANDS))


def paste(
    page: Path,
    folder: Path,
    *,
    replace: Mapping[str, str] | None = None,
    skip: Sequence[str] = (),
    fails: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> Iterator[Pasted]:
    """Run a page in a folder; raise `RuntimeError` at the first line that does not end as it should."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **(variables or {})}
    for text, is_python in pasteable(page.read_text(encoding="utf-8")):
        if any(word in text for word in skip):
            continue
        for old, new in (replace or {}).items():
            text = re.sub(rf"(?<![\w-]){re.escape(old)}(?![\w-])", lambda _, new=new: new, text)  # noqa: PLW2901
        command = ["python", "-c", text] if is_python else ["bash", "-c", text]
        pasted = _run(text, command, folder, environment)
        yield pasted
        if bool(pasted.exit_code) != text.rstrip().endswith(tuple(fails)):
            raise RuntimeError(f"{page.name}: exit code {pasted.exit_code} of\n{text}\n{pasted.printed[-2000:]}")


def _run(text: str, command: list[str], folder: Path, environment: Mapping[str, str]) -> Pasted:
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    printed = done.stdout + done.stderr
    return Pasted(text, done.returncode, round(time.monotonic() - begun, 1), round(busy, 1), printed)


def main() -> int:
    """Paste one page, and print what each line took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("folder", type=Path, help="where the commands run")
    parser.add_argument("--replace", action="append", default=[], metavar="OLD=NEW")
    parser.add_argument("--skip", action="append", default=[], metavar="TEXT")
    parser.add_argument("--fails", action="append", default=[], metavar="TEXT")
    given = parser.parse_args()
    replace = dict(pair.split("=", 1) for pair in given.replace)
    total = 0.0
    try:
        for line in paste(given.page, given.folder, replace=replace, skip=given.skip, fails=given.fails):
            total += line.seconds
            head = line.text.strip().splitlines()[0]
            print(f"{line.seconds:7.1f} s, processor {line.processor_seconds:7.1f} s: {head}", flush=True)
            print(line.printed, file=sys.stderr)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{total:7.1f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
