"""EventBridge's semantics, clause by clause, as event-ruler 2.0.1 has them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest

from tidings.errors import PatternError
from tidings.events.patterns.agreement import JOINED_MAX
from tidings.events.patterns.grammar import compile_pattern
from tidings.events.patterns.walk import Paths, find


def matches(pattern: Any, event: Any) -> bool:
    return compile_pattern(pattern).matches(event)


def at_x(alternative: Any, *values: Any) -> list[Any]:
    """Return those values of a field for which the alternative holds."""
    compiled = compile_pattern({"x": [alternative]})
    return [value for value in values if compiled.matches({"x": value})]


def code(pattern: Any) -> tuple[str, str]:
    with pytest.raises(PatternError) as caught:
        compile_pattern(pattern)
    return caught.value.at, caught.value.code


# 1. anything-but
def test_anything_but_holds_if_any_element_is_allowed() -> None:
    assert at_x({"anything-but": ["a", "b"]}, ["a", "c"], ["a", "b"], "c", "a", [], {"y": 1}) == [["a", "c"], "c"]
    assert not matches({"x": [{"anything-but": "a"}]}, {"y": 1})


def test_anything_but_a_string_lets_other_kinds_through() -> None:
    assert at_x({"anything-but": "5"}, 5, True, None, "5") == [5, True, None]
    assert at_x({"anything-but": 5}, "5", 5, "x", 5.0) == ["5", "x"]
    assert at_x({"anything-but": [5, 6]}, 6, 7) == [7]


@pytest.mark.parametrize("operand", [["a", 1], None, True, [None], [True], {}, [["a"]]])
def test_anything_but_takes_one_kind(operand: Any) -> None:
    assert code({"x": [{"anything-but": operand}]})[1] in ("bad-operand", "empty-object")


def test_anything_but_nests_texts() -> None:
    assert at_x({"anything-but": {"prefix": "a"}}, "ab", "ba", 1, None) == ["ba", 1, None]
    assert at_x({"anything-but": {"suffix": ["a", "b"]}}, "xa", "xb", "xc") == ["xc"]
    assert at_x({"anything-but": {"wildcard": "a*c"}}, "abc", "abd") == ["abd"]
    assert at_x({"anything-but": {"wildcard": ["abc", "x*"]}}, "abc", "xy", "abd") == ["abd"]
    assert at_x({"anything-but": {"equals-ignore-case": ["YES", "no"]}}, "yes", "No", "maybe") == ["maybe"]
    assert code({"x": [{"anything-but": {"prefix": ""}}]}) == ("/x/0/anything-but/prefix", "bad-operand")
    assert code({"x": [{"anything-but": {"suffix": ["a", ""]}}]}) == ("/x/0/anything-but/suffix", "bad-operand")
    assert code({"x": [{"anything-but": {"numeric": ["=", 1]}}]}) == ("/x/0/anything-but", "unknown-key")
    assert code({"x": [{"anything-but": []}]}) == ("/x/0/anything-but", "empty-array")


# 2. numbers
def test_numbers_are_exact_decimals() -> None:
    assert matches('{"x": [300]}', {"x": 300.0})
    assert matches('{"x": [3.0e2]}', {"x": 300})
    assert matches('{"x": [0]}', {"x": -0.0})
    assert not matches('{"x": [0.3]}', {"x": 0.1 + 0.2})
    assert not matches('{"x": [9007199254740993]}', {"x": 9007199254740992})
    assert not matches('{"x": [1]}', {"x": "1"})
    assert not matches('{"x": [true]}', {"x": "true"})
    assert not matches('{"x": [1]}', {"x": True})
    assert not matches('{"x": [true]}', {"x": 1})
    assert matches('{"x": [1e300]}', {"x": 10**300})


def test_a_range_knows_its_bounds() -> None:
    assert at_x({"numeric": [">=", 1, "<", 3]}, 0, 1, 2, 3, "2", None, True) == [1, 2]
    assert at_x({"numeric": ["=", 1.5]}, 1.5, 1) == [1.5]
    assert at_x({"numeric": [">", 1]}, 1, 1.1) == [1.1]
    assert at_x({"numeric": ["<=", 1]}, 1, 1.1) == [1]
    assert at_x({"numeric": [">", 1, "<", 4]}, [0, 5], [0, 2, 5]) == [[0, 2, 5]]


@pytest.mark.parametrize(
    ("operand", "expected"),
    [
        ([">=", 5, "<=", 5], "bad-range"),
        ([">", 7, "<", 5], "bad-range"),
        (["<", 5, ">", 1], "bad-range"),
        ([">", 1, ">", 2], "bad-range"),
        (["!=", 1], "bad-operand"),
        (["=", 1, "<", 2], "bad-operand"),
        ([], "bad-operand"),
        (["<", "1"], "bad-operand"),
        (["<", True], "bad-operand"),
        ("<", "bad-operand"),
        ([{}, 1], "bad-operand"),
    ],
)
def test_a_range_that_is_none_is_refused(operand: Any, expected: str) -> None:
    assert code({"x": [{"numeric": operand}]}) == ("/x/0/numeric", expected)


# 3. null and exists
def test_null_matches_an_explicit_null_only() -> None:
    assert at_x(None, None, [], "null", {}, [None]) == [None, [None]]
    assert not matches({"x": [None]}, {})


def test_exists_sees_leaves() -> None:
    assert at_x({"exists": True}, 1, None, {}, [], [{"y": 1}], {"y": 1}, ["a"], "") == [1, None, ["a"], ""]
    assert at_x({"exists": False}, 1, None, {}, [], [{"y": 1}]) == [{}, [], [{"y": 1}]]
    for event in ({}, {"a": 1}, {"a": {}}, {"a": [1]}):
        assert matches({"a": {"b": [{"exists": False}]}}, event)
    assert code({"x": [{"exists": 1}]}) == ("/x/0/exists", "bad-operand")


def test_absence_is_of_the_whole_array() -> None:
    pattern = {"a": {"b": ["x"], "c": [{"exists": False}]}}
    assert matches(pattern, {"a": [{"b": "x"}, {"b": "y"}]})
    assert not matches(pattern, {"a": [{"b": "x"}, {"b": "y", "c": 1}]})


def test_absence_stands_beside_values() -> None:
    pattern = {"a": ["x", {"exists": False}]}
    assert [matches(pattern, event) for event in ({}, {"a": "x"}, {"a": "y"})] == [True, True, False]


# 4. texts
def test_a_wildcard_matches_any_text_between() -> None:
    assert at_x({"wildcard": "a*b*c"}, "abc", "aXbYc", "ac", "acb", "abcX") == ["abc", "aXbYc"]
    assert at_x({"wildcard": "*"}, "", "x", 1, None) == ["", "x"]
    assert at_x({"wildcard": ""}, "", "x") == [""]
    assert at_x({"wildcard": r"a\*\\*"}, "a*\\", "a*\\b", "axb") == ["a*\\", "a*\\b"]
    assert at_x({"wildcard": "ab*ba"}, "aba", "abba") == ["abba"]
    assert at_x({"wildcard": "*a*a*"}, "a", "aa", "bab", "xaxax") == ["aa", "xaxax"]


@pytest.mark.parametrize("text", ["a**b", "**", r"a\b", "a\\", "*a**"])
def test_a_wildcard_that_is_none_is_refused(text: str) -> None:
    assert code({"x": [{"wildcard": text}]}) == ("/x/0/wildcard", "bad-wildcard")


def test_prefix_and_suffix_take_strings_only() -> None:
    assert at_x({"prefix": "ab"}, "abc", "ab", "a", 12) == ["abc", "ab"]
    assert at_x({"prefix": ""}, "", "x", 1) == ["", "x"]
    assert at_x({"suffix": "bc"}, "abc", "bc", "c") == ["abc", "bc"]
    assert at_x({"prefix": "1"}, 12) == []
    assert code({"x": [{"prefix": ["a"]}]}) == ("/x/0/prefix", "bad-operand")
    assert code({"x": [{"suffix": 1}]}) == ("/x/0/suffix", "bad-operand")


# 5. equals-ignore-case
def test_ignoring_case_is_no_case_folding() -> None:
    def same(text: str, *values: str) -> list[str]:
        return at_x({"equals-ignore-case": text}, *values)

    assert same("straße", "STRASSE", "straSSe", "STRAßE", "strasse") == ["STRASSE", "straSSe", "STRAßE"]
    assert same("STRASSE", "straße", "strasse") == ["strasse"]
    assert same("ς", "Σ", "ς", "σ") == ["Σ", "ς"]
    assert same("Σ", "ς", "σ") == ["σ"]
    assert same("ı", "I", "i") == ["I"]
    assert same("i", "İ", "I") == ["I"]
    assert same("e\u0301", "\u00c9") == []
    assert same("a.b", "A.B", "axb") == ["A.B"]


def test_ignoring_case_nests_in_prefix_and_suffix() -> None:
    assert at_x({"prefix": {"equals-ignore-case": "ab"}}, "ABc", "abc", "cab") == ["ABc", "abc"]
    assert at_x({"suffix": {"equals-ignore-case": "ab"}}, "cAB", "abc", "AB\n", "ababX", "xabab") == ["cAB", "xabab"]


# 6. arrays
def test_two_fields_of_an_array_hold_in_one_element() -> None:
    pattern = {"a": {"b": [1], "c": [2]}}
    assert matches(pattern, {"a": [{"b": 0, "c": 2}, {"b": 1, "c": 2}]})
    assert not matches(pattern, {"a": [{"b": 1, "c": 0}, {"b": 0, "c": 2}]})


def test_they_hold_together_at_every_depth() -> None:
    pattern = {"a": {"b": {"c": [1], "d": [2]}, "e": [3]}}
    assert matches(pattern, {"a": [{"b": [{"c": 0}, {"c": 1, "d": 2}], "e": 3}]})
    assert not matches(pattern, {"a": [{"b": [{"c": 1}, {"d": 2}], "e": 3}]})
    assert not matches(pattern, {"a": [{"b": [{"c": 1, "d": 2}]}, {"e": 3}]})


def test_they_hold_together_inside_or() -> None:
    pattern = {"a": {"b": [1], "$or": [{"c": [2]}, {"d": [3]}]}}
    assert matches(pattern, {"a": [{"b": 1, "d": 3}]})
    assert not matches(pattern, {"a": [{"b": 1}, {"c": 2}, {"d": 3}]})


def test_independent_arrays_are_free() -> None:
    pattern = {"a": {"x": [1]}, "b": {"x": [1]}}
    assert matches(pattern, {"a": [{"x": 0}, {"x": 1}], "b": [{"x": 1}, {"x": 0}]})


def test_nested_arrays_flatten_and_kinds_mix() -> None:
    assert matches({"a": [1]}, {"a": [[0, [1]], 2]})
    assert matches({"a": {"b": [1]}}, {"a": [5, [{"b": 1}]]})


def test_dots_join_in_pattern_and_event() -> None:
    for pattern in ({"a.b": [1]}, {"a": {"b": [1]}}):
        for event in ({"a": {"b": 1}}, {"a.b": 1}, {"a.b": 2, "a": {"b": 1}}, {"a.b": 1, "a": {"b": 2}}):
            assert matches(pattern, event)
        assert not matches(pattern, {"a": {"b.c": 1}})


def test_a_dotted_field_is_free_of_the_array_beside_it() -> None:
    pattern = {"a": {"b": [1], "c": [2], "d": [3]}}
    assert matches(pattern, {"a.b": 1, "a": [{"c": 2, "d": 3}]})
    assert not matches(pattern, {"a.b": 1, "a": [{"c": 2}, {"d": 3}]})
    assert matches(pattern, {"a.b": [1], "a": [{"b": 1, "c": 0}, {"c": 2, "d": 3}]})


def test_a_number_that_no_float_holds_is_one() -> None:
    within = compile_pattern('{"x": [{"numeric": [">", 1e399, "<=", 1e400]}]}')
    assert [each for each in (Decimal("1e399"), Decimal("1e400"), 5) if within.matches({"x": each})] == [
        Decimal("1e400")
    ]
    assert compile_pattern(within.text) == within
    assert code('{"x": [1e99999999999999999999]}') == ("", "not-json")


def calls_of(pattern: Any, event: Any) -> int:
    compiled, calls = compile_pattern(pattern), 0

    def count(_frame: Any, what: str, _given: Any) -> None:
        nonlocal calls
        calls += what in ("call", "c_call")

    sys.setprofile(count)
    try:
        compiled.matches(event)
    finally:
        sys.setprofile(None)
    return calls


def test_long_arrays_cost_linear_time() -> None:
    pattern = {"a": {"b": [1], "c": [2]}, "d": {"e": [3], "f": [4]}}

    def event(n: int) -> Any:
        halves = [*({"b": 1, "e": 3} for _ in range(n)), *({"c": 2, "f": 4} for _ in range(n))]
        return {"a": halves, "d": halves}

    assert calls_of(pattern, event(3_000)) < 2.2 * calls_of(pattern, event(1_500))


@pytest.mark.parametrize(
    "kind",
    [
        lambda n: {"cidr": f"10.{n}.0.0/16"},
        lambda n: {"cidr": f"2001:db8:{n}::/48"},
        lambda n: {"prefix": f"{n}."},
        lambda n: {"suffix": f".{n}"},
        lambda n: {"equals-ignore-case": f"a{n}"},
        lambda n: {"prefix": {"equals-ignore-case": f"a{n}"}},
        lambda n: {"suffix": {"equals-ignore-case": f"a{n}"}},
        lambda n: {"numeric": [">", 10 * n, "<", 10 * n + 5]},
        lambda n: {"anything-but": ["9.9.9.9", f"9.9.{n}.9"]},
    ],
)
def test_many_alternatives_cost_what_few_do(kind: Callable[[int], Any]) -> None:
    event = {"x": [each for n in range(100) for each in (f"9.9.{n}.9", "9.9.9.9", 9)]}
    few, many = ({"x": [kind(n) for n in range(20, 20 + count)]} for count in (2, 40))
    assert calls_of(many, event) < 1.2 * calls_of(few, event)


@pytest.mark.parametrize("name", ["prefix", "suffix", "equals-ignore-case"])
def test_many_excluded_texts_cost_what_few_do(name: str) -> None:
    event = {"x": ["9.9.9.9"] * 100}
    few, many = ({"x": [{"anything-but": {name: ["9.9.9.9", *(f"a{n}" for n in range(count))]}}]} for count in (2, 40))
    assert calls_of(many, event) <= calls_of(few, event)


def test_a_text_is_read_as_an_address_once_whichever_fields_ask() -> None:
    event = {"x": [f"9.9.{n}.9" for n in range(100)]}
    few, many = ({"$or": [{"x": [{"cidr": f"10.{n}.0.0/16"}], "y": [1]} for n in range(count)]} for count in (2, 20))
    assert calls_of(many, event) < 6 * calls_of(few, event)


def test_a_field_that_stands_in_many_combinations_is_asked_once() -> None:
    event = {"x": list(range(100))}
    few, many = ({"x": [{"anything-but": -1}], "$or": [{"y": [n]} for n in range(count)]} for count in (2, 30))
    assert calls_of(many, event) < 3 * calls_of(few, event)


def test_many_combinations_within_an_array_cost_what_few_do() -> None:
    """Else a pattern of 4 KB held a server for seconds on an event of 300 KB."""

    def combined(count: int) -> Any:
        return {"a": {name: {"$or": [{"v": [{"numeric": [">=", n]}]} for n in range(count)]} for name in "xyz"}}

    event = {"a": [{"xyz"[n % 3]: {"v": n % 20}} for n in range(600)]}
    assert not matches(combined(10), event)
    assert calls_of(combined(10), event) < 6 * calls_of(combined(2), event)


def test_arrays_of_one_path_cost_linear_time() -> None:
    """Else an event of 12 KB held a server for ten seconds, whose pattern asks three things of a list's elements."""
    pattern = {"a": {"b": {"x": [1], "y": [1], "z": [1]}}}

    def event(n: int) -> Any:
        apart = [{name: 1} for name in "xyz" for _ in range(n)]
        return {"a.b": apart, "a": {"b": apart}}

    assert not matches(pattern, event(20))
    assert calls_of(pattern, event(60)) < 2.2 * calls_of(pattern, event(30))


