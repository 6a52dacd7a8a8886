"""`cinema serve`: its address, and errors before it listens."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from cinema_cmr.cli import main
from cinema_cmr.files.lock import folder_lock

pytest.importorskip("uvicorn")


def test_it_listens_on_loopback_and_prints_the_address_with_its_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    called: dict[str, object] = {}
    monkeypatch.setattr("uvicorn.run", lambda app, **given: called.update(given))
    assert main(["serve", "--home", str(tmp_path / "home"), "--port", "8500", "--json"]) == 0
    address = json.loads(capsys.readouterr().out)["address"]
    assert address.startswith("http://127.0.0.1:8500/?token=") and len(address) > 60
    assert (called["host"], called["port"], called["access_log"]) == ("127.0.0.1", 8500, False)


def test_wrong_calls_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("uvicorn.run", lambda app, **given: pytest.fail("it listens"))
    home = ["--home", str(tmp_path / "home")]
    assert main(["serve", str(tmp_path / "none"), *home]) == 3
    assert main(["serve", "--port", "0", *home]) == 2
    with folder_lock(tmp_path / "home"):
        assert main(["serve", *home]) == 3
    assert "in use" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", *home]) == 2
    assert "cinema-cmr[web]" in capsys.readouterr().err
