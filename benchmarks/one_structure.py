"""Ten ACDC patients with the LV cavity alone drawn, against the same with all structures: does anything get lost?

    python benchmarks/one_structure.py --data acdc:ROOT [--steps 300] [--work FOLDER]

Both runs start from `cinema-sax` (which was trained on these patients) and are scored on the 20 validation patients, as
the start is. Where only the LV is drawn, the start stands in as the teacher of the others. Writes
results/one_structure.json. For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import gettempdir

from five_studies import CAVITY, OURS, write_lab

import cinema_cmr as cmr

RESULTS = Path(__file__).parent / "results" / "one_structure.json"
PATIENTS = tuple(f"patient{number:03d}" for number in (1, 3, 21, 22, 41, 42, 62, 63, 81, 85))
"""Two of each of the five groups, of the training part."""
START = "cinema-sax"
LABELS = {
    "lv": (CAVITY, {"codes": {"1": "lv"}}),
    "all": (OURS, {"codes": {"1": "rv", "2": "myo", "3": "lv"}}),
}


def main() -> None:
    """Learn from both, score, and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "cinema-one-structure")
    given = parser.parse_args()
    root = Path(given.data.partition(":")[2])
    models: dict[str, str] = {"start": START}
    for name, (codes, described) in LABELS.items():
        lab, run = given.work / name, given.work / f"{name}-run"
        write_lab(root, lab, PATIENTS, codes)
        (lab / "labels.json").write_text(json.dumps(described), encoding="utf-8")
        cmr.finetune("sax-unet", lab, run, start=START, steps=given.steps)
        models[name] = str(run / "model")
    found = {name: scores(given.data, model, given.work / f"{name}-scores") for name, model in models.items()}
    content = {"patients": len(PATIENTS), "steps": given.steps, "scores": found}
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(content, indent=1))


def scores(data: str, model: str, folder: Path) -> dict[str, float]:
    """Return the mean Dice of each structure over the validation patients."""
    cmr.evaluate(model, data, folder, overwrite=True)
    found = json.loads((folder / "scores.json").read_text(encoding="utf-8"))["scores"]
    return {name: round(score["value"], 4) for name, score in found.items() if name.startswith("dice_")}


if __name__ == "__main__":
    main()
