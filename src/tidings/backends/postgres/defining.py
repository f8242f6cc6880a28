"""What a handler's CREATE, DROP, ALTER, GRANT and so on reach. No plan tells, so their text is looked at. Pure."""

from __future__ import annotations

import re

from tidings.errors import RefusedError

# Texts, bodies of functions and comments say nothing of what is defined; names in quotes do, and hide none of these.
_SAYS_NOTHING = re.compile(
    r"(\"(?:[^\"]|\"\")*\")|'(?:[^']|'')*'|\$((?:[A-Za-z_]\w*)?)\$.*?\$\2\$|--[^\n]*|/\*.*?\*/", re.DOTALL
)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.DOTALL)


_WIDE = (
    (
        _pattern(r"\A((?:DROP|ALTER) SCHEMA)\b"),
        "tables of tidings, or of views, may lie in it, so drop or alter your own one by one",
    ),
    (
        _pattern(r"\A(DROP OWNED)\b"),
        "the tables of tidings, and of views, are the same user's, so drop your own one by one",
    ),
    (
        _pattern(r"\A((?:DROP|ALTER) (?:ROLE|USER(?! MAPPING)|GROUP|DATABASE))\b"),
        "tidings may connect with it, so have an administrator do it, outside of the program",
    ),
    (
        _pattern(r"\A(?:GRANT|REVOKE)\b.* (ALL \w+ IN SCHEMA)\b"),
        "tables of tidings, or of views, may be among them, so name your own",
    ),
    (
        _pattern(r"\AREVOKE\b.* (ON (?:SCHEMA|DATABASE))\b"),
        "tidings may need what is taken away, so have an administrator do it, outside of the program",
    ),
    (
        _pattern(r"(\bU&\")"),
        "nobody sees which table is meant, so write its name as it is",
    ),
)
"""What reaches tables that it does not name, and why it is refused."""

_OUR_SCHEMA = _pattern(r"\bSCHEMA (?:IF NOT EXISTS )?\"?(tidings)\b")
_NAME = r"(?:\"?\w+\"? ?\. ?)?\"?\w+\"?"
_OF_VIEWS = _pattern(
    r"\A(?:CREATE (?:OR REPLACE )?(?:TEMP |TEMPORARY )?(?:RECURSIVE )?VIEW|(?:ALTER|DROP) (?:VIEW|TABLE)) "
    rf"(?:IF EXISTS )?(?:ONLY )?({_NAME}(?: ?, ?{_NAME})*)"
)
_LAST = re.compile(r"(\w+)\"? ?(?:,|\Z)")


def plain(statement: str) -> str:
    """Return the statement without texts and comments, with one space for each run of white space."""
    said = _SAYS_NOTHING.sub(lambda found: found[1] or " ", statement)
    return " ".join(said.split()).lstrip("; ")


def refuse_wide(said: str) -> None:
    """RefusedError for what reaches tables that it does not name. `said`: as `plain` returns it."""
    for pattern, why in _WIDE:
        found = pattern.search(said)
        if found is not None:
            raise RefusedError(f"{found[1]} is not run in a unit: {why}")


def our_schema(said: str) -> str | None:
    """Return the schema of tidings, if it is named as one."""
    found = _OUR_SCHEMA.search(said)
    return None if found is None else found[1]


def views_named(said: str) -> list[str]:
    """Return the bare names, in lower case, of those that would be made, altered or dropped and may be SQL views."""
    found = _OF_VIEWS.match(said)
    return [] if found is None else [name.lower() for name in _LAST.findall(found[1])]
