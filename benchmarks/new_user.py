"""Time the way of a new user, by pasting from the pages, in an environment that holds the installed package alone.

    python benchmarks/new_user.py report --bin ENVIRONMENT/bin --nifti FILE
    python benchmarks/new_user.py five --bin ENVIRONMENT/bin
    python benchmarks/new_user.py labs --bin ENVIRONMENT/bin --acdc ACDC

`report` pastes docs/first-report.md with FILE in place of its study: at most 3 minutes from the file to the report.
`five` pastes the first section of docs/five-studies.md, five labelled studies to a model that is scored beside its
start, and `labs` the lab with codes of its own from the sections after it: at most 20 minutes. Seconds of the clock
and the processor, of each line and of all, are stored in benchmarks/results/new_user.json; packages were
installed before.
For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

from pasted_page import paste

from cinema_cmr.io.atomic import write_json

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results" / "new_user.json"
WAYS: dict[str, dict[str, Any]] = {
    "report": {
        "page": "first-report.md",
        "limit_s": 180,
        "skip": ("cinema demo", "cinema phantom", "serve", "views.csv"),
    },
    "five": {"page": "five-studies.md", "limit_s": 1200, "skip": ("labs", "lab-codes", "models/codes", "STUDY")},
    "labs": {
        "page": "five-studies.md",
        "limit_s": 1200,
        "skip": (
            "-o five",
            "--data five",
            "others",
            "cavity",
            "nrrd",
            "results",
            "lab-codes.cinema.zip",
            "list.csv",
            "STUDY",
        ),
        "fails": ("check labs/codes",),
    },
}
"""The page of each way, what is left out of it, and its limit in seconds."""


def timed(way: str, environment: Path, replace: dict[str, str]) -> dict[str, Any]:
    """Paste a page and return what each line took."""
    chosen = WAYS[way]
    outside = {"PATH": f"{environment}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": ""}
    lines = []
    with tempfile.TemporaryDirectory(prefix="new-user-") as folder:
        for line in paste(
            ROOT / "docs" / chosen["page"],
            Path(folder),
            replace=replace,
            skip=chosen["skip"],
            fails=chosen.get("fails", ()),
            variables=outside,
        ):
            print(f"{line.seconds:7.1f} s, processor {line.processor_seconds:7.1f} s: {line.text}", flush=True)
            print(line.printed, file=sys.stderr)
            text = line.text
            for old, new in replace.items():
                text = text.replace(new, old)
            lines.append({"line": text, "seconds": line.seconds, "processor_seconds": line.processor_seconds})
    sums = {name: round(sum(line[name] for line in lines), 1) for name in ("seconds", "processor_seconds")}
    load = round(os.getloadavg()[1], 1)
    return {**sums, "limit_s": chosen["limit_s"], "load": load, "python": platform.python_version(), "lines": lines}


def main() -> None:
    """Time one way and store it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--bin", type=Path, required=True, help="programs of the new environment")
    parser.add_argument("--nifti", type=Path, help="a short-axis cine of one's own")
    parser.add_argument("--acdc", type=Path, help="the unpacked training set of ACDC")
    given = parser.parse_args()
    replace = {"benchmarks/five_studies.py": str(ROOT / "benchmarks" / "five_studies.py")}
    if given.nifti:
        replace["phantom/subject-0000/images"] = str(given.nifti.resolve())
    if given.acdc:
        replace["ACDC"] = str(given.acdc.resolve())
    found = timed(given.way, given.bin.resolve(), replace)
    stored = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    write_json(RESULTS, {**stored, given.way: found}, overwrite=True)
    print(f"{found['seconds']} s of {found['limit_s']}, processor {found['processor_seconds']} s")


if __name__ == "__main__":
    main()
