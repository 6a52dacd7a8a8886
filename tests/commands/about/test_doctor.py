"""`cinema doctor`: what it prints, and exit code 1 for any fault."""

from __future__ import annotations

import json

import pytest

from cinema_cmr.cli import main
from cinema_cmr.pipeline.about import health
from cinema_cmr.pipeline.about.installation import InstallationCheck
from cinema_cmr.pipeline.about.self_test import SelfTest, SelfTestValue


def value(found: float | None) -> SelfTestValue:
    return SelfTestValue(name="lv_ef_percent", unit="%", found=found, expected=55.0, tolerance=1.0, truth=58.0)


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = (
        InstallationCheck(name="torch", state="ok", found="2.13"),
        InstallationCheck(name="extra [hub]", state="absent", found="pip install 'cinema-cmr[hub]'"),
    )
    monkeypatch.setattr(health, "check_installation", lambda: iter(checks))


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize(("found", "code"), [(55.5, 0), (57.0, 1), (None, 1)])
def test_numbers_decide_the_exit_code(
    found: float | None, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    test = SelfTest(values=(value(found),), seconds=2.0)
    monkeypatch.setattr("cinema_cmr.pipeline.about.self_test.run_self_test", lambda **_: test)
    assert main(["doctor"]) == code
    printed = capsys.readouterr().out
    assert "expected 55 ± 1" in printed and ("differs" in printed) == bool(code)
    assert main(["doctor", "--json"]) == code
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1] == {"kind": "outcome", "passed": not code}
    assert [line["kind"] for line in lines] == ["check", "check", "self-test", "outcome"]


@pytest.mark.usefixtures("_installed")
def test_a_self_test_that_fails_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: str) -> SelfTest:
        raise OSError(13, "no permission")

    monkeypatch.setattr("cinema_cmr.pipeline.about.self_test.run_self_test", fail)
    assert main(["doctor"]) == 1
    assert "FAILED self-test: no permission" in capsys.readouterr().out


def test_a_fault_of_the_installation_is_enough(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = InstallationCheck(name="torch", state="failed", found="cannot be imported")
    monkeypatch.setattr(health, "check_installation", lambda: iter([fault]))
    assert main(["doctor", "--quick"]) == 1
    assert "FAILED torch: cannot be imported" in capsys.readouterr().out
