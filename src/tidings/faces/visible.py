"""Text as people read it on a page or a terminal: no character hides, reorders or ends what stands around it."""

from __future__ import annotations

import json
import re

# Controls, what turns the direction of text, and what has no width; a line break is left where text has lines.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_HIDDEN_IN_LINES = re.compile(_HIDDEN.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))


def visible(text: object) -> str:
    r"""Return a text on one line, what cannot be seen in it written as `\u202e`."""
    return _HIDDEN.sub(_escaped, str(text))


def visible_lines(text: str) -> str:
    """Return a text of many lines, as `visible` does."""
    return _HIDDEN_IN_LINES.sub(_escaped, text)


def visible_json(text: str) -> str:
    r"""Return JSON, what cannot be seen in its strings escaped as JSON does it: it reads as the same."""
    return _HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
