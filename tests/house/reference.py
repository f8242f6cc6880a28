"""The reference of the command line, made from the commands themselves. `python -m tests.house.reference` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from tidings.cli.program import build

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"

_HEAD = """# The command line

Made from the commands themselves (`python -m tests.house.reference`), and compared with them by a test.

Every command has `--help`, and `--json` for programs. What went wrong is one line on standard error. What `--json`
prints has the members that [HTTP](http.md) gives to the same thing: an event, a consumer, a view, a dead letter, a
delivery, an attempt, an endpoint, a receiver, a receipt. A list is a bare array of them. A position is a token, which
`--from-position` and `--position` take as they take the number that tables show; so `tidings emit … --json` gives
what a read is to have in `Tidings-Min-Position`.

Exit codes:

| code | means |
|---|---|
| 0 | it is done, or the answer is yes |
| 1 | a clear no: refused, in conflict, or a comparison that found a difference |
| 2 | wrong use, or a failure, so that there is no answer: an option or a setting that is wrong, no such thing |
| 3 | nobody knows whether it was done: ask again with the same id |
| 141 | nobody reads the output any more, as when `head` has its first lines: the code of what SIGPIPE ended |

What is not there is told in one sentence, the one that HTTP answers with 404: `there is no consumer 'ordres'; there is
billing, orders: did you mean orders?` An event type that the application does not declare may be looked at all the same
if the log has it. A filter that finds nothing is an answer, so 0; `tidings log tail` warns on standard error if nothing
has the name.

`tidings --install-completion` sets completion up for the shell that calls it (bash, zsh, fish): it offers commands and
options, and the consumers, views, services, event types, endpoints and receivers that the database has.

Settings come from `TIDINGS_…` variables over `tidings.toml`; see [settings](settings.md).
"""


def commands(command: Any, path: tuple[str, ...] = ("tidings",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command that does something, with the words that name it."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    if command.invoke_without_command:
        yield path, command
    for name in inner:
        yield from commands(inner[name], (*path, name))


def page() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for path, command in commands(typer.main.get_command(build())):
        parts.append(_section(" ".join(path), command))
    return "\n".join(parts)


def _section(name: str, command: Any) -> str:
    about, examples = _parted(command.help or "")
    lines = [f"## {name}", "", about, ""]
    shown = [each for each in command.params if each.name not in ("help", "as_json") and not each.hidden]
    if shown:
        lines += ["| | means | if left out |", "|---|---|---|"]
        lines += [f"| {_form(each)} | {_plain(each.help or '')} | {_default(each)} |" for each in shown]
        lines.append("")
    return "\n".join([*lines, "```console", *(f"$ {example}" for example in examples), "```", ""])


def _parted(text: str) -> tuple[str, list[str]]:
    about, *examples = (" ".join(part.split()) for part in text.split("Example:"))
    return about, examples


def _form(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{(parameter.metavar or parameter.name).upper()}`"
    names = ", ".join(f"`{name}`" for name in parameter.opts)
    return names if parameter.is_flag else f"{names} …"


def _plain(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    return "" if value in (None, False, (), []) or callable(value) else f"`{value}`"


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), "utf-8")
