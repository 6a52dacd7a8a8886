"""The state of an installation in memory: what passed, what failed, and errors of the self-test."""

from __future__ import annotations

import pytest

from cinema_cmr.core.errors import InternalError
from cinema_cmr.pipeline.about import health
from cinema_cmr.pipeline.about.installation import InstallationCheck
from cinema_cmr.pipeline.about.self_test import SelfTest, SelfTestValue

GOOD = InstallationCheck(name="torch", state="ok", found="2.13")
ABSENT = InstallationCheck(name="extra [hub]", state="absent", found="pip install")
BAD = InstallationCheck(name="memory", state="failed", found="1 GB free")


def test_a_fault_is_named_and_an_absent_extra_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "check_installation", lambda: iter([GOOD, ABSENT]))
    reported: list[InstallationCheck] = []
    found = health.doctor(quick=True, report=reported.append)
    assert found.passed and found.checks == (GOOD, ABSENT) == tuple(reported) and found.self_test is None
    assert repr(found) == "Health(all is well)" and found._repr_html_().count("<tr>") == 3
    monkeypatch.setattr(health, "check_installation", lambda: iter([GOOD, BAD]))
    assert health.doctor(quick=True).faults == ("memory: 1 GB free",)


def test_the_self_test_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "check_installation", lambda: iter([GOOD]))
    value = SelfTestValue(name="lv_ef_percent", unit="%", found=40.0, expected=55.0, tolerance=1.0, truth=58.0)
    monkeypatch.setattr(
        "cinema_cmr.pipeline.about.self_test.run_self_test", lambda **_: SelfTest(values=(value,), seconds=1.0)
    )
    found = health.doctor()
    assert not found.passed and found.faults == ("self-test: lv_ef_percent is 40.0, expected 55.0",)

    def fail(**_: str) -> SelfTest:
        raise ZeroDivisionError

    monkeypatch.setattr("cinema_cmr.pipeline.about.self_test.run_self_test", fail)
    broken = health.doctor()
    assert isinstance(broken.error, InternalError) and isinstance(broken.error.__cause__, ZeroDivisionError)
    assert not broken.passed and broken.faults[0].startswith("self-test: ZeroDivisionError")
