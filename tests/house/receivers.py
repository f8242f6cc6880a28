"""The reference of receivers, made from the presets. `python -m tests.house.receivers` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tidings.webhooks.receive.places import (
    First,
    Header,
    Labelled,
    Layout,
    Member,
    Pairs,
    Place,
    Prefix,
    Query,
    places_of,
)
from tidings.webhooks.receive.preset import BodyHash, Dedupe, Fields, Preset
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.scheme import (
    SIGNING,
    Body,
    BodyCrc32,
    BodySha256,
    Id,
    Members,
    Method,
    Part,
    Scheme,
    Setting,
    SortedForm,
    Text,
    Timestamp,
    Url,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "receivers.md"
_HEAD = Path(__file__).with_name("receivers_head.md")
_KEYS = {
    "text": "the text as it stands",
    "base64": "base64",
    "whsec": "`whsec_` and base64",
    "whpk": "`whpk_` and base64",
    "hex": "hex",
    "pem": "PEM",
    "cert-url": "the PEM of a certificate, named by its URL",
}
_PARTS = {
    Id: "id",
    Timestamp: "time",
    Body: "body",
    BodyCrc32: "CRC-32 of the body",
    BodySha256: "SHA-256 of the body",
    Method: "method",
    SortedForm: "sorted form",
}


def page() -> str:
    """Return the whole page."""
    return _HEAD.read_text("utf-8") + "\n" + "\n".join(_section(preset) for preset in PRESETS.values())


def _section(preset: Preset) -> str:
    rows = [(f"signature {index}" if len(preset.schemes) > 1 else "signature", _scheme(scheme)) for index, scheme in
            enumerate(preset.schemes, 1)]  # fmt: skip
    rows += [
        ("key", ", or ".join(dict.fromkeys(_KEYS[scheme.key_form] for scheme in preset.schemes))),
        (
            "id",
            _dedupe(preset.dedupe) + ("" if preset.id_is_signed else "; what is signed is known too"),
        ),
        ("type", f"`{preset.name}.` and {_joined(preset.type)}" + _untyped(preset)),
        ("subject", _place(preset.subject)),
        ("time, order", f"{_place(preset.time) or 'none'}; {_place(preset.order) or 'none'}"),
        ("events", " of ".join(f"each of `{each or 'the array'}`" for each in reversed(preset.split)) or "one"),
        ("not content", _pointers(preset.volatile)),
        ("handshake", f"`{preset.handshake.kind}`" if preset.handshake else ""),
        ("needs", _needs(preset)),
        ("takes", f"{', '.join(f'`{each}`' for each in preset.media_types)}, {preset.body_limit:,} bytes"),
        ("answers", _answers(preset)),
        ("remembered", f"{preset.remembers.days} days"),
        ("described at", f"<{preset.page}>"),
    ]
    lines = [f"## {preset.name}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value.replace('|', chr(92) + '|')} |" for name, value in rows if value]
    lines += ["", *(f"- {note}" for note in preset.notes)]
    lines += (
        [f"- Not confirmed by its own pages or code: {'; '.join(preset.unconfirmed)}."] if preset.unconfirmed else []
    )
    return "\n".join([*lines, ""])


def _scheme(scheme: Scheme) -> str:
    signed = f" of {', '.join(_part(part) for part in scheme.signed)}" if scheme.algorithm in SIGNING else ""
    each = f", in each of {_pointers(scheme.each)}" if scheme.each else ""
    digest = f", and the SHA-256 of the body in {_place(scheme.body_sha256)}" if scheme.body_sha256 else ""
    tolerance = f"{scheme.tolerance.total_seconds():.0f} s" if scheme.tolerance else "no time is checked"
    encoding = f", {scheme.encoding}" if scheme.encoding != "none" else ""
    where = f"{_place(scheme.signature)}{_layout(scheme.layout)}{each}"
    return f"{where}: {scheme.algorithm}{encoding}{signed}{digest}; {tolerance}"


def _layout(layout: Layout) -> str:
    match layout:
        case Prefix():
            return f" after `{layout.text}`"
        case Pairs():
            return f" as `{layout.time}=…{layout.separator}{layout.signature}=…`"
        case Labelled():
            return f" as `{layout.label},…`"
        case _:
            return ""


def _part(part: Part) -> str:
    match part:
        case Text():
            return f"`{part.text}`"
        case Setting():
            return f"the setting `{part.name}`"
        case Url():
            return "URL" + (" with its port" if part.with_port else "") + (" decoded" if part.decoded else "")
        case Members():
            return f"{_pointers(part.pointers)} joined by `{part.joined_by}`"
        case _:
            return _PARTS[type(part)]


def _place(place: Place | First | None) -> str:
    return "" if place is None else ", else ".join(_one(each) for each in places_of(place))


def _one(place: Place) -> str:
    unit = f" ({place.unit})" if place.unit else ""
    match place:
        case Header():
            return f"header `{place.name}`{unit}"
        case Query():
            return f"parameter `{place.name}`{unit}"
        case Member():
            return f"`{place.pointer}`" + (" of the body" if place.whole else "") + unit


def _joined(places: Sequence[Place | First]) -> str:
    return " and ".join(_place(each) for each in places)


def _untyped(preset: Preset) -> str:
    return f", else `{preset.untyped}`" if preset.untyped else ""


def _dedupe(dedupe: Dedupe) -> str:
    match dedupe:
        case BodyHash():
            return "hash of the event's bytes"
        case Fields():
            return _joined(dedupe.places)
        case str():
            return dedupe
        case _:
            return _place(dedupe)


def _needs(preset: Preset) -> str:
    settings = {part.name for scheme in preset.schemes for part in scheme.signed if isinstance(part, Setting)}
    settings |= {"verify_token"} if preset.handshake and preset.handshake.kind == "meta" else set()
    return ", ".join([*(["`public_url`"] if preset.needs_url else []), *(f"`{each}`" for each in sorted(settings))])


def _answers(preset: Preset) -> str:
    answers = preset.answers
    body = f", `{answers.body.decode()}` as `{answers.media_type}`" if answers.body else ""
    return f"{answers.new} new, {answers.duplicate} duplicate{body}"


def _pointers(pointers: Sequence[str]) -> str:
    return ", ".join(f"`{each}`" for each in pointers)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
