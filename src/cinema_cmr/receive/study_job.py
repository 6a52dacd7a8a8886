"""The process of one received study: its results, and the DICOM objects of them that are sent back."""

from __future__ import annotations

import sys
from pathlib import Path

from cinema_cmr.serve.jobs import RESULTS, has_results
from cinema_cmr.serve.worker import analyse_job, job_source, main

__all__ = ["OBJECTS", "analyse_and_export", "has_objects"]

OBJECTS = "dicom"
"""Folder of the written objects, in a job's folder; it is complete from its first moment."""


def analyse_and_export(folder: Path) -> None:
    """Analyse the images of a job and write its objects; what is finished is kept.

    Raises as `serve.worker.analyse_job` and `interop.export.export_analysis` do.
    """
    from cinema_cmr.interop.export import export_analysis
    from cinema_cmr.pipeline.stored_analysis import read_analysis

    analyse_job(folder)
    if has_objects(folder):
        return
    source, results = job_source(folder), folder / RESULTS
    export_analysis(read_analysis(results, source), source, folder / OBJECTS, report=results / "report.html")


def has_objects(folder: Path) -> bool:
    """Whether the folder of a job holds its results and all objects of them."""
    return has_results(folder) and (folder / OBJECTS).is_dir()


if __name__ == "__main__":
    sys.exit(main(sys.argv, analyse_and_export))
