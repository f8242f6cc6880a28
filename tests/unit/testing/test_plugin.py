"""The fixture as a user's project has it: pytest run as a program, in a folder with an application."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAM = """
from tidings import App, Context, Service, event

@event("order-placed", subject="order_id")
class OrderPlaced:
    order_id: str

service = Service("shop")

@service.view(key=("order_id",))
class Order:
    order_id: str

@service.fold(Order, OrderPlaced)
def placed(row: Order | None, event: OrderPlaced) -> Order:
    return Order(event.order_id)

@service.on(OrderPlaced)
async def refuse(event: OrderPlaced, ctx: Context) -> None:
    if event.order_id == "bad":
        raise ValueError("no such thing")

app = App(service)
"""
PASSES = """
from shop import Order, OrderPlaced

def test_an_order(scenario):
    scenario.when(OrderPlaced("1"))
    assert scenario.rows(Order) == [Order("1")]
"""
SETTINGS = "[pytest]\ntidings_app = shop:app\n"


@dataclass(frozen=True)
class Project:
    folder: Path

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")

    def pytest(self, *arguments: str, alone: bool = True) -> tuple[int, str]:
        """`alone`: without the other plugins that are installed here, which take longest to load."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("TIDINGS", "PYTEST"))}
        if alone:
            environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
            arguments = ("-p", "tidings_pytest", *arguments)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.write("shop.py", PROGRAM)
    made.write("pytest.ini", SETTINGS)
    return made


def test_the_application_is_named_in_the_settings_and_found_from_the_root(project: Project) -> None:
    inside = "def test_an_order(scenario):\n    from shop import OrderPlaced\n\n    scenario.when(OrderPlaced('1'))\n"
    project.write("tests/test_shop.py", inside)
    code, said = project.pytest()
    assert (code, "1 passed" in said) == (0, True), said


def test_the_application_is_what_a_fixture_of_the_name_returns(project: Project) -> None:
    project.write("pytest.ini", SETTINGS.replace("tidings_app = shop:app\n", ""))
    project.write("test_shop.py", PASSES)
    override = "import pytest\nimport shop\n\n@pytest.fixture\ndef tidings_app():\n    return shop.app\n"
    project.write("conftest.py", override)
    code, said = project.pytest()
    assert (code, "1 passed" in said) == (0, True), said


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ("", 'which application? Write tidings_app = "module:app"'),
        ("tidings_app = shop:ap\n", "did you mean shop:app?"),
        ("tidings_app = shp:app\n", "there is no module 'shp'"),
    ],
)
def test_an_application_that_cannot_be_found_is_told_in_one_line(project: Project, settings: str, hint: str) -> None:
    project.write("pytest.ini", SETTINGS.replace("tidings_app = shop:app\n", settings))
    project.write("test_shop.py", "def test_an_order(scenario):\n    pass\n")
    code, said = project.pytest()
    assert code == 1
    assert hint in said
    assert "Traceback" not in said


def test_a_failure_that_a_test_does_not_look_at_fails_it_unless_it_failed_anyway(project: Project) -> None:
    project.write(
        "test_shop.py",
        "from shop import OrderPlaced\n\n"
        "def test_unseen(scenario):\n    scenario.when(OrderPlaced('bad'))\n\n"
        "def test_failed(scenario):\n    scenario.when(OrderPlaced('bad'))\n    raise KeyError('other')\n\n"
        "def test_seen(scenario):\n    scenario.when(OrderPlaced('bad'))\n    assert scenario.dead_letters\n",
    )
    code, said = project.pytest()
    assert code == 1
    assert "1 failed, 2 passed, 1 error" in said
    assert "has not looked at scenario.dead_letters" in said


def test_the_line_that_is_shown_is_the_tests_own(project: Project) -> None:
    project.write(
        "test_shop.py",
        "from shop import OrderPlaced\n\ndef test_wrong(scenario):\n    scenario.then(OrderPlaced('1'))\n",
    )
    code, said = project.pytest("--tidings-seed", "7")
    assert code == 1
    assert ">       scenario.then(OrderPlaced('1'))" in said
    assert "(seed 7)" in said
    assert "scenario.py" not in said


def test_it_is_there_once_installed_and_a_run_that_does_not_use_it_does_not_load_tidings(project: Project) -> None:
    project.write(
        "test_else.py",
        "import sys\n\ndef test_it():\n"
        "    assert 'tidings_pytest' in sys.modules\n    assert 'tidings' not in sys.modules\n",
    )
    code, said = project.pytest(alone=False)
    assert code == 0, said
