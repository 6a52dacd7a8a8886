"""`cinema doctor`: what is installed and works, and a self-test with expected numbers; exit code 1 for a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.core.serialise import json_values
from cinema_cmr.pipeline.about.health import Health, doctor
from cinema_cmr.pipeline.about.installation import InstallationCheck
from cinema_cmr.pipeline.analysis_options import Device, Precision

if TYPE_CHECKING:
    from cinema_cmr.pipeline.about.self_test import SelfTest, SelfTestValue

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the device of the self-test, and the way to leave the test out."""
    parser.add_argument("--quick", action="store_true", help="leave out the self-test, which takes about 20 seconds")
    parser.add_argument("--device", choices=get_args(Device), default="auto", help="device of the self-test")
    parser.add_argument("--precision", choices=get_args(Precision), default="auto", help="precision of the self-test")
    parser.add_argument("--json", action="store_true", help="print one JSON document per check")


def run(given: Namespace) -> int:
    """Print the checks as they are made; return 1 if one failed."""
    console = Console(as_json=given.json)

    def show(check: InstallationCheck) -> None:
        console.result(_line(check), {"kind": "check", **json_values(check)})

    if not given.quick:
        console.note("a self-test on the bundled synthetic heart follows the checks ...")
    health = doctor(quick=given.quick, device=given.device, precision=given.precision, report=show)
    _show_self_test(health, console)
    console.result(
        "all is well" if health.passed else "faults were found", {"kind": "outcome", "passed": health.passed}
    )
    return 0 if health.passed else 1


def _line(check: InstallationCheck) -> str:
    word = {"ok": "ok", "absent": "--", "failed": "FAILED"}[check.state]
    return f"{word:<7}{check.name}: {check.found}"


def _show_self_test(health: Health, console: Console) -> None:
    """Print the numbers of the self-test, or its error."""
    if health.error is not None:
        console.failure("self-test", health.error)
        document = {"kind": "self-test", "passed": False, "error": str(health.error)}
        console.result(f"FAILED self-test: {health.error}", document)
    if health.self_test is not None:
        document = {**json_values(health.self_test), "kind": "self-test", "passed": health.self_test.passed}
        console.result("\n".join(_self_test_lines(health.self_test)), document)


def _self_test_lines(test: SelfTest) -> list[str]:
    word = "ok" if test.passed else "FAILED"
    n_passed = sum(value.passed for value in test.values)
    lines = [f"{word:<7}self-test: {test.seconds:.1f} s, {n_passed} of {len(test.values)} values as expected"]
    return [*lines, *(_value_line(value) for value in test.values)]


def _value_line(value: SelfTestValue) -> str:
    found = "nothing" if value.found is None else f"{value.found:.1f}"
    mark = "" if value.passed else "  <- differs"
    return (
        f"         {value.name}: {found} {value.unit}; expected {value.expected:g} ± {value.tolerance:g},"
        f" truth of this heart {value.truth:.1f}{mark}"
    )
