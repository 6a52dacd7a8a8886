"""Whether the installation is whole: its checks, and a short analysis with expected numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cinema_cmr.core.errors import CinemaError, as_cinema_error
from cinema_cmr.pipeline.about.installation import InstallationCheck, check_installation

if TYPE_CHECKING:
    from cinema_cmr.pipeline.about.self_test import SelfTest

__all__ = ["Health", "doctor"]


@dataclass(frozen=True, kw_only=True)
class Health:
    """What is installed and works."""

    checks: tuple[InstallationCheck, ...]
    self_test: SelfTest | None = None
    """None where it was left out, or failed."""
    error: CinemaError | None = None
    """Error of the self-test."""

    @property
    def passed(self) -> bool:
        """Whether no check and no value failed; an extra that is absent is no fault."""
        sound = self.error is None and (self.self_test is None or self.self_test.passed)
        return sound and all(check.state != "failed" for check in self.checks)

    @property
    def faults(self) -> tuple[str, ...]:
        """What failed, a line each, with what to do."""
        lines = [f"{check.name}: {check.found}" for check in self.checks if check.state == "failed"]
        lines += [f"self-test: {self.error}"] if self.error is not None else []
        values = () if self.self_test is None else self.self_test.values
        lines += [f"self-test: {one.name} is {one.found}, expected {one.expected}" for one in values if not one.passed]
        return tuple(lines)

    def __repr__(self) -> str:
        return f"Health({'; '.join(self.faults) or 'all is well'})"

    def _repr_html_(self) -> str:
        from cinema_cmr.report.notebook import rows_html

        return rows_html(("State", "Check", "Found"), ((one.state, one.name, one.found) for one in self.checks))


def doctor(
    *,
    quick: bool = False,
    device: str = "auto",
    precision: str = "auto",
    report: Callable[[InstallationCheck], None] | None = None,
) -> Health:
    """Check packages, device, memory and models, and analyse a synthetic heart whose numbers are known.

    `quick` leaves that self-test out, which takes about 20 seconds. `report` receives each check as it is made. Nothing
    is raised for a fault: see `.passed` and `.faults`.
    """
    checks = []
    for check in check_installation():
        checks.append(check)
        if report is not None:
            report(check)
    if quick:
        return Health(checks=tuple(checks))
    try:
        from cinema_cmr.pipeline.about.self_test import run_self_test

        return Health(checks=tuple(checks), self_test=run_self_test(device=device, precision=precision))
    except Exception as error:  # of any kind: the test is there to find them
        reported = as_cinema_error(error)
        if reported is not error:
            reported.__cause__ = error
        return Health(checks=tuple(checks), error=reported)
