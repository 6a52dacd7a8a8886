"""The commands and what each does, in a line: for the command line, its reference and other programs."""

from __future__ import annotations

__all__ = ["COMMANDS"]

COMMANDS = {
    "analyse": "one or many studies: masks, volumes, EF, a report",
    "remeasure": "finished results measured again, with corrected masks, frames or rules",
    "compare": "two finished results beside each other: numbers, outlines, curves, what differs",
    "population": "tables of thousands of studies, on all cores or many machines",
    "cohort": "one page about a population: distributions, flags, failures, centiles",
    "segment": "one mask per image, on the image's own grid",
    "export": "finished results as DICOM segmentation, structured report and PDF, and as FHIR",
    "deidentify": "a DICOM study without identity, with what an analysis needs",
    "serve": "a local web application: see, correct and sign off results, and send new studies",
    "serve-dicom": "a DICOM node: receives studies, analyses them, sends the results back",
    "views": "the recognised views of a study, without measurements",
    "demo": "analyse the bundled synthetic study",
    "finetune": "train a model on labelled studies: masks, landmarks, a number or a class",
    "disease": "fit the disease-group model to measurements, and score it",
    "evaluate": "score a model on a labelled dataset, per patient, with intervals",
    "datasets": "list the supported datasets, and check the files of one",
    "weights": "list, show, fetch, import, export, narrow and check model weights",
    "pretrain": "train the masked autoencoder on prepared studies without labels",
    "embed": "features of studies from a pre-trained model, without labels",
    "rank": "which unlabelled studies to label next",
    "reconstruct": "a picture of a pre-trained model's reconstruction of a masked study",
    "prepare": "store studies for training, with access to single frames",
    "bench": "train and score every task with every suitable model: one table",
    "sweep": "data-efficiency curve of a task: fractions of the patients, seeds, starting weights",
    "phantom": "write synthetic studies with exact volumes, masks and landmarks",
    "doctor": "check the installation: packages, device, models, and a short self-test",
    "info": "models, measurements, views, flags and schemas for other programs; shell completion",
}
"""Command -> its summary, in the order of `cinema --help`."""
