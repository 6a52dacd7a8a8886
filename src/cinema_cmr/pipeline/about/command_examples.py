"""Examples of every command, to paste: for its help, the reference and other programs.

The first of each needs nothing but an installation: it begins in an empty folder, makes its own studies and ends in a
minute or two; a test pastes it. In the others words in capitals, and folders that no line makes, are the reader's.
A folder that several examples write is written by the same line, so that they can be pasted one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["EXAMPLES", "Example", "examples_text"]

_DEMO = "cinema demo -o demo"
_DICOM = "cinema phantom -n 1 --frames 12 --format dicom -o dicom"
_EIGHT = "cinema phantom -n 8 --frames 2 --views sax -o eight"
_HEARTS = "cinema phantom -n 5 --frames 2 --views sax -o hearts"
_RESULTS = "cinema analyse dicom/subject-0000/images -o results"
_STORE = "cinema prepare hearts/subject-*/images -o store"
_TABLES = "cinema population hearts/subject-*/images -o tables"


@dataclass(frozen=True, kw_only=True)
class Example:
    """Lines that are pasted together, and what they are for."""

    note: str
    """A sentence: what the lines do, and what they need beside the package."""
    lines: tuple[str, ...]


def _example(note: str, *lines: str) -> Example:
    return Example(note=note, lines=lines)


EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "analyse": (
        _example("A synthetic study, as a scanner writes it; then open results/report.html.", _DICOM, _RESULTS),
        _example("Many studies, two at a time, with an index page.", "cinema analyse STUDIES/* -o results --workers 2"),
        _example(
            "Sex, age, height and weight from a table, DICOM and FHIR objects beside each result (extra dicom).",
            "cinema analyse --manifest LIST.csv --dicom -o results",
        ),
    ),
    "remeasure": (
        _example(
            "The demo study, its papillary muscles counted as myocardium; the first results stay as they are.",
            _DEMO,
            "cinema remeasure demo --papillary-rule mass -o again",
        ),
        _example(
            "After RESULTS/segmentation/sax.nii.gz was corrected in an editor.", "cinema remeasure RESULTS --overwrite"
        ),
        _example(
            "Other frames, and the patient's size for indexed volumes.",
            "cinema remeasure RESULTS --ed-frame 0 --es-frame 9 --height 172 --weight 70 -o RESULTS_2",
        ),
    ),
    "compare": (
        _example(
            "The demo study by two rules for the papillary muscles; then open compared/compare.html.",
            _DEMO,
            "cinema remeasure demo --papillary-rule mass -o again",
            "cinema compare demo again --names blood mass -o compared",
        ),
        _example("Two visits of a patient.", "cinema compare RESULTS_2024 RESULTS_2025 --names 2024 2025 -o compared"),
    ),
    "population": (
        _example("Five synthetic studies; the same call goes on where it was cut off.", _HEARTS, _TABLES),
        _example(
            "Thousands of studies from a table with columns path, id, sex, age, ...; how far it is, from another"
            " terminal.",
            "cinema population --manifest STUDIES.csv -o DIR --workers 8",
            "cinema population -o DIR --status",
        ),
        _example(
            "On a SLURM cluster (extra slurm).",
            "cinema population --manifest STUDIES.csv -o DIR --engine slurm --jobs 50 --slurm partition=cpu",
        ),
    ),
    "cohort": (
        _example(
            "The page of five synthetic studies; then open cohort.html.",
            _HEARTS,
            _TABLES,
            "cinema cohort tables -o cohort.html",
        ),
        _example(
            "How the measurements go with columns of the manifest, and drift over the years.",
            "cinema cohort DIR -o cohort.html --facts group --facts site --time year",
        ),
    ),
    "segment": (
        _example(
            "A mask beside each of five synthetic images.",
            _HEARTS,
            "cinema segment hearts/subject-*/images/sax.nii.gz -o masks",
        ),
        _example(
            "Slower and a little better: four mirrored and rotated copies.", "cinema segment IMAGE --tta 4 -o masks"
        ),
    ),
    "export": (
        _example(
            "Segmentation, structured report, PDF and FHIR in results/dicom (extra dicom).",
            _DICOM,
            _RESULTS,
            "cinema export results --study dicom/subject-0000/images",
        ),
        _example("A segmentation of every frame.", "cinema export RESULTS --study STUDY --dicom-phases all -o objects"),
    ),
    "deidentify": (
        _example("A synthetic study.", _DICOM, "cinema deidentify dicom/subject-0000/images -o anonymous"),
        _example(
            "With a secret, so that the studies of one patient keep one replaced identity.",
            "cinema deidentify STUDY --key SECRET -o anonymous",
        ),
    ),
    "serve": (
        _example(
            "The demo study in the browser, until Ctrl-C (extra web).",
            _DEMO,
            "cinema serve demo",
        ),
        _example("All results in a folder, on another port.", "cinema serve RESULTS --port 8500"),
    ),
    "serve-dicom": (
        _example(
            "Receive on this computer alone, until Ctrl-C (extra dicom); results lie in ~/cinema-receiver.",
            "cinema serve-dicom",
        ),
        _example(
            "For a scanner, with the results sent to an archive.",
            "cinema serve-dicom --host 0.0.0.0 --calling SCANNER --to PACS@HOST:104",
        ),
        _example("Studies that are dropped into a folder.", "cinema serve-dicom --watch FOLDER"),
    ),
    "views": (
        _example("A synthetic study: every series with the reason.", _DICOM, "cinema views dicom/subject-0000/images"),
        _example(
            "Decisions of your own: write the table, edit it, use it.",
            "cinema views STUDY -o views.csv",
            "cinema analyse STUDY --views views.csv -o results",
        ),
    ),
    "demo": (_example("Then open demo/report.html.", _DEMO),),
    "finetune": (
        _example(
            "Five synthetic hearts and a small network, to see that it runs (extra train).",
            _HEARTS,
            "cinema finetune --data hearts --preset smoke --steps 5 -o run",
        ),
        _example(
            "Labelled studies of your own, from the bundled model, and what that start gained.",
            "cinema finetune --data FOLDER --from cinema-sax --compare-scratch -o run",
        ),
        _example(
            "A number in place of masks: any column of the folder's table, or a measurement.",
            "cinema finetune regress --data FOLDER --target lv_ef_percent -o run",
        ),
    ),
    "disease": (
        _example(
            "Twenty synthetic hearts of five groups.",
            "cinema phantom -n 20 --frames 2 --views sax -o groups",
            "cinema disease --data groups --experts-only -o disease",
        ),
        _example(
            "Studies of your own with a column group in their table; then use the model.",
            "cinema disease --data FOLDER -o disease",
            "cinema analyse STUDY --disease disease -o results",
        ),
    ),
    "evaluate": (
        _example(
            "The bundled model on five synthetic hearts; then open scores/page.html.",
            _HEARTS,
            "cinema evaluate --data hearts --part all -o scores",
        ),
        _example(
            "A model of your own beside another, on the studies that its run held out.",
            "cinema evaluate --data FOLDER --model cinema-sax --split RUN/split.json -o before",
            "cinema evaluate --data FOLDER --model RUN/model --against before -o after",
        ),
        _example("Masks of another program.", "cinema evaluate --data FOLDER --part all --predictions MASKS -o scores"),
    ),
    "datasets": (
        _example("The datasets that are supported, and how to get each.", "cinema datasets list"),
        _example(
            "What a folder holds: synthetic here, or your own.",
            _HEARTS,
            "cinema datasets check hearts",
        ),
        _example(
            "The same in the form of nnU-Net.", "cinema datasets export-nnunet FOLDER -o nnUNet_raw/Dataset501_lab"
        ),
    ),
    "weights": (
        _example("The models in the package, and published ones; needs no network.", "cinema weights list"),
        _example("Download a published model (extra hub).", "cinema weights pull NAME"),
        _example(
            "One file to give away; the other side checks it and uses it by its hash.",
            "cinema weights pack RUN/model -o lab.cinema.zip",
            "cinema weights verify lab.cinema.zip",
        ),
    ),
    "pretrain": (
        _example(
            "Five synthetic hearts and a tiny network, to see that it runs (extra train).",
            _HEARTS,
            _STORE,
            "cinema pretrain --data store --recipe tiny --steps 5 -o pretrained",
        ),
        _example(
            "Studies of your own without labels, on a GPU.",
            "cinema prepare STUDIES/* -o STORE --workers 8",
            "cinema pretrain --data STORE --recipe small -o run",
        ),
    ),
    "embed": (
        _example(
            "A row for each study and frame of five synthetic studies.",
            _HEARTS,
            "cinema embed hearts/subject-*/images -o features.csv",
        ),
        _example(
            "One vector a study, of the whole cycle and of the heart.",
            "cinema embed --manifest STUDIES.csv --model cinema-small-sax --cycle --heart -o vectors.csv",
        ),
    ),
    "rank": (
        _example("Two of five synthetic studies.", _HEARTS, "cinema rank hearts/subject-*/images -n 2 -o next.csv"),
        _example(
            "Eight more, beside those that are labelled.",
            "cinema rank --manifest STUDIES.csv --labelled LABELLED/* -n 8 -o next.csv",
        ),
    ),
    "reconstruct": (
        _example(
            "A synthetic study, three quarters of it masked; then open picture.png.",
            _HEARTS,
            "cinema reconstruct hearts/subject-0000/images -o picture.png",
        ),
        _example("By a model of your own.", "cinema reconstruct STUDY --model RUN/model -o picture.png"),
    ),
    "prepare": (
        _example("Five synthetic studies.", _HEARTS, _STORE),
        _example("Studies of your own, each a DICOM folder, zip or NIfTI.", "cinema prepare STUDIES/* -o STORE"),
    ),
    "bench": (
        _example(
            "One task on eight synthetic hearts with small networks; then open bench/page.html (extra train).",
            _EIGHT,
            "cinema bench --data eight --tasks segment-sax --models cinema-scratch,unet --preset smoke --steps 5"
            " -o bench",
        ),
        _example(
            "Every task that a dataset has labels for, on a GPU (extra bench).",
            "cinema bench --data acdc:FOLDER --from RUN/model --seeds 3 -o DIR",
        ),
    ),
    "sweep": (
        _example(
            "Half and all of six synthetic hearts, scored on two others; then open sweep/page.html (extra train).",
            _EIGHT,
            "cinema sweep segment-sax --data eight --models cinema-scratch,unet --shares 50,100 --seeds 1"
            " --preset smoke --steps 5 -o sweep",
        ),
        _example(
            "How many labelled patients are enough, on a CPU in some hours.",
            "cinema sweep segment-sax --data FOLDER --preset medium --from cinema-small-sax -o DIR",
        ),
        _example(
            "From 2 and 8 patients, each run until validation on 20 other training patients no longer improves.",
            "cinema sweep segment-sax --data acdc:FOLDER --preset medium --patience 5 --validate-every 250"
            " --choose-by 20 --patients 2,8 -o DIR",
        ),
    ),
    "phantom": (
        _example("Four studies of four views with masks, landmarks and true values.", "cinema phantom -n 4 -o cohort"),
        _example(
            "Dilated hearts as DICOM, as one kind of scanner shows them.",
            "cinema phantom -n 10 --group DCM --style biobank-1.5t --format dicom -o dilated",
        ),
    ),
    "doctor": (
        _example("Packages, extras, device and models; a second or two.", "cinema doctor --quick"),
        _example("With a self-test of half a minute.", "cinema doctor"),
    ),
    "info": (
        _example("In words.", "cinema info"),
        _example("Everything, for another program.", "cinema info --json"),
        _example("Complete commands and options in this bash.", "source <(cinema info --completion bash)"),
    ),
}
"""Command -> its examples, the first for a new installation."""


def examples_text(command: str) -> str:
    """Return the examples of a command as they stand below its options: each note as a shell's remark."""
    blocks = ("\n".join(_indented(one)) for one in EXAMPLES[command])
    return "examples:\n" + "\n\n".join(blocks)


def _indented(example: Example) -> Iterator[str]:
    yield f"  # {example.note}"
    yield from (f"  {line}" for line in example.lines)