def test_two_arrays_of_one_path_hold_together_what_neither_does_alone() -> None:
    pattern = {"a": {"b": {"x": [1], "y": [1], "z": [1]}}}
    event = {"a.b": [{"x": 1}, {"y": 1}], "a": {"b": [{"z": 1}, {"x": 1, "y": 1}]}}
    assert not matches(pattern, event)
    assert matches(pattern, {**event, "a.b": [{"x": 1, "y": 1}, {"y": 1}]})


def test_what_two_arrays_of_one_path_hold_together_is_weighed_up_to_a_limit() -> None:
    names = [f"f{n}" for n in range(18)]
    pattern = {"a": {"b": {name: [1] for name in names}}}
    kinds = [dict.fromkeys(these, 1) for these in combinations(names[:-1], 3)]
    assert len(kinds) ** 2 > JOINED_MAX
    assert not matches(pattern, {"a.b": kinds, "a": {"b": kinds}})
    assert matches(pattern, {"a.b": kinds, "a": {"b": [*kinds, dict.fromkeys(names, 1)]}})
    assert matches(pattern, {"a.b": [{"f17": 1}], "a": {"b": [*kinds, dict.fromkeys(names[:-1], 1)]}})


# 7. $or
def test_or_is_the_operator_over_two_objects() -> None:
    pattern = {"x": [1], "$or": [{"a": [1]}, {"b": [2], "c": [3]}]}
    assert matches(pattern, {"x": 1, "a": 1})
    assert matches(pattern, {"x": 1, "b": 2, "c": 3})
    assert not matches(pattern, {"x": 1, "b": 2})
    assert not matches(pattern, {"a": 1})


