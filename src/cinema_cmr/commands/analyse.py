"""`cinema analyse`: from scans to reports."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.analyse_case import CaseResult, analyse_case
from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options import add_model_options, add_output_options, listed_inputs
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Subject
from cinema_cmr.io.names import unique_names
from cinema_cmr.io.output_folder import check_writable

__all__ = ["Session", "add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Inputs, output, model, and what is known of the subject."""
    parser.add_argument("inputs", nargs="*", help="DICOM folders, zips, NIfTI files or folders of them; each one study")
    parser.add_argument("--manifest", help="a file that lists inputs, one path a line or a CSV with a column 'path'")
    add_output_options(parser)
    add_model_options(parser)
    parser.add_argument("--height", type=float, help="cm; goes before what the files say")
    parser.add_argument("--weight", type=float, help="kg")
    parser.add_argument("--sex", choices=["F", "M"])
    parser.add_argument("--age", type=float, help="years")
    parser.add_argument("--heart-rate", type=float, help="beats a minute")
    parser.add_argument("--basal-rule", default="scmr", help="which basal LV slices count: scmr or all-slices")
    parser.add_argument("--phase-rule", default="own", help="own: each ventricle's own ED and ES; lv: those of the LV")
    parser.add_argument("--ed-frame", type=int, help="end-diastole, counted from 0, instead of finding it")
    parser.add_argument("--es-frame", type=int, help="end-systole, counted from 0")
    parser.add_argument(
        "--single-frame", action="store_true", help="measure a stack of one frame: volumes and mass, no EF"
    )
    parser.add_argument("--normal-ranges", help="a CSV or JSON table of normal ranges to be used instead of ours")
    parser.add_argument(
        "--disease",
        default="cinema-disease",
        help="which disease group the numbers resemble, for research: a model of `cinema disease`, or none",
    )
    parser.add_argument(
        "--long-axis",
        default="none",
        help="masks of the long-axis cines and biplane volumes, experimental: a segmentation model of them, or none",
    )
    parser.add_argument(
        "--landmarks",
        default="cinema-lax",
        help="mitral hinge points and apex of the 2- and 4-chamber cines, experimental: a landmark model, or none",
    )
    parser.add_argument("--strict", action="store_true", help="exit code 4 where a result is flagged")


def run(given: Namespace) -> int:
    """Analyse every input; the exit code is the first reason for trouble, or 0."""
    inputs = listed_inputs(given)
    output = Path(given.output)
    check_writable(output)
    names = unique_names(inputs)
    folders = [output] if len(inputs) == 1 else [output / name for name in names]
    options = _options(given)
    console = Console(as_json=given.json)
    session = Session(options)
    results = []
    for source, name, folder in zip(inputs, names, folders, strict=True):
        result = analyse_case(source, folder, name=name, session=session, overwrite=given.overwrite, console=console)
        results.append(result)
        console.result(result.text, result.document_line)
    if len(inputs) > 1:
        _write_index(results, output)
        console.note(f"index of all studies: {output / 'index.html'}")
    return _exit_code(results, strict=given.strict)


class Session:
    """Loads each model at the first study that needs it, once."""

    def __init__(self, options: Any) -> None:
        self.options = options

    @cached_property
    def segmenter(self) -> Any:
        """The loaded model."""
        from cinema_cmr.pipeline import prepare_segmenter

        return prepare_segmenter(self.options)

    @cached_property
    def long_axis(self) -> Any:
        """The loaded model of the long-axis views, or None where none is asked."""
        from cinema_cmr.pipeline import prepare_long_axis

        return prepare_long_axis(self.options)

    @cached_property
    def finder(self) -> Any:
        """The loaded landmark model, or None where none is asked."""
        from cinema_cmr.pipeline import prepare_finder

        return prepare_finder(self.options)


def _options(given: Namespace) -> Any:
    from cinema_cmr.measure.measure import MeasureOptions
    from cinema_cmr.pipeline import Options

    measure = MeasureOptions(
        basal_rule=given.basal_rule,
        phase_rule=given.phase_rule,
        ed_frame=given.ed_frame,
        es_frame=given.es_frame,
    )
    subject = Subject(
        sex=given.sex,
        age_years=given.age,
        height_cm=given.height,
        weight_kg=given.weight,
        heart_rate_bpm=given.heart_rate,
    )
    ranges = {} if given.normal_ranges is None else {"normal_ranges": _ranges(Path(given.normal_ranges))}
    return Options(
        model=given.model,
        device=given.device,
        precision=given.precision,
        tta=given.tta,
        subject=subject,
        single_frame=given.single_frame,
        disease=None if given.disease == "none" else given.disease,
        long_axis=None if given.long_axis == "none" else given.long_axis,
        landmarks=None if given.landmarks == "none" else given.landmarks,
        measure=measure,
        **ranges,
    )


def _ranges(path: Path) -> Any:
    from cinema_cmr.measure.normal_ranges import parse_normal_ranges

    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"table of normal ranges '{path.name}' cannot be read: {error}") from error
    return parse_normal_ranges(text, "json" if path.suffix == ".json" else "csv")


def _write_index(results: Sequence[CaseResult], output: Path) -> None:
    from cinema_cmr.report.index import write_index

    # The index is a view of the folder as it now is, so it is always written anew.
    write_index([result.row for result in results], output / "index.html", overwrite=True)


def _exit_code(results: Sequence[CaseResult], *, strict: bool) -> int:
    failed = [result.error.exit_code for result in results if result.error is not None]
    if failed:
        return failed[0]
    flagged = any(flag["severity"] != "info" for result in results for flag in result.row.flags)
    return 4 if strict and flagged else 0
