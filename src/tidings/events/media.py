"""Media types, as far as the envelope's rules look into them (RFC 2046, RFC 6839)."""

from __future__ import annotations

import re
from functools import lru_cache

JSON = "application/json"
MEDIA_TYPE_MAX = 255

_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# Possessive where two parts could share what they match: else the empty parameters of `;  ;  ;` take for ever.
_MEDIA_TYPE = re.compile(
    rf'{_WORD}/{_WORD}(?:[ \t]*+;[ \t]*+(?:{_WORD}=(?:{_WORD}|"(?:[^"\\\x00-\x1f]|\\[\x20-\x7e])*+"))?+)*+[ \t]*'
)
_CHARSET = re.compile(rf';[ \t]*charset="?({_WORD})"?', re.IGNORECASE)
_KNOWN_CHARSET = re.compile(
    r"utf-?8|us-ascii|ascii|utf-?16(?:be|le)?|iso-8859-(?:[1-9]|1[013-6])|windows-125[0-8]|koi8-[ru]"
    r"|shift_jis|euc-(?:jp|kr)|iso-2022-jp|gb2312|gbk|gb18030|big5"
)


@lru_cache(maxsize=1024)
def is_media_type(text: str) -> bool:
    """Say whether the text is a media type with its parameters."""
    return text.isascii() and _MEDIA_TYPE.fullmatch(text) is not None


def is_json(content_type: str) -> bool:
    """Say whether the media type is `*/json` or `*/*+json`, in any case, whatever its parameters."""
    return _is_json_remembered(content_type) if len(content_type) <= MEDIA_TYPE_MAX else _is_json(content_type)


def _is_json(content_type: str) -> bool:
    subtype = bare(content_type).partition("/")[2]
    return subtype == "json" or subtype.endswith("+json")


_is_json_remembered = lru_cache(maxsize=1024)(_is_json)  # of short texts only: strangers choose what is remembered


def bare(content_type: str) -> str:
    """Return the media type without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def charset_of(content_type: str) -> str:
    """Return the charset the type names, in lower case; `utf-8` if it names none."""
    found = _CHARSET.search(content_type)
    return found[1].lower() if found else "utf-8"


def can_be_text(content_type: str) -> bool:
    """Say whether the type's charset is one we know: the interpreter knows more, some of them slow or no charset."""
    return _KNOWN_CHARSET.fullmatch(charset_of(content_type)) is not None