def test_or_is_a_fields_name_elsewhere() -> None:
    assert matches({"$or": ["a"]}, {"$or": "a"})
    assert code({"$or": [{"a": [1]}]}) == ("/$or/0", "unknown-key")
    assert code({"$or": [{"a": [1]}, {}]})[1] == "unknown-key"
    assert matches({"$or": [{"prefix": "a"}, {"prefix": "b"}]}, {"$or": "bc"})


def test_or_that_makes_too_many_combinations_is_refused() -> None:
    ten = [{"a": [n]} for n in range(10)]
    assert compile_pattern({"x": {"$or": ten}, "y": {"$or": ten}, "z": {"$or": ten}}).matches(
        {"x": {"a": 1}, "y": {"a": 2}, "z": {"a": 9}}
    )
    assert code({"w": {"$or": ten[:2]}, "x": {"$or": ten}, "y": {"$or": ten}, "z": {"$or": ten}})[1] == "too-complex"


# 8. cidr
def test_cidr_compares_addresses() -> None:
    assert at_x({"cidr": "10.0.0.7/24"}, "10.0.0.255", "10.0.1.0", "nonsense", 10, "::ffff:10.0.0.1") == ["10.0.0.255"]
    assert at_x({"cidr": "2001:DB8::/32"}, "2001:db8::1", "2001:db9::1", "2001:db8::1%eth0") == ["2001:db8::1"]
    assert at_x({"cidr": "0.0.0.0/0"}, "1.2.3.4", "::1") == ["1.2.3.4"]


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1",
        "10.0.0.1/32",
        "::1/128",
        "::ffff:10.0.0.1/100",
        "10.0.0/8",
        "10.0.0.0/-1",
        "10.0.0.0/٣",
        "10.0.0.0/08",
        "/8",
    ],
)
def test_a_cidr_that_is_none_is_refused(text: str) -> None:
    assert code({"x": [{"cidr": text}]}) == ("/x/0/cidr", "bad-cidr")


