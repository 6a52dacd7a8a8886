"""Settings are refused before anything listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.receive import receiver_settings
from cinema_cmr.receive.receiver_settings import Peer, ReceiverSettings, check_network_extra


@pytest.mark.parametrize("text", ["ORTHANC@127.0.0.1:4242", "A B@pacs.example:104", "X@[::1]:1"])
def test_addresses_of_nodes(text: str) -> None:
    peer = Peer.parse(text)
    assert str(peer) == text.replace("[", "").replace("]", "")


@pytest.mark.parametrize(
    "text",
    ["", "ORTHANC", "127.0.0.1:4242", "A@host", "A@host:0", "A@host:70000", "A" * 17 + "@h:1", "A\\B@h:1", " @h:1"],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError, match="expected"):
        Peer.parse(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"ae_title": "a title of more than sixteen"},
        {"port": 0},
        {"port": None},
        {"host": "0.0.0.0"},
        {"quiet_s": 0.5},
        {"associations": 0},
        {"web_addresses": ("orthanc:8042",)},
        {"calling": ("",)},
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="expected"):
        ReceiverSettings(home=tmp_path, **changes)  # type: ignore[arg-type]


def test_beyond_the_loopback_address_the_senders_are_named(tmp_path: Path) -> None:
    settings = ReceiverSettings(home=tmp_path, host="0.0.0.0", calling=("SCANNER",))
    assert settings.calling == ("SCANNER",)
    assert ReceiverSettings(home=tmp_path, port=None, watched=tmp_path, host="0.0.0.0").port is None


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver_settings, "find_spec", lambda name: None if name == "dicomweb_client" else name)
    with pytest.raises(UsageError, match=r"'dicomweb-client' is not installed.*cinema-cmr\[dicom\]"):
        check_network_extra()
