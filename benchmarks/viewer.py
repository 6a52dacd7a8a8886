"""The study page in headless Chromium: frames a second, time from a correction to its number, time to open.

`python benchmarks/viewer.py [--seconds 5] [--chromium PATH]` makes the results of a synthetic study of 25 frames and 12
slices of 256 x 256 with a 4-chamber plane (true labels and landmarks stand for a model's), serves them, and stores
benchmarks/results/viewer.json. Corrections are strokes with the eraser and landmarks that are dragged. Aims: 25 frames
a second with outlines, a number within 300 ms, a study open within 1.5 s. Headless Chromium draws on the processor.
Other work on the machine slows all of it down: its load is stored, and the processor time of the browser for a frame
and of the server for a correction.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import HeartLocation, LandmarkPrediction, Prediction
from cinema_cmr.core.run_facts import RunFacts
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.measure import measure_masks
from cinema_cmr.phantom.phantom import make_phantom
from cinema_cmr.report.write import write_results

RESULTS = Path(__file__).parent / "results" / "viewer.json"
SIZE, SLICES, FRAMES, STROKES = 256, 12, 25, 12

FRAMES_DRAWN = """async (seconds) => {
  const page = cinemaPage, count = page.stage.count, started = performance.now();
  page.setPace(2);
  page.setPlaying(true);
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  page.setPlaying(false);
  return 1000 * (page.stage.count - count) / (performance.now() - started);
}"""
DRAWING_MS = """() => {
  const page = cinemaPage, times = [];
  for (let i = 0; i < 2 * page.total; i++) {
    page.frame = i % page.total;
    const started = performance.now();
    page.stage.draw();
    page.stage.context.getImageData(0, 0, 1, 1);
    times.push(performance.now() - started);
  }
  return times.slice(page.total);
}"""
"""Each time with a pixel read back, which waits until the drawing is done."""


DRAG = """async (number) => {
  const page = cinemaPage, view = "lax_4c", name = Object.keys(page.doc.points[view])[number % 3];
  const [x, y] = page.doc.points[view][name][number];
  const before = page.doc.points[view][name][number], after = [x + 1, y + 1];
  page.corrections.movePoints("moved a landmark", [{ view, name, frame: number, before, after }]);
  await page.corrections.sending;
}"""


def phantom_results(folder: Path) -> None:
    """Results of a phantom of the benchmark's size."""
    phantom = make_phantom(3, views=(View.SAX, View.LAX_4C), n_frames=FRAMES)
    cine, labels = phantom.study[View.SAX], phantom.labels[View.SAX]
    picked = np.linspace(0, cine.n_slices - 1, SLICES).round().astype(int)
    array, codes = (_fitted(one[:, :, picked]) for one in (cine.array, labels.array))
    cine = replace(cine, array=array, slice_positions_mm=np.arange(SLICES) * 8.0, source=None, sources=None)
    study = Study(name="phantom", cines=(cine, phantom.study[View.LAX_4C]))
    masks = {View.SAX: LabelMap(array=codes), View.LAX_4C: phantom.labels[View.LAX_4C]}
    predictions = {view: _as_predicted(view, one) for view, one in masks.items()}
    points = phantom.landmarks[View.LAX_4C]
    found = LandmarkPrediction(
        landmarks=points, confidence={name: np.ones(FRAMES) for name in points.points}, centre=(SIZE / 2, SIZE / 2)
    )
    run = RunFacts(model_name="truth", model_hash=None, device="cpu", precision="fp32", inference_settings="none")
    measured = measure_masks(study, masks, landmarks={View.LAX_4C: points})
    analysis = Analysis(
        study=study, predictions=predictions, measurements=measured, run=run, landmarks={View.LAX_4C: found}
    )
    write_results(analysis, folder, images=True)


def _as_predicted(view: View, labels: LabelMap) -> Prediction:
    """Labels as those of a model."""
    return Prediction(
        view=view,
        labels=labels,
        confidence=np.ones(FRAMES, np.float32),
        location=HeartLocation(centre=(SIZE / 2, SIZE / 2), method="given"),
        model="truth",
    )


def _fitted(array: np.ndarray) -> np.ndarray:
    """The array in a field of SIZE pixels a side."""
    part = array[:SIZE, :SIZE]
    return np.pad(part, [(0, SIZE - part.shape[0]), (0, SIZE - part.shape[1]), (0, 0), (0, 0)], mode="edge")


