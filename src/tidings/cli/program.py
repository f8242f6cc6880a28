"""The command line put together, and how it ends: one line on standard error, and an exit code that means something."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import typer

from tidings.cli import config, dead, emit, log, views
from tidings.cli.consumers import consumers
from tidings.cli.demo import demo
from tidings.cli.exits import FAILED, UNKNOWN, code_of
from tidings.cli.run import run
from tidings.cli.version import version
from tidings.errors import TidingsError

_MISUSE = typer.BadParameter.__mro__[2]
"""The class of everything that the parser says, wherever Typer keeps it."""


def build() -> typer.Typer:
    """Return the whole command line."""
    program = typer.Typer(
        help="Events that arrive twice, late, out of order or never, and a system that ends in the right state anyway.",
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command in (run, consumers, demo, version):
        program.command()(command)
    program.add_typer(emit.commands)
    for name, group in (("log", log), ("views", views), ("dead", dead), ("config", config)):
        program.add_typer(group.commands, name=name)
    return program


def main() -> None:
    """Run the command line of this process, and end it."""
    sys.exit(run_with(sys.argv[1:]))


def run_with(arguments: Sequence[str]) -> int:
    """Run the command that the arguments name; return the exit code."""
    try:
        _check_texts(arguments)
        code = build()(list(arguments) or ["--help"], prog_name="tidings", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, asyncio.CancelledError, typer.Abort):
        return _end("stopped before it was done", UNKNOWN)
    except BrokenPipeError:
        return FAILED
    except Exception as error:
        return _failed(_only(error))


def _failed(error: Exception) -> int:
    if isinstance(error, TidingsError):
        return _end(str(error), code_of(error))
    if isinstance(error, _MISUSE):
        return _end(_misuse(error), FAILED)
    if sys.flags.dev_mode:
        raise error
    what = f"unexpected {type(error).__name__}: {error}"
    return _end(f"{what} (please report it; `python -X dev -m tidings …` says where)", FAILED)


def _only(error: Exception) -> Exception:
    """Return what a group of errors is about: tasks that run together fail together, mostly for one reason."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _check_texts(arguments: Sequence[str]) -> None:
    for argument in arguments:
        if not argument.isprintable() and any("\ud800" <= character <= "\udfff" for character in argument):
            raise typer.BadParameter(f"{argument!r:.80} is not UTF-8")


def _misuse(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", "tidings")
    words = getattr(error, "format_message", lambda: str(error))()
    return f"{words.rstrip('.')} (see `{command} --help`)"


def _end(message: str, code: int) -> int:
    sys.stderr.write(f"tidings: {' '.join(message.split())}\n")
    return code
