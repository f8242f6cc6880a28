"""The signature beside ours that an endpoint may have while its receiver moves."""

from __future__ import annotations

from tidings.api.openapi.acts import MAYBE, TEXT
from tidings.api.openapi.parts import Object, record
from tidings.webhooks.deliver.headers import NAME_MAX
from tidings.webhooks.deliver.legacy import PREFIX_MAX, SCHEMES, SECRET_MAX

_PRESET: Object = {"enum": list(SCHEMES), "description": "In whose scheme it is signed."}
_HEADER = "Where the signature stands."
_PREFIX = "What stands before it; null: what the preset has there."


def legacy_shown() -> Object:
    """Return the schema of what may be seen of it."""
    prefix = MAYBE | {"description": _PREFIX}
    shown = record({"preset": _PRESET, "header": TEXT | {"description": _HEADER}, "prefix": prefix})
    return {"anyOf": [shown, {"type": "null"}], "description": "Signed beside ours, while its receiver moves."}


def legacy_wanted() -> Object:
    """Return the schema of what may be said of it."""
    said = "The old one, as receivers have it; left out, or null: the one that is there."
    members = {
        "preset": _PRESET,
        "header": _maybe(1, NAME_MAX, f"{_HEADER} Left out, or null: where the preset has it."),
        "prefix": _maybe(0, PREFIX_MAX, _PREFIX),
        "secret": _maybe(1, SECRET_MAX, said),
    }
    wanted = record(members, optional=("header", "prefix", "secret"))
    return {"anyOf": [wanted, {"type": "null"}]}


def _maybe(least: int, most: int, described: str) -> Object:
    return MAYBE | {"minLength": least, "maxLength": most, "description": described}
