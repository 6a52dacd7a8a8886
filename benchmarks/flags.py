"""Which flags catch wrong results, and how many sound ones they hit: a table over evaluation folders.

    cinema evaluate --data acdc:ROOT --part train -o FIT/acdc      (likewise kaggle:ROOT, and --part validation)
    python benchmarks/flags.py --change FIT/changed --data acdc:ROOT kaggle:ROOT --every 5 24
    python benchmarks/flags.py fit=FIT/acdc changed=FIT/changed validation=VAL/acdc [--store NAME]

The second line spoils each Nth training case in five ways, so that there are wrong results to catch; EF is compared
with that of the case before the change. The third prints the table and, with `--store`, keeps it in
benchmarks/results/flags.json. Wrong: Dice of a drawn structure under 0.8 in a labelled frame, EF more than 10 points
off, or no EF.
For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cinema_cmr.bench.perturb import Scan, perturbed
from cinema_cmr.bench.robustness import scan_of
from cinema_cmr.core.serialise import json_text, json_values
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.datasets.registry import DATASETS
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.io.atomic import write_text
from cinema_cmr.models.weights import load_model
from cinema_cmr.tasks.evaluator import PredictionOptions
from cinema_cmr.tasks.mask_scores import score_stack
from cinema_cmr.tasks.registry import create_evaluator

RESULTS = Path(__file__).parent / "results" / "flags.json"
CHANGES = ("noise-30", "blur-8mm", "field-cut", "breathing", "inverted")
LOW_DICE, MAX_EF_POINTS = 0.8, 10.0
EF = ("lv_ef_percent", "rv_ef_percent")
EDGE = {"heart-exceeds-image"}
Row = Mapping[str, Any]


def failure(row: Row) -> str | None:
    """Return what is wrong with a result, in words; None for a sound one."""
    dice = [v for f in row["frames"] for k, v in f.items() if k in ("dice_lv", "dice_myo", "dice_rv") and v is not None]
    if dice and min(dice) < LOW_DICE:
        return f"Dice {min(dice):.2f}"
    for name in EF:
        found, wanted = row["measured"].get(name), row["reference"].get(name)
        if wanted is not None and (found is None or abs(found - wanted) > MAX_EF_POINTS):
            return f"{name} {found} for {wanted}"
    return None


def raised(row: Row) -> set[str]:
    """Return the codes above info."""
    return {flag["code"] for flag in row["flags"] if flag["severity"] != "info"}


def counted(rows: Sequence[Row]) -> dict[str, Any]:
    """Return how many wrong and sound results are flagged, in all and by flag; `alone`: by no other flag."""
    wrong, sound = ([raised(row) for row in rows if (failure(row) is None) is kind] for kind in (False, True))
    codes = sorted(set().union(*wrong, *sound))
    flagged_sound = [found for found in sound if found]
    return {
        "wrong": len(wrong),
        "wrong_flagged": sum(map(bool, wrong)),
        "sound": len(sound),
        "sound_flagged": len(flagged_sound),
        "sound_flagged_but_for_the_edge": sum(bool(found - EDGE) for found in sound),
        "warnings_of_a_flagged_sound_result": sum(map(len, flagged_sound)) / max(1, len(flagged_sound)),
        "flags": {
            code: {
                "wrong": sum(code in found for found in wrong),
                "wrong_alone": sum(found == {code} for found in wrong),
                "sound": sum(code in found for found in sound),
                "sound_alone": sum(found == {code} for found in sound),
            }
            for code in codes
        },
    }


def table(groups: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the groups as Markdown: one line each, then one a flag."""
    lines = [
        "| | wrong, flagged | sound, flagged | but for the image's edge | warnings of a flagged sound result |",
        "|---|---|---|---|---|",
    ]
    for name, its in groups.items():
        shares = (("wrong_flagged", "wrong"), ("sound_flagged", "sound"), ("sound_flagged_but_for_the_edge", "sound"))
        cells = " | ".join(f"{its[part]} of {its[whole]}" for part, whole in shares)
        lines.append(f"| {name} | {cells} | {its['warnings_of_a_flagged_sound_result']:.1f} |")
    lines += ["", "| flag: wrong and sound results | " + " | ".join(groups) + " |", "|---" * (len(groups) + 1) + "|"]
    for code in sorted({code for its in groups.values() for code in its["flags"]}):
        of_groups = [its["flags"].get(code, {"wrong": 0, "sound": 0}) for its in groups.values()]
        lines.append(f"| `{code}` | " + " | ".join(f"{one['wrong']}, {one['sound']}" for one in of_groups) + " |")
    return "\n".join(lines)


