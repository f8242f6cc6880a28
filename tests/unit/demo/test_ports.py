"""At which ports the servers of the demonstration listen."""

from __future__ import annotations

import socket

import pytest

from tidings.demo import server
from tidings.demo.server import PORTS, free_port
from tidings.errors import OperatorError

GOING_OUT_FROM = 32_768
"""The lowest port that Linux gives to a connection that goes out; other systems begin higher."""


def test_no_connection_that_goes_out_can_have_taken_a_port_before_it_is_used() -> None:
    assert PORTS.stop <= GOING_OUT_FROM
    assert all(free_port() in PORTS for _ in range(20))


def test_a_port_at_which_somebody_listens_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(server, "PORTS", range(port, port + 1))
        with pytest.raises(OperatorError, match="is free"):
            free_port()
