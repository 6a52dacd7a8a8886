"""`cinema demo`: the bundled synthetic study from DICOM to report, and its true values."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.analyse_case import CaseTarget, analyse_case
from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.dataclass_options import option_values
from cinema_cmr.commands.options.shared_options import add_model_options, add_output_options
from cinema_cmr.pipeline.analysis_options import InferenceOptions, Options

__all__ = ["add_arguments", "run"]

_PRINTED = {
    "lv_ef_percent": ("LVEF", "%"),
    "lv_edv_ml": ("LV EDV", "ml"),
    "lv_esv_ml": ("LV ESV", "ml"),
    "lv_mass_g": ("LV mass", "g"),
    "rv_ef_percent": ("RVEF", "%"),
}


def add_arguments(parser: ArgumentParser) -> None:
    """Add the model and the output."""
    add_model_options(parser)
    add_output_options(parser)


def run(given: Namespace) -> int:
    """Analyse the demo study; a finished report is kept."""
    from cinema_cmr.phantom.demo import demo_path, demo_truth
    from cinema_cmr.pipeline.analyzer import Analyzer

    console = Console(as_json=given.json)
    result = analyse_case(
        demo_path(),
        CaseTarget(folder=Path(given.output), name="demo_study", overwrite=given.overwrite),
        analyzer=Analyzer(Options.of(**option_values(given, InferenceOptions))),
        console=console,
    )
    truth = {name: demo_truth()[name] for name in _PRINTED}
    text = ", ".join(f"{title} {truth[name]:.0f} {unit}" for name, (title, unit) in _PRINTED.items())
    console.result(f"{result.text}\n  truth of this synthetic heart: {text}", {**result.to_dict(), "truth": truth})
    return 0 if result.error is None else result.error.exit_code