@contextmanager
def served(results: Path, home: Path) -> Iterator[str]:
    """The address of `cinema serve` in a process of its own."""
    command = [sys.executable, "-m", "cinema_cmr.cli", "serve", str(results), "--port", "8499", "--home", str(home)]
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["address"]
        finally:
            process.terminate()


def opened(page: Page) -> tuple[float, float]:
    """Open the study; return the ms until the first slice is drawn and until all are there."""
    page.locator("tbody tr").click()
    while not page.evaluate("Boolean(globalThis.cinemaPage?.stats.opened)"):
        time.sleep(0.02)
    return tuple(page.evaluate("[cinemaPage.stats.first, cinemaPage.stats.opened]"))


def processor_seconds() -> dict[str, float]:
    """Processor time of the server and of the browser, from the processes below this one (Linux)."""
    parents, used, names = {}, {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        name, values = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
        number = int(path.parent.name)
        parents[number], names[number] = int(values[1]), name
        used[number] = (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")
    total = {"server": 0.0, "browser": 0.0}
    for number, seconds in used.items():
        above = number
        while above in parents and above != os.getpid():
            above = parents[above]
        if above == os.getpid() and number != above:
            total["browser" if "chrom" in names[number] else "server"] += seconds
    return total


def strokes(page: Page) -> list[float]:
    """Erase at several places; return the ms from the end of each stroke to its number on the page."""
    page.keyboard.press("e")
    box = page.locator("canvas.stage").bounding_box()
    assert box is not None
    for number in range(STROKES):
        x, y = box["x"] + box["width"] * 0.45, box["y"] + box["height"] * (0.3 + 0.02 * number)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 30, y, steps=4)
        page.mouse.up()
        page.evaluate("cinemaPage.corrections.sending")
    page.keyboard.press("Escape")
    return list(page.evaluate("cinemaPage.stats.latency"))


def drags(page: Page) -> list[float]:
    """Drag landmarks by script, as a hand does; return the ms from the end of each drag to its number on the page."""
    page.evaluate("cinemaPage.stats.latency = []")
    for number in range(STROKES):
        page.evaluate(DRAG, number)
    return list(page.evaluate("cinemaPage.stats.latency"))


def measured(address: str, chromium: str, seconds: float) -> dict[str, object]:
    """All measurements in one browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.locator("tbody tr").wait_for()
        times = []
        for _ in range(3):
            times.append(opened(page))
            page.evaluate("location.hash = '#/'; globalThis.cinemaPage = null")
            page.locator("tbody tr").wait_for()
        opened(page)
        rate = page.evaluate(FRAMES_DRAWN, seconds)
        page.evaluate(DRAWING_MS)
        before = processor_seconds()
        drawing = page.evaluate(DRAWING_MS)
        between = processor_seconds()
        latency = strokes(page)
        after = processor_seconds()
        page.evaluate("new Promise((done) => setTimeout(done, 3000))")  # until all numbers of the last stroke are there
        at_rest = processor_seconds()
        moved = drags(page)
        dragged = processor_seconds()
        version = browser.version
        browser.close()
    return {
        "chromium": version,
        "frames_per_second": round(rate, 1),
        "drawing_ms": {"median": round(statistics.median(drawing), 2), "p95": round(np.percentile(drawing, 95), 2)},
        "number_after_stroke_ms": {"median": round(statistics.median(latency), 1), "worst": round(max(latency), 1)},
        "number_after_landmark_ms": {"median": round(statistics.median(moved), 1), "worst": round(max(moved), 1)},
        "strokes": len(latency),
        "landmarks": len(moved),
        "processor_ms": {
            "a_frame_in_the_browser": round(1000 * (between["browser"] - before["browser"]) / (2 * FRAMES), 1),
            "a_stroke_in_the_server": round(1000 * (after["server"] - between["server"]) / len(latency), 1),
            "a_landmark_in_the_server": round(1000 * (dragged["server"] - at_rest["server"]) / len(moved), 1),
        },
        "first_opening_ms": {"first_slice": round(times[0][0]), "all_slices": round(times[0][1])},
        "later_opening_ms": {"first_slice": round(times[-1][0]), "all_slices": round(times[-1][1])},
    }


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        phantom_results(Path(folder) / "results" / "phantom")
        with served(Path(folder) / "results", Path(folder) / "home") as address:
            found = measured(address, given.chromium, given.seconds)
    study = {"frames": FRAMES, "slices": SLICES, "size": SIZE}
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "load_average": round(os.getloadavg()[0], 1)}
    RESULTS.write_text(json.dumps({"study": study, **found, "machine": machine}, indent=2) + "\n", encoding="utf-8")
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
