"""The compiled patterns beside an evaluator that tries every choice, and a set of them beside each one alone."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.events.patterns.alternatives import alternative_of
from tidings.events.patterns.grammar import compile_pattern
from tidings.events.patterns.matchers import folded
from tidings.events.patterns.pattern_set import PatternSet
from tidings.events.patterns.scalars import scalar_of

NAMES = st.sampled_from(["a", "b", "c", "a.b"])
SCALARS = st.one_of(
    st.sampled_from(["", "a", "ab", "AB", "b", "ba", "1", "ß", "SS", "10.0.0.1", "10.0.0.2", "::1:2"]),
    st.integers(-1, 3),
    st.booleans(),
    st.none(),
    st.sampled_from([0.5, 1.0, 2.5]),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
EVENTS = st.dictionaries(NAMES, VALUES, max_size=3)
TEXTS = st.sampled_from(["a", "b", "ab", "ß"])
ALTERNATIVES = st.one_of(
    SCALARS,
    st.builds(lambda text: {"prefix": text}, TEXTS),
    st.builds(lambda text: {"suffix": text}, TEXTS),
    st.builds(lambda text: {"equals-ignore-case": text}, TEXTS),
    st.builds(lambda text: {"prefix": {"equals-ignore-case": text}}, TEXTS),
    st.builds(lambda text: {"wildcard": text}, st.sampled_from(["a*", "*b", "*", "a*b", "ab"])),
    st.builds(lambda but: {"anything-but": but}, st.sampled_from(["a", ["a", "b"], 1, [0, 1], {"prefix": "a"}])),
    st.builds(
        lambda bounds: {"numeric": bounds},
        st.sampled_from([["=", 1], [">", 0], ["<=", 0], ["<", 1], [">", 1, "<=", 2], [">=", 0, "<", 2.5]]),
    ),
    st.builds(lambda is_there: {"exists": is_there}, st.booleans()),
    st.builds(
        lambda values: {"contains-all": values}, st.lists(st.sampled_from(["a", "b", 1]), min_size=1, max_size=2)
    ),
    st.builds(lambda text: {"suffix": {"equals-ignore-case": text}}, TEXTS),
    st.builds(lambda text: {"cidr": text}, st.sampled_from(["10.0.0.0/8", "10.0.0.2/31", "::/0", "::1:0/112"])),
)
LEAVES = st.lists(ALTERNATIVES, min_size=1, max_size=5)
FIELDS = st.recursive(
    st.dictionaries(NAMES, LEAVES, min_size=1, max_size=2),
    lambda inner: st.dictionaries(NAMES, LEAVES | inner, min_size=1, max_size=3),
    max_leaves=6,
)
PATTERNS = st.one_of(
    FIELDS,
    st.builds(lambda fields, either: {**fields, "$or": either}, FIELDS, st.lists(FIELDS, min_size=2, max_size=2)),
)


def occurrences(value: Any, path: tuple[str, ...], arrays: dict[Any, int], at: tuple[Any, ...] = ()) -> list[Any]:
    """Return every scalar with its path and, for each array around it, the element."""
    if isinstance(value, dict):
        found = []
        for name, inner in value.items():
            found += occurrences(inner, (*path, *name.split(".")), arrays, (*at, name))
        return found
    if isinstance(value, list):
        found = []
        for n, inner in enumerate(value):
            found += occurrences(inner, path, {**arrays, at: n}, (*at, n))
        return found
    return [(path, scalar_of(value), arrays)]


def leaves(pattern: dict[str, Any], path: tuple[str, ...] = ()) -> list[list[tuple[tuple[str, ...], list[Any]]]]:
    ways: list[list[Any]] = [[]]
    for name, value in pattern.items():
        if name == "$or" and isinstance(value, list) and len(value) > 1 and all(isinstance(e, dict) for e in value):
            options = [way for each in value for way in leaves(each, path)]
        elif isinstance(value, dict):
            options = leaves(value, (*path, *name.split(".")))
        else:
            options = [[((*path, *name.split(".")), value)]]
        ways = [way + other for way in ways for other in options]
    return ways


def arrays_that_satisfy(there: list[Any], alternatives: list[Any]) -> list[dict[Any, int]]:
    found = []
    for each in alternatives:
        read = alternative_of(each)
        if read.is_absent and not there:
            found.append({})
        for _, value, arrays in there:
            if value in read.values or (read.matcher is not None and read.matcher.matches(value)):
                found.append(arrays)
        if read.together:
            for _, _, arrays in there:
                if arrays:
                    innermost = list(arrays)[-1]
                    around = {k: v for k, v in arrays.items() if k != innermost}
                    mates = {v for _, v, a in there if a.keys() == arrays.keys() and around.items() <= a.items()}
                    if read.together <= mates:
                        found.append(around)
    return found


def naively(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    everything = occurrences(event, (), {})
    for way in leaves(pattern):
        choices = [
            arrays_that_satisfy([each for each in everything if each[0] == path], alternatives)
            for path, alternatives in way
        ]
        for chosen in product(*choices):
            at: dict[Any, int] = {}
            if all(at.setdefault(array, n) == n for arrays in chosen for array, n in arrays.items()):
                return True
    return False


@settings(max_examples=600, deadline=None)
@given(pattern=PATTERNS, event=EVENTS)
def test_a_compiled_pattern_is_what_a_naive_one_is(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    assert compile_pattern(pattern).matches(event) == naively(pattern, event)


@settings(max_examples=300, deadline=None)
@given(patterns=st.lists(PATTERNS, max_size=8), events=st.lists(EVENTS, max_size=4))
def test_a_set_finds_what_each_of_its_patterns_matches(patterns: list[Any], events: list[Any]) -> None:
    compiled = {n: compile_pattern(each) for n, each in enumerate(patterns)}
    together = PatternSet(compiled)
    for event in events:
        assert list(together.matching(event)) == [n for n, each in compiled.items() if each.matches(event)]


def test_a_text_that_differs_in_case_is_found_wherever_its_characters_have_one_folding() -> None:
    apart = [
        character
        for character in map(chr, range(0x110000))
        if not 0xD800 <= ord(character) < 0xE000
        and {folded(character.lower()), folded(character.upper())} != {folded(character)}
    ]
    together = PatternSet({each: compile_pattern({"x": [{"equals-ignore-case": each}]}) for each in apart})
    for each in apart:
        assert each in together.matching({"x": each.lower()})
        assert each in together.matching({"x": each.upper()})
