"""A project from `tidings new`, used as its README says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import pytest

FILES = [".gitignore", "README.md", "my_shop.py", "pyproject.toml", "tests/test_my_shop.py", "tidings.toml"]


def begin(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TIDINGS", "PYTEST"))}
    kept["PYTHONSAFEPATH"] = "1"  # a command's script does not have its folder among the paths, as `-m` would
    command = [sys.executable, "-m", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=kept, stdout=pipe, stderr=pipe, text=True)


def ended(folder: Path, *arguments: str) -> tuple[int, str, str]:
    process = begin(folder, *arguments)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def made(folder: Path) -> Path:
    code, _, err = ended(folder, "tidings", "new", "my-shop")
    assert (code, err) == (0, "")
    return folder / "my-shop"


def contents(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_new_project_passes_its_own_tests_at_once(tmp_path: Path) -> None:
    project = made(tmp_path)
    assert contents(project) == FILES
    code, out, err = ended(project, "pytest", "-p", "no:cacheprovider", "-p", "no:schemathesis")
    assert code == 0, out + err
    assert "2 passed" in out


def test_a_new_project_is_served_and_takes_an_event(tmp_path: Path) -> None:
    project = made(tmp_path)
    process = begin(project, "tidings", "run", "--port", "0", "--json")
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        url = json.loads(line)["url"]
        headers = {"ce-type": "order-placed", "content-type": "application/json"}
        body = json.dumps({"order_id": "7", "total": 300}).encode()
        put = urllib.request.Request(f"{url}/events/web/order-7", body, headers, method="PUT")
        with urllib.request.urlopen(put) as answer:
            assert answer.status == 201
        code, out, err = ended(project, "tidings", "log", "tail", "--json", "--type", "order-placed")
        assert (code, [each["event"]["id"] for each in json.loads(out)]) == (0, ["order-7"]), err
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0


def test_a_new_project_says_what_it_needs(tmp_path: Path) -> None:
    said = tomllib.loads((made(tmp_path) / "pyproject.toml").read_text("utf-8"))
    assert said["project"]["name"] == "my-shop"
    assert said["project"]["dependencies"] == ["tidings"]


def test_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    project = made(tmp_path)
    (project / "my_shop.py").write_text("mine", "utf-8")
    code, out, err = ended(tmp_path, "tidings", "new", "my-shop")
    assert (code, out) == (1, "")
    assert err == "tidings: my-shop is there already and not an empty folder: choose another name, or empty it\n"
    assert (project / "my_shop.py").read_text("utf-8") == "mine"


def test_a_project_that_is_installed_already_is_there_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = made(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(project))
    code, out, err = ended(tmp_path, "tidings", "new", "my-shop")
    assert (code, out) == (1, "")
    assert err == "tidings: my-shop is there already and not an empty folder: choose another name, or empty it\n"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "my-shop").mkdir()
    assert contents(made(tmp_path)) == FILES


def test_a_folder_that_a_link_leads_to_is_taken(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "my-shop").symlink_to("elsewhere")
    assert contents(made(tmp_path)) == FILES
    assert (tmp_path / "my-shop").is_symlink()


def test_a_project_that_cannot_be_written_whole_is_not_there_at_all(tmp_path: Path) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))"
    command = [sys.executable, "-B", "-c", f"{limited}; from tidings.cli import main; main()", "new", "my-shop"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "tidings: the system refused it: [Errno 27] File too large\n"
    assert list(tmp_path.iterdir()) == []


def test_a_new_folder_may_be_read_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert made(tmp_path).stat().st_mode == (tmp_path / "other").stat().st_mode


def test_json_says_what_was_made(tmp_path: Path) -> None:
    _, out, _ = ended(tmp_path, "tidings", "new", "my-shop", "--json")
    said = json.loads(out)
    assert (said["app"], sorted(said["files"])) == ("my_shop:app", FILES)


@pytest.mark.parametrize(
    "name", ["My", "9lives", "a/b", "..", "a--b", "ends-", "", "class", "json", "tidings", "test", "x" * 61]
)
def test_a_name_that_cannot_be_one_is_refused_and_nothing_is_made(name: str, tmp_path: Path) -> None:
    code, out, err = ended(tmp_path, "tidings", "new", name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "such as my-" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "module"), [("aiohttp", "aiohttp"), ("prometheus-client", "prometheus_client")])
def test_a_name_that_would_hide_an_installed_package_is_refused(name: str, module: str, tmp_path: Path) -> None:
    code, out, err = ended(tmp_path, "tidings", "new", name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{name!r} would hide the package {module} that is installed here: choose one such as my-{name}" in err
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_only_a_file_of_this_folder_has_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "my_shop.py").write_text("", "utf-8")
    process = subprocess.run([sys.executable, "-m", "tidings", "new", "my-shop"], cwd=tmp_path, timeout=60)
    assert process.returncode == 0
