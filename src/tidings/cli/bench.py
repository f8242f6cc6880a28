"""`tidings bench`."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from tidings.cli.session import AsJson
from tidings.errors import SettingError


def bench(
    only: Annotated[
        list[str] | None, typer.Option(metavar="MEASURE", help="Only this measure; may be given again.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, to see that all runs; nothing fails.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a table in Markdown.")] = False,
    folder: Annotated[str | None, typer.Option(help="Where databases are made; it must lie on a disk.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure tidings on this machine, in a checkout of its source. Exit code 1 if something promised was missed.

    Example: tidings bench --quick --only fold
    """
    here = Path.cwd()
    if not (here / "benchmarks" / "__main__.py").is_file() or not (here / "src" / "tidings").is_dir():
        raise SettingError(
            f"{here} is no checkout of tidings, and its benchmarks are not installed with it: clone its source, and "
            "run `make bench` there, or `tidings bench`"
        )
    if find_spec("eventsourcing") is None:  # one of the peers that are measured beside tidings
        raise SettingError("what is measured beside tidings is not installed here: `make bench` installs and runs it")
    flags = [("--quick", quick), ("--markdown", markdown), ("--json", as_json)]
    arguments = [name for name, is_given in flags if is_given]
    arguments += [part for measure in only or () for part in ("--only", measure)]
    arguments += ["--folder", folder] if folder is not None else []
    raise typer.Exit(subprocess.call([sys.executable, "-m", "benchmarks", *arguments]))  # noqa: S603  # our own program
