"""What of uvicorn is relied on here though it is private: a release that changes it fails in these words."""

from __future__ import annotations

import ast
import inspect
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from tidings.api import connection, cycle

ROOT = Path(__file__).resolve().parents[3]
OVERRIDDEN = {
    HttpToolsProtocol: {
        "connection_made": ("transport",),
        "data_received": ("data",),
        "on_response_complete": (),
        "on_message_begin": (),
        "on_headers_complete": (),
        "on_body": ("body",),
        "on_message_complete": (),
    },
    RequestResponseCycle: {"send": ("message",)},
}
"""The methods that ours stand in for, with their parameters."""
USED = {
    HttpToolsProtocol: {
        "_start_asgi_task", "app", "access_logger", "connections", "cycle", "expect_100_continue", "flow", "headers",
        "logger", "parser", "pipeline", "scope", "server_state", "timeout_keep_alive", "transport", "url",
    },
    RequestResponseCycle: {
        "body", "default_headers", "disconnected", "flow", "keep_alive", "message_event", "more_body", "on_response",
        "response_complete", "response_started", "scope", "transport",
    },
}  # fmt: skip
"""What ours read, set or call of what theirs set up."""
MADE_WITH = (
    "scope", "transport", "flow", "logger", "access_logger", "access_log", "default_headers", "message_event",
    "expect_100_continue", "keep_alive", "on_response",
)  # fmt: skip
"""The parameters of a cycle."""
OURS = {HttpToolsProtocol: (connection, "Connection"), RequestResponseCycle: (cycle, "Cycle")}


def test_the_release_of_uvicorn_that_is_installed_is_one_that_is_allowed() -> None:
    assert version("uvicorn") in bound(), "an untested uvicorn: see docs/decisions/0019-own-connection.md"


def test_a_release_of_uvicorn_that_nobody_tested_is_not_taken() -> None:
    major, minor, *_ = map(int, version("uvicorn").split("."))
    assert f"{major}.{minor + 1}.0" not in bound()


def bound() -> SpecifierSet:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    [found] = (each for each in map(Requirement, wanted) if each.name == "uvicorn")
    return found.specifier


@pytest.mark.parametrize("theirs", OVERRIDDEN)
def test_every_method_that_ours_stand_in_for_is_there_with_the_same_parameters(theirs: type) -> None:
    for name, parameters in OVERRIDDEN[theirs].items():
        assert hasattr(theirs, name), f"uvicorn's {theirs.__name__} has no {name} any more"
        there = tuple(inspect.signature(getattr(theirs, name)).parameters)[1:]
        assert there == parameters, f"uvicorn calls {theirs.__name__}.{name} with {there}"


@pytest.mark.parametrize("theirs", USED)
def test_every_attribute_that_ours_use_is_set_up(theirs: type) -> None:
    there = {*dir(theirs), *attributes(ast.parse(inspect.getsource(theirs)))}
    assert USED[theirs] <= there, f"uvicorn's {theirs.__name__} has no {sorted(USED[theirs] - there)} any more"


@pytest.mark.parametrize("theirs", OURS)
def test_nothing_else_of_uvicorn_is_used(theirs: type) -> None:
    module, name = OURS[theirs]
    ours = getattr(module, name)
    used = attributes(ast.parse(inspect.getsource(ours)))
    theirs_only = {*dir(theirs), *attributes(ast.parse(inspect.getsource(theirs)))} - set(dir(object))
    own = {each for each in vars(ours) if each not in OVERRIDDEN[theirs]}
    assert (used & theirs_only) - own - set(OVERRIDDEN[theirs]) == USED[theirs]


def attributes(tree: ast.AST) -> set[str]:
    """Return what is read or set of `self`."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }


def test_what_else_is_taken_from_its_modules_is_there() -> None:
    assert tuple(inspect.signature(RequestResponseCycle).parameters) == MADE_WITH
    assert httptools_impl.STATUS_LINE[200] == b"HTTP/1.1 200 OK\r\n"
    assert {"pause_reading", "resume_reading"} <= set(dir(FlowControl))
    assert "write_paused" in attributes(ast.parse(inspect.getsource(FlowControl)))
    assert "waiting_for_100_continue" in attributes(ast.parse(inspect.getsource(RequestResponseCycle)))
    assert hasattr(ServerState(), "tasks")
