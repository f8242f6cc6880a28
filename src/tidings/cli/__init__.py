"""The command line: parse, call an operation, show what it returns."""

from tidings.cli.program import main

__all__ = ["main"]
