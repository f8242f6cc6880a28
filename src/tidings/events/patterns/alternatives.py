"""One alternative of a leaf, read: a scalar, or an object with exactly one matcher's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from tidings.errors import PatternError
from tidings.events.patterns.matchers import (
    AnythingBut,
    Cidr,
    IgnoringCase,
    Matcher,
    Numeric,
    Prefix,
    Present,
    Suffix,
    Wildcard,
)
from tidings.events.patterns.scalars import Scalar, is_number, scalar_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """`values`: exact scalars; `stars`: how many its wildcards have. The others: see `Field`."""

    values: frozenset[Scalar] = frozenset()
    matcher: Matcher | None = None
    is_absent: bool = False
    together: frozenset[Scalar] = frozenset()
    stars: int = 0


def alternative_of(value: Any) -> Alternative:
    """Read one alternative. PatternError, whose `at` is a pointer within it."""
    scalar = scalar_of(value)
    if scalar is not None:
        return Alternative(values=frozenset({scalar}))
    if not isinstance(value, dict):
        raise PatternError("", "bad-operand", "an alternative is a scalar or an object with one matcher, not a list")
    name, operand = _only(value, NAMES)
    try:
        return _READ[name](operand)
    except PatternError as error:
        raise PatternError(f"/{name}{error.at}", error.code, error.why) from None


def _only(value: Mapping[str, Any], names: frozenset[str]) -> tuple[str, Any]:
    """Return the one member of an object; its name must be among these."""
    if not value:
        raise PatternError("", "empty-object", f"name one of {', '.join(sorted(names))}")
    if len(value) > 1:
        raise PatternError("", "many-keys", f"{' and '.join(sorted(value))} stand together: write an object for each")
    [(name, operand)] = value.items()
    if name not in names:
        raise PatternError("", "unknown-key", f"there is no matcher {name!r}; there is {', '.join(sorted(names))}")
    return name, operand


def _text(operand: Any) -> str:
    if not isinstance(operand, str):
        raise PatternError("", "bad-operand", "write a string")
    return operand


def _affix(operand: Any, place: str) -> Matcher:
    """Read what `prefix` or `suffix` takes: a string, or {"equals-ignore-case": string}."""
    if isinstance(operand, dict):
        _, text = _only(operand, frozenset({"equals-ignore-case"}))
        return IgnoringCase(_text(text), "prefix" if place == "prefix" else "suffix")
    return Prefix(_text(operand)) if place == "prefix" else Suffix(_text(operand))


def _pieces(operand: Any) -> tuple[str, ...]:
    """Return the texts between the stars of a wildcard; one: it has no star."""
    pieces, is_escaped = [""], False
    for each in _text(operand):
        if is_escaped and each not in "*\\":
            raise PatternError("", "bad-wildcard", r"only \* and \\ may follow a backslash")
        if each == "*" and not is_escaped:
            pieces.append("")
        elif each != "\\" or is_escaped:
            pieces[-1] += each
        is_escaped = each == "\\" and not is_escaped
    if is_escaped:
        raise PatternError("", "bad-wildcard", "it ends with a backslash")
    if "" in pieces[1:-1]:
        raise PatternError("", "bad-wildcard", "two stars in a row mean what one means: write one")
    return tuple(pieces)


def _wildcard(operand: Any) -> Alternative:
    pieces = _pieces(operand)
    if len(pieces) == 1:
        return Alternative(values=frozenset(pieces))
    return Alternative(matcher=Wildcard(pieces), stars=len(pieces) - 1)


_BUT_TEXTS = frozenset({"prefix", "suffix", "equals-ignore-case", "wildcard"})


def _anything_but(operand: Any) -> Alternative:
    if not isinstance(operand, dict):
        return Alternative(matcher=AnythingBut(_excluded(operand)))
    name, given = _only(operand, _BUT_TEXTS)
    texts = given if isinstance(given, list) else [given]
    if not texts:
        raise PatternError(f"/{name}", "empty-array", "name what is excluded")
    found = [_excluded_text(name, text) for text in texts]
    values = frozenset(value for each in found for value in each.values)
    matchers = tuple(each.matcher for each in found if each.matcher is not None)
    return Alternative(matcher=AnythingBut(values, matchers), stars=sum(each.stars for each in found))


def _excluded_text(name: str, text: Any) -> Alternative:
    if name in ("prefix", "suffix") and text == "":
        raise PatternError(f"/{name}", "bad-operand", f"the empty {name} excludes every string: leave it out")
    if isinstance(text, dict):
        raise PatternError(f"/{name}", "bad-operand", "write a string")
    return _READ[name](text)


def _excluded(operand: Any) -> frozenset[Scalar]:
    values = operand if isinstance(operand, list) else [operand]
    if not values:
        raise PatternError("", "empty-array", "name what is excluded")
    if not (all(isinstance(each, str) for each in values) or all(is_number(each) for each in values)):
        raise PatternError("", "bad-operand", "write strings only, or numbers only")
    return frozenset(_scalars(values))


_BOUNDS = {">": (True, False), ">=": (True, True), "<": (False, False), "<=": (False, True)}


def _numeric(operand: Any) -> Alternative:
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        raise PatternError("", "bad-operand", 'write ["<", 10] or [">=", 1, "<", 10]')
    if not all(is_number(each) for each in operand[1::2]):
        raise PatternError("", "bad-operand", "what follows a comparison must be a number")
    comparisons, bounds = operand[::2], list(_scalars(operand[1::2]))
    if comparisons == ["="]:
        return Alternative(values=frozenset(bounds))
    if not all(isinstance(each, str) and each in _BOUNDS for each in comparisons):
        raise PatternError("", "bad-operand", "compare with one of =, <, <=, >, >=; `=` stands alone")
    return Alternative(matcher=_range(comparisons, bounds))


def _range(comparisons: Sequence[str], bounds: Sequence[Any]) -> Numeric:
    found: dict[str, Any] = {}
    for comparison, bound in zip(comparisons, bounds, strict=True):
        is_low, counts = _BOUNDS[comparison]
        if len(comparisons) == 2 and is_low is bool(found):
            raise PatternError("", "bad-range", "a range is a lower bound (> or >=), then an upper one (< or <=)")
        found |= {"low": bound, "low_counts": counts} if is_low else {"high": bound, "high_counts": counts}
    if len(comparisons) == 2 and not bounds[0] < bounds[1]:
        raise PatternError("", "bad-range", "the lower bound must be less than the upper one")
    return Numeric(**found)


def _cidr(operand: Any) -> Alternative:
    address, slash, mask = _text(operand).partition("/")
    if not slash:
        raise PatternError("", "bad-cidr", "write an address, `/` and the length of the prefix: 10.0.0.0/8")
    kind, network, longest = (IPv6Address, IPv6Network, 127) if ":" in address else (IPv4Address, IPv4Network, 31)
    try:
        first = kind(address)
    except ValueError as error:
        raise PatternError("", "bad-cidr", str(error)) from None
    if isinstance(first, IPv6Address) and (first.ipv4_mapped is not None or first.scope_id is not None):
        raise PatternError("", "bad-cidr", "an IPv4 address within IPv6, or a zone, is not compared: write it plainly")
    if not (mask.isascii() and mask.isdigit() and len(mask) <= 3 and mask == str(int(mask)) and int(mask) <= longest):
        raise PatternError(
            "", "bad-cidr", f"the length of the prefix is 0 to {longest}; name a single host as a string"
        )
    return Alternative(matcher=Cidr(network(f"{address}/{int(mask)}", strict=False)))


def _exists(operand: Any) -> Alternative:
    if not isinstance(operand, bool):
        raise PatternError("", "bad-operand", "write true or false")
    return Alternative(matcher=Present()) if operand else Alternative(is_absent=True)


def _contains_all(operand: Any) -> Alternative:
    if not isinstance(operand, list) or not operand:
        raise PatternError("", "bad-operand", "write a list of scalars, one at least")
    values = frozenset(_scalars(operand))
    if any(isinstance(each, dict | list) for each in operand):
        raise PatternError("", "bad-operand", "only scalars can be contained")
    return Alternative(together=values)


def _scalars(values: Sequence[Any]) -> Iterator[Scalar]:
    for value in values:
        scalar = scalar_of(value)
        if scalar is not None:
            yield scalar


def _matching(read: Callable[[Any], Matcher]) -> Callable[[Any], Alternative]:
    return lambda operand: Alternative(matcher=read(operand))


_READ: Mapping[str, Callable[[Any], Alternative]] = {
    "prefix": _matching(lambda operand: _affix(operand, "prefix")),
    "suffix": _matching(lambda operand: _affix(operand, "suffix")),
    "equals-ignore-case": _matching(lambda operand: IgnoringCase(_text(operand))),
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "cidr": _cidr,
    "exists": _exists,
    "contains-all": _contains_all,
}
NAMES = frozenset(_READ)
