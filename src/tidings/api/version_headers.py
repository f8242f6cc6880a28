"""What the answer to a publish says beside it, if the version that was published ends, or is not open."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.api.answer import Header, Scope
from tidings.api.paths import root_path
from tidings.api.problems import Problem, Refusal
from tidings.errors import VersionSunsetError
from tidings.events.envelope import Envelope
from tidings.events.timestamp import time_text
from tidings.versions.ending import Ending
from tidings.versions.gatekeeper import Gatekeeper
from tidings.versions.gates import Gates
from tidings.versions.policy import told


def version_headers(keeper: Gatekeeper, envelopes: Sequence[Envelope], scope: Scope) -> tuple[Header, ...]:
    """Return `Deprecation`, `Sunset` and `Link` of the version among these that ends first, and
    `Tidings-Version-Warning` if one is not open."""
    gates = keeper.gates
    headers: tuple[Header, ...] = ()
    if gates.endings:
        found = {gates.ending(each.type, each.version) for each in envelopes} - {None}
        if found:
            headers = ending_headers(min((each for each in found if each), key=_end), scope, base=keeper.public_url)
    if keeper.policies.outside == "warn":
        headers += _warning(gates, envelopes)
    return headers


def ended(error: VersionSunsetError, ending: Ending | None, scope: Scope, *, base: str | None) -> Refusal:
    """Return the refusal of an event whose version has ended, with where to read on. `base`: as below."""
    members: dict[str, object] = {"accepted": list(error.accepted)}
    headers: tuple[Header, ...] = ()
    if ending is not None:
        members["sunset"] = None if ending.sunset is None else time_text(ending.sunset)
        members["migration"] = ending.migration or None
        headers = ending_headers(ending, scope, base=base)
    return Refusal(Problem.VERSION_SUNSET, str(error), *headers, errors=error.errors, members=members)


def ending_headers(ending: Ending | None, scope: Scope, *, base: str | None) -> tuple[Header, ...]:
    """Return the headers of one version, if it ends. `base`: the URL that schemas' ids begin with, if one is set."""
    if ending is None:
        return ()
    pairs = ending.headers(root=base or scope.get("tidings.root", root_path(scope)))
    return tuple((name.encode("ascii"), value.encode("ascii")) for name, value in pairs)


def _end(ending: Ending) -> tuple[bool, int]:
    return ending.sunset is None, ending.sunset or ending.since


def _warning(gates: Gates, envelopes: Sequence[Envelope]) -> tuple[Header, ...]:
    for each in envelopes:
        if not gates.is_open(each.type, each.version):
            open_ = told(gates.accepted(each.type))
            text = f"{each.type} {each.version} is not open, and was kept all the same; open: {open_}"
            return ((b"tidings-version-warning", text.encode("ascii", "replace")),)
    return ()
