"""Settings of the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.serve.server_settings import ServeSettings


def test_each_server_has_its_own_token_that_no_repr_shows() -> None:
    one, other = ServeSettings(home=Path("h")), ServeSettings(home=Path("h"))
    assert one.token != other.token and len(one.token) >= 40
    assert one.token not in repr(one)


def test_names_of_the_server_are_loopback_names_with_the_port() -> None:
    settings = ServeSettings(home=Path("h"), port=9000)
    assert settings.hosts == {"127.0.0.1:9000", "localhost:9000"}
    assert settings.origins == {"http://127.0.0.1:9000", "http://localhost:9000"}
    assert settings.cookie != ServeSettings(home=Path("h"), port=9001).cookie


@pytest.mark.parametrize("port", [0, -1, 70000])
def test_impossible_ports_are_refused(port: int) -> None:
    with pytest.raises(UsageError, match="port"):
        ServeSettings(home=Path("h"), port=port)
