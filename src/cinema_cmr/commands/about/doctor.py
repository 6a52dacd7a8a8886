"""`cinema doctor`: what is installed and works, and a self-test with expected numbers; exit code 1 for a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.core.serialise import json_values
from cinema_cmr.pipeline.analysis_options import Device, Precision
from cinema_cmr.pipeline.installation import InstallationCheck, check_installation

if TYPE_CHECKING:
    from cinema_cmr.pipeline.self_test import SelfTest, SelfTestValue

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
    checks = []
    for check in check_installation():
        console.result(_line(check), {"kind": "check", **json_values(check)})
        checks.append(check)
    passed = all(check.state != "failed" for check in checks)
    if not given.quick:
        passed = _self_test(given, console) and passed
    console.result(f"{'all is well' if passed else 'faults were found'}", {"kind": "outcome", "passed": passed})
    return 0 if passed else 1


def _line(check: InstallationCheck) -> str:
    word = {"ok": "ok", "absent": "--", "failed": "FAILED"}[check.state]
    return f"{word:<7}{check.name}: {check.found}"


def _self_test(given: Namespace, console: Console) -> bool:
    """Run the self-test and print its numbers; return whether it passed."""
    console.note("self-test: the bundled synthetic heart at end-diastole and end-systole ...")
    try:
        from cinema_cmr.pipeline.self_test import run_self_test

        test = run_self_test(device=given.device, precision=given.precision)
    except Exception as error:  # of any kind: the test is there to find them
        reported = console.failure("self-test", error)
        console.result(f"FAILED self-test: {reported}", {"kind": "self-test", "passed": False, "error": str(reported)})
        return False
    document = {**json_values(test), "kind": "self-test", "passed": test.passed}
    console.result("\n".join(_self_test_lines(test)), document)
    return test.passed


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
