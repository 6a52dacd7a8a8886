"""A stand-in for `cinema_cmr.receive.study_job`: waits a moment, then writes results and three objects."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from threading import Thread

sys.path.extend(map(str, Path(__file__).parents[:2]))
from dicom_nodes import N_OBJECTS, file_bytes, result_object


def end_with_server() -> None:
    """End when the server does, as the true job."""
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """Finish the job in the last argument."""
    Thread(target=end_with_server, daemon=True).start()
    folder = Path(sys.argv[-1])
    names = sorted(path.name for path in (folder / "input").iterdir())
    time.sleep(float(os.environ.get("STUB_SECONDS", "0.05")))
    if os.environ.get("STUB_FAILS"):
        print('{"error": "no cine in the input"}', flush=True)
        sys.exit(3)
    (folder / "results").mkdir(exist_ok=True)
    for name in ("measurements.json", "run.json"):
        (folder / "results" / name).write_text("{}")
    draft = folder / ".draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    for number in range(N_OBJECTS):
        (draft / f"{number}.dcm").write_bytes(file_bytes(result_object(number, *names)))
    with (folder.parent.parent / "finished.log").open("a", encoding="ascii") as log:
        draft.rename(folder / "dicom")
        log.write(folder.name + "\n")


main()
