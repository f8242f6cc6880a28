"""The command line put together, and how it ends: one line on standard error, and an exit code that means something."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import typer
from typer.core import TyperGroup

from tidings.cli import (
    config,
    consumers,
    dead,
    deliveries,
    emit,
    endpoints,
    keys,
    log,
    migrate,
    receivers,
    reconcile,
    versions,
    views,
)
from tidings.cli.asof import asof
from tidings.cli.bench import bench
from tidings.cli.demo import demo
from tidings.cli.doctor import doctor
from tidings.cli.exits import FAILED, UNKNOWN, UNREAD, code_of
from tidings.cli.listen import listen
from tidings.cli.new import new
from tidings.cli.run import run
from tidings.cli.version import version
from tidings.errors import TidingsError
from tidings.wording import absent

_MISUSE = typer.BadParameter.__mro__[2]
"""The class of everything that the parser says, wherever Typer keeps it."""


class _Commands(TyperGroup):
    """Tells an interrupt apart from a command that ends with 130 by itself: Typer would make it one.

    `--help` that is not given is False rather than nothing: Typer takes a while to read what is no bool. And no help
    says that a flag takes a value, which it does not.
    """

    def get_params(self, ctx: Any) -> Any:
        return [_as_flag(each) for each in super().get_params(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            for each in (*command.params, command.get_help_option(ctx)):
                _as_flag(each)
        return command

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)
        if option is not None:
            option.default = False
        return option

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        with _interrupts_told():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: Any) -> Any:
        with _interrupts_told():
            return super().invoke(ctx)


def _as_flag(parameter: Any) -> Any:
    if getattr(parameter, "is_flag", False):
        parameter.metavar = ""
    return parameter


@contextmanager
def _interrupts_told() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        raise typer.Abort from error


def build(*, own_options: bool = True) -> typer.Typer:
    """Return the whole command line. `own_options`: with those before any command, which set completion up."""
    program = typer.Typer(
        cls=_Commands,
        help="Events that arrive twice, late, out of order or never, and a system that ends in the right state anyway.",
        add_completion=own_options,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command in (new, run, doctor, asof, demo, listen, bench, version):
        program.command()(command)
    program.add_typer(emit.commands)
    for group in (
        consumers,
        log,
        views,
        dead,
        deliveries,
        endpoints,
        receivers,
        reconcile,
        keys,
        migrate,
        versions,
        config,
    ):
        program.add_typer(group.commands, cls=_Commands, name=group.__name__.rpartition(".")[2])
    return program


def run_with(arguments: Sequence[str]) -> int:
    """Run the command that the arguments name; return the exit code."""
    try:
        _check_texts(arguments)
        asked = _asked(arguments)
        # Without options of its own nothing is read on the way to a command's help.
        program = build(own_options=asked[0].startswith("-") or not arguments)
        code = program(asked, prog_name="tidings", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except _stops():
        return _end("stopped before it was done", UNKNOWN)
    except BrokenPipeError:
        return UNREAD
    except SystemExit as ending:
        # Typer and Rich end the process with 1, which is a clear no here, when nobody reads what they print.
        if not isinstance(ending.__context__, BrokenPipeError):
            raise
        return UNREAD
    except Exception as error:
        return _failed(_only(error))


def _stops() -> tuple[type[BaseException], ...]:
    """Return what ends a command early. It is asked for when a command has ended: help shall not import asyncio."""
    from asyncio import CancelledError

    return (KeyboardInterrupt, CancelledError, typer.Abort)


def _asked(arguments: Sequence[str]) -> list[str]:
    """Return what is meant: a bare call asks for help, and `--version`, which hands type unasked, is `version`."""
    if list(arguments) == ["--version"]:
        return ["version"]
    return list(arguments) or ["--help"]


def _failed(error: Exception) -> int:
    if isinstance(error, TidingsError):
        return _end(str(error), code_of(error))
    if isinstance(error, _MISUSE):
        return _end(_misuse(error), FAILED)
    if isinstance(error, OSError):
        return _end(f"the system refused it: {error}", FAILED)
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


_NO_COMMAND = re.compile(r"No such command '(.*?)'")


def _misuse(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", "tidings")
    found = getattr(error.__cause__, "errors", None)
    if found is not None:
        error.message = _unfit(found()[0])  # type: ignore[attr-defined]  # it is what `format_message` puts in its place
    words = getattr(error, "format_message", lambda: str(error))().rstrip(".")
    if words == "Missing command" and context is not None:
        words = f"{words}: {', '.join(context.command.commands)}"
    unknown = _NO_COMMAND.match(words)
    if unknown is not None and context is not None:
        hint = f"`{command}` itself shows them" if context.command.invoke_without_command else ""
        words = absent("command", unknown[1], context.command.commands, of=command, hint=hint)
    if words.startswith("Missing ") and getattr(error, "param", None) is not None:
        words = _missing(error, context)
    return f"{words} (see `{command} --help`)"


def _missing(error: Any, context: Any) -> str:
    """Return which word is missing, and all that must be typed."""
    needed = [_typed(each, context) for each in context.command.params if each.required]
    return f"{_typed(error.param, context)} is missing: type `{' '.join((context.command_path, *needed))}`"


def _typed(parameter: Any, context: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return name if parameter.param_type_name == "argument" else f"{parameter.opts[0]} {name}"


def _unfit(found: Mapping[str, Any]) -> str:
    """Return in the caller's words what the parser's validation says of a value."""
    kind, value, known = found["type"], found["input"], found.get("ctx", {})
    if kind.startswith("int_"):
        return f"{str(value)[:40]!r} is not a whole number"
    if kind == "greater_than_equal":
        return f"it must be {known['ge']:,} or more, not {value}"
    if kind == "less_than_equal":
        return f"it must be {known['le']:,} or less, not {value}"
    return str(known.get("error", found["msg"]))


def _end(message: str, code: int) -> int:
    with suppress(OSError, AttributeError):  # nobody reads it, or it is closed: the code still says it
        sys.stderr.write(f"tidings: {' '.join(message.split())}\n")
    return code