# ours
def test_contains_all_wants_every_scalar_in_one_array() -> None:
    wanted = {"contains-all": ["a", "b", 1]}
    assert at_x(wanted, ["b", 1.0, "a", "c"], ["a", "b"], "a", [["a", "b", 1]], [["a"], ["b", 1]]) == [
        ["b", 1.0, "a", "c"],
        [["a", "b", 1]],
    ]
    pattern = {"items": {"tags": [{"contains-all": ["a", "b"]}], "n": [1]}}
    assert matches(pattern, {"items": [{"tags": ["a", "b"], "n": 1}]})
    assert not matches(pattern, {"items": [{"tags": ["a", "b"], "n": 2}, {"tags": ["a"], "n": 1}]})
    for operand in ([], "a", [["a"]], [{}]):
        assert code({"x": [{"contains-all": operand}]})[1] == "bad-operand"


# what is no pattern
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{", ("", "not-json")),
        ("[]", ("", "not-json")),
        ('"a"', ("", "not-json")),
        ('{"a": [NaN]}', ("", "not-json")),
        ('{"a": ["\\ud800"]}', ("", "not-json")),
        ({"a": object()}, ("", "not-json")),
        ('{"a": [1], "a": [2]}', ("", "duplicate-key")),
        ({}, ("", "empty-object")),
        ({"a": {}}, ("/a", "empty-object")),
        ({"a": []}, ("/a", "empty-array")),
        ({"a": "x"}, ("/a", "leaf-not-array")),
        ({"a": None}, ("/a", "leaf-not-array")),
        ({"a": [{}]}, ("/a/0", "empty-object")),
        ({"a": [{"nope": 1}]}, ("/a/0", "unknown-key")),
        ({"a": [{"prefix": "a", "suffix": "b"}]}, ("/a/0", "many-keys")),
        ({"a": [[1]]}, ("/a/0", "bad-operand")),
        ({"a/b": {"~": [{"nope": 1}]}}, ("/a~1b/~0/0", "unknown-key")),
        ({"a": ["x" * 4_096]}, ("", "too-complex")),
        ({"a": [{"wildcard": "*" + "a*" * 32}]}, ("", "too-complex")),
    ],
)
def test_what_is_no_pattern_is_refused_where_it_is_wrong(pattern: Any, expected: tuple[str, str]) -> None:
    assert code(pattern) == expected


def test_the_text_is_kept_and_compares() -> None:
    first, second = compile_pattern({"type": ["a"]}), compile_pattern('{ "type" : ["a"] }')
    assert first == second
    assert repr(second) == 'Pattern({"type":["a"]})'
    assert not first.reads_data
    assert compile_pattern({"data": {"x": [1]}}).reads_data


def test_only_paths_in_use_are_walked() -> None:
    found = find({"a": {"b": 1, "c": 2}, "d": 3}, Paths([("a", "b")]))
    assert found == {("a", "b"): [(1, ())]}
