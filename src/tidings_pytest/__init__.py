"""The fixture `scenario` for pytest. It stands beside the package, so that pytest loads it without loading tidings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tidings import App
    from tidings.testing import Scenario

_FAILED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Name the application in pytest's settings, and the seed on its command line."""
    parser.addini("tidings_app", "the application that `scenario` tests, as `tidings run` is given it: module:app")
    group = parser.getgroup("tidings")
    group.addoption("--tidings-seed", type=int, default=0, metavar="N", help="what chance in `scenario` follows from")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Note that a test failed: what it has not looked at any more is then no news."""
    report = yield
    if call.excinfo is not None:
        item.stash[_FAILED] = True
    return report


@pytest.fixture
def tidings_app(request: pytest.FixtureRequest) -> App:
    """The application under test: what the setting `tidings_app` names. Override it to test another one."""
    from tidings.cli.loading import load_app
    from tidings.errors import TidingsError

    name = str(request.config.getini("tidings_app") or "")
    if not name:
        raise pytest.UsageError(
            'which application? Write tidings_app = "module:app" into pytest\'s settings ([tool.pytest.ini_options] of '
            "pyproject.toml), or a fixture named tidings_app that returns it"
        )
    root = str(request.config.rootpath)
    if root not in sys.path:
        sys.path.insert(0, root)
    try:
        return load_app(name)
    except TidingsError as error:
        raise pytest.UsageError(f"tidings_app: {error}") from None


@pytest.fixture
def scenario(tidings_app: App, request: pytest.FixtureRequest) -> Iterator[Scenario]:
    """A new life of `tidings_app` in memory: see `tidings.testing.Scenario`."""
    from tidings.testing import Scenario

    story = Scenario(tidings_app, seed=request.config.getoption("--tidings-seed"))
    try:
        yield story
    finally:
        story.close(look=not request.node.stash.get(_FAILED, False))
