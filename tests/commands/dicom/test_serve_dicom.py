"""`cinema serve-dicom`: its options become settings, and SIGTERM ends it cleanly."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pynetdicom")

from dicom_nodes import free_port
from scan_runs import call

from cinema_cmr.commands.command_table import command_parser
from cinema_cmr.commands.dicom import serve_dicom
from cinema_cmr.receive.receiver_settings import Peer, ReceiverSettings
from processes import running, until


def settings_of(*words: str | Path) -> ReceiverSettings:
    return serve_dicom._server(command_parser("serve-dicom").parse_args([str(word) for word in words])).settings


def test_options_become_settings(tmp_path: Path) -> None:
    settings = settings_of(
        *("--ae", "CMR", "--calling", "A", "--calling", "B", "--host", "0.0.0.0", "--home", tmp_path, "--quiet", "5"),
        *("--to", "PACS@10.0.0.1:104", "--to-web", "https://pacs.example/dicom-web", "--max-study", "0.5"),
    )
    assert settings == ReceiverSettings(
        home=tmp_path,
        ae_title="CMR",
        host="0.0.0.0",
        calling=("A", "B"),
        peers=(Peer(ae_title="PACS", host="10.0.0.1", port=104),),
        web_addresses=("https://pacs.example/dicom-web",),
        quiet_s=5.0,
        limits=settings.limits,
    )
    assert settings.limits.job_bytes == 500_000_000


def test_a_watched_folder_alone_opens_no_port(tmp_path: Path) -> None:
    assert settings_of("--watch", tmp_path).port is None
    assert settings_of("--watch", tmp_path, "--port", "104").port == 104
    assert settings_of().port == 11112


@pytest.mark.parametrize(
    "words", [("--to", "nowhere"), ("--host", "0.0.0.0"), ("--quiet", "0"), ("--ae", "x" * 17)], ids=lambda w: w[0]
)
def test_a_wrong_call_is_a_usage_error(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call("serve-dicom", *words) == 2
    assert "expected" in capsys.readouterr().err


@pytest.mark.medium
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_signal_ends_it_cleanly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cinema_cmr.cli", "serve-dicom", "--json", "--home", str(tmp_path / "home")]
    port = free_port()
    words = [*command, "--port", str(port)]
    with (tmp_path / "log").open("wb") as log, running(words, stdout=subprocess.PIPE, stderr=log) as server:
        until(lambda: b'"started"' in (tmp_path / "log").read_bytes())
        server.send_signal(signal.SIGTERM)
        printed, _ = server.communicate(timeout=60)
    assert server.returncode == 143
    assert json.loads(printed) == {"address": f"CINEMA@127.0.0.1:{port}"}
    lines = (tmp_path / "log").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["started", "stopped", "error"]
    assert not (tmp_path / "home/.cinema-lock").exists()