def spoilt_cases(data: Sequence[str], every: Sequence[int]) -> Iterator[tuple[AnnotatedStudy, AnnotatedStudy, str]]:
    """Yield each Nth training case (not of Kaggle's numbers that end in 0), whole and after each change."""
    for source, step in zip(data, every, strict=True):
        name, root = source.split(":", 1)
        split = DATASETS[name].split
        cases = [case for case in DATASETS[name].list_cases(Path(root)) if case.facts.get("part") != "validation"]
        if split is not None and (wanted := split()):
            cases = [case for case in cases if case.patient in wanted["train"]]
        for case in cases[::step]:
            annotated = DATASETS[name].read_case(case)
            for change in CHANGES:
                yield annotated, spoilt(annotated, change), change


def spoilt(annotated: AnnotatedStudy, change: str) -> AnnotatedStudy:
    """Return a study of the labelled frames alone, changed; the same case and change give the same images."""
    scan: Scan = perturbed(scan_of(annotated), change, seed=zlib.crc32(f"{annotated.patient} {change}".encode()))
    frames = annotated.labelled_frames[View.SAX]
    labels = replace(annotated.labels[View.SAX].select(frames), array=scan.labels)
    return replace(
        annotated,
        study=replace(annotated.study, cines=(scan.cine,)),
        labels={View.SAX: labels},
        labelled_frames={View.SAX: tuple(range(len(frames)))},
    )


def write_changed(folder: Path, data: Sequence[str], every: Sequence[int], model: str) -> None:
    """Predict and score the spoilt cases as `cinema evaluate` does; EF is compared with that before the change."""
    evaluator = create_evaluator(load_model(model), choose_runtime("cpu", "auto"), PredictionOptions())
    rows = []
    for whole, changed, change in spoilt_cases(data, every):
        result = evaluator.evaluate(changed)
        labels = whole.labels[View.SAX].select(whole.labelled_frames[View.SAX])
        reference = score_stack(whole, labels).reference
        result = replace(result, study=f"{changed.study.name} {change}", reference=reference, labels=None)
        rows.append(json_values(result))
        print(result.study, failure(rows[-1]), sorted(raised(rows[-1])), flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "scores.json", json_text({"model": model, "patients": rows}), overwrite=True)


def main() -> None:
    """Spoil and score cases, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", metavar="NAME=FOLDER", help="evaluations; those of a name are one group")
    parser.add_argument("--change", type=Path, help="folder for the scores of spoilt cases")
    parser.add_argument("--data", nargs="+", default=[], help="acdc:ROOT kaggle:ROOT, with --change")
    parser.add_argument("--every", nargs="+", type=int, default=[5, 24], help="each Nth training case of each")
    parser.add_argument("--model", default="cinema-sax")
    parser.add_argument("--store", metavar="NAME", help="keep the table by this name in benchmarks/results/")
    given = parser.parse_args()
    if given.change:
        write_changed(given.change, given.data, given.every[: len(given.data)], given.model)
        return
    rows: dict[str, list[Row]] = {}
    for name, folder in (argument.split("=", 1) for argument in given.folders):
        rows.setdefault(name, []).extend(json.loads((Path(folder) / "scores.json").read_text("utf-8"))["patients"])
    groups = {name: counted(its) for name, its in rows.items()}
    print(table(groups))
    if given.store:
        known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
        write_text(RESULTS, json_text({**known, given.store: groups}), overwrite=True)


if __name__ == "__main__":
    main()
