"""A stand-in for `cinema_cmr.serve.worker`: waits a moment, then puts finished results into the job's folder."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from threading import Thread

SERIES = [
    {"series": "3", "description": "cine sax", "view": "sax", "use": True, "reason": "most slices"},
    {"series": "5", "description": "cine 4ch", "view": None, "use": False, "reason": "no view was recognised"},
]


def end_with_server() -> None:
    """End when the server does, as the true worker."""
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """Finish the job in the last argument from the results beside the queue's folder."""
    Thread(target=end_with_server, daemon=True).start()
    folder = Path(sys.argv[-1])
    home = folder.parent.parent
    names = [path.name for path in (folder / "input").rglob("*") if path.is_file()]
    print('{"stage": "segment", "done": 1, "total": 2}', flush=True)
    time.sleep(float(os.environ.get("STUB_SECONDS", "0.05")))
    if "broken.zip" in names:
        print('{"error": "the zip is damaged"}', flush=True)
        sys.exit(3)
    if json.loads((folder / "job.json").read_text())["choose_views"]:
        (folder / "series.json").write_text(json.dumps(SERIES))
        return
    draft = folder / ".draft"
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(home / "template", draft)
    with (home / "finished.log").open("a", encoding="ascii") as log:
        draft.rename(folder / "results")
        log.write(folder.name + "\n")


main()
