"""Every attribute's type and limit, at the limit and one beyond it."""

from __future__ import annotations

from typing import Any

import pytest

from tidings.errors import EnvelopeError, EnvelopeTooLargeError
from tidings.events.envelope import Envelope
from tidings.events.rules import ATTRIBUTES_BYTES_MAX, DATA_BYTES_MAX, EXTENSIONS_MAX, checked

FIELDS = {"dataversion": "version"}
OWN = {"id", "source", "type", "dataversion", "subject", "time"}
NOT_TEXT = ["\x00", "\x1f", "\x7f", "\x80", "\x9f", "\ufdd0", "\ufdef", "\ufffe", "\U0001ffff", "\U0010fffe", "\ud800"]
INT32 = (-(2**31), 2**31 - 1)


def envelope(**attributes: Any) -> Envelope:
    fields: dict[str, Any] = {"id": "1", "source": "web", "type": "t"}
    more = {}
    for name, value in attributes.items():
        if name in OWN:
            fields[FIELDS.get(name, name)] = value
        else:
            more[name] = value
    return Envelope(**fields, attributes=more)


def accepts(**attributes: Any) -> None:
    given = envelope(**attributes)
    assert checked(given) is given


def refuses(name: str, value: Any) -> str:
    with pytest.raises(EnvelopeError) as found:
        checked(envelope(**{name: value}))
    assert type(found.value) is EnvelopeError
    [(pointer, why)] = found.value.errors
    assert pointer == "/" + name
    assert why in str(found.value)
    return why


@pytest.mark.parametrize(
    ("name", "most"), [("id", 256), ("type", 255), ("subject", 1024), ("correlationid", 256), ("causationid", 256)]
)
def test_a_text_is_at_least_one_character_and_at_most_its_limit(name: str, most: int) -> None:
    accepts(**{name: "x"})
    accepts(**{name: "x" * most})
    accepts(**{name: "😀" * (500 if name == "subject" else most)})
    assert refuses(name, "x" * (most + 1)) == f"expected 1 to {most:,} characters, got {most + 1:,}"
    assert refuses(name, "") == f"expected 1 to {most:,} characters, got 0"


def test_a_subject_has_at_most_as_many_bytes_as_every_store_finds_it_by() -> None:
    accepts(subject="😀" * 499 + "éé")
    assert (
        refuses("subject", "😀" * 500 + "x") == "more than 2,000 bytes of UTF-8, by which not every store can find it"
    )


@pytest.mark.parametrize("name", ["id", "type", "subject", "correlationid", "partitionkey", "traceparent", "myext"])
@pytest.mark.parametrize("character", NOT_TEXT)
def test_control_characters_noncharacters_and_half_surrogates_are_in_no_text(name: str, character: str) -> None:
    assert "it holds a control character" in refuses(name, f"a{character}b")


@pytest.mark.parametrize("text", [" ", "~", "\xa0", "é", "\u2028", "\ufdcf", "\ufdf0", "\ufffd", "\U0001fffd", "😀"])
def test_every_other_character_may_be_in_a_text(text: str) -> None:
    accepts(id=text, type=text, subject=text, correlationid=text, myext=text)


@pytest.mark.parametrize("name", ["id", "source", "type", "correlationid", "traceparent", "dataschema", "dataref"])
@pytest.mark.parametrize("value", [5, True, None, ["web"], b"web", 1.5])
def test_a_text_is_a_string_and_nothing_else(name: str, value: Any) -> None:
    assert refuses(name, value).startswith("expected a string, got ")


def test_a_source_is_a_uri_reference_of_at_most_1024_bytes() -> None:
    for source in ("web", "/a/b", "urn:uuid:6e8bc430", "https://example.com/%C3%A9?a#b", "x" * 1024):
        accepts(source=source)
    for source in ("", "x" * 1025):
        refuses("source", source)
    for source in ("a b", "é", "%zz", "http://[::1", "a\x00"):
        assert "RFC 3986" in refuses("source", source) or "control character" in refuses("source", source)


@pytest.mark.parametrize("version", [1, 2, 2**31 - 1])
def test_a_version_is_a_whole_number_from_1_to_the_largest_of_32_bits(version: int) -> None:
    accepts(dataversion=version)


@pytest.mark.parametrize("version", [0, -1, 2**31, True, 1.0, "1", None])
def test_anything_else_is_no_version(version: Any) -> None:
    assert refuses("dataversion", version) == "expected a whole number from 1 to 2147483647"


TIMES = ["time", "recordedtime", "expirytime", "deprecationfrom", "deprecationsunset"]


@pytest.mark.parametrize("name", TIMES)
def test_a_timestamp_has_an_offset_and_may_have_second_60(name: str) -> None:
    for text in ("2026-01-01T00:00:00Z", "2026-06-30T23:59:60Z", "2026-01-01t00:00:00.123456789-03:30"):
        accepts(**{name: text})
    for text in ("2026-01-01T00:00:00", "2026-01-01", "2026-06-30T23:59:61Z", "now", ""):
        refuses(name, text)
    refuses(name, 1_700_000_000)


def test_a_time_with_a_fraction_of_any_length_is_kept_up_to_the_total() -> None:
    accepts(time="2026-01-01T00:00:00." + "1" * 1_000 + "Z")
    with pytest.raises(EnvelopeTooLargeError):
        checked(envelope(time="2026-01-01T00:00:00." + "1" * ATTRIBUTES_BYTES_MAX + "Z"))


@pytest.mark.parametrize("name", ["dataschema", "deprecationmigration"])
def test_a_uri_is_absolute_and_has_at_most_1024_characters(name: str) -> None:
    accepts(**{name: "https://example.com/" + "x" * 1004})
    refuses(name, "https://example.com/" + "x" * 1005)
    for text in ("/schemas/1", "web", "", "a b:c"):
        refuses(name, text)


def test_a_data_reference_is_a_uri_reference() -> None:
    accepts(dataref="/data/1")
    accepts(dataref="https://example.com/data/1")
    refuses("dataref", "a b")


def test_a_content_type_is_a_media_type_of_at_most_255_characters() -> None:
    for text in ("application/json", "text/plain; charset=iso-8859-1", "a/" + "b" * 253, "a/vnd.b+json;charset=UTF-8"):
        accepts(datacontenttype=text)
    for value in ("json", "", "a/b c", "a/" + "b" * 254, 5, True, None):
        assert refuses("datacontenttype", value).startswith("expected a media type of at most 255 characters")


def test_a_json_content_type_names_no_other_charset() -> None:
    assert refuses("datacontenttype", "application/json; charset=utf-16") == (
        "JSON is always UTF-8, not utf-16: send application/json"
    )


def test_deprecated_is_a_boolean() -> None:
    accepts(deprecated=True)
    for value in ("true", 1, None):
        assert refuses("deprecated", value).startswith("expected true or false")


def test_an_extension_is_a_string_a_number_of_32_bits_or_a_boolean() -> None:
    for value in ("", "x" * 10_000, True, False, 0, *INT32):
        accepts(myext=value)
    for number in (INT32[0] - 1, INT32[1] + 1):
        assert refuses("myext", number).startswith("a number must be whole and from -2147483648 to 2147483647")
    for value in (1.5, None, [], {}, b""):
        assert refuses("myext", value).startswith("expected a string, a whole number, true or false, got ")


@pytest.mark.parametrize("name", ["a", "0", "x" * 20, "x" * 40, "partitionkey2"])
def test_a_name_is_lower_case_letters_and_digits_and_a_long_one_is_accepted(name: str) -> None:
    accepts(**{name: "x"})


@pytest.mark.parametrize("name", ["", "A", "my-ext", "my_ext", "é", "a b", "data", "data_base64", "specversion", "a\n"])
def test_anything_else_is_no_name(name: str) -> None:
    with pytest.raises(EnvelopeError, match="no attribute may have this name") as found:
        checked(Envelope(id="1", source="web", type="t", attributes={name: "x"}))
    assert found.value.errors[0][0] == "/" + name


def test_a_field_is_no_attribute_beside_itself() -> None:
    for name in sorted(OWN):
        with pytest.raises(EnvelopeError, match="no attribute may have this name"):
            checked(Envelope(id="1", source="web", type="t", attributes={name: "x"}))


def test_there_are_at_most_32_extensions_beside_the_known_attributes() -> None:
    known = {"datacontenttype": "application/json", "correlationid": "1", "traceparent": "x", "sequence": "5"}
    accepts(**known, **{f"e{n}": n for n in range(EXTENSIONS_MAX)})
    with pytest.raises(EnvelopeError, match="33 extension attributes are more than the limit of 32"):
        checked(envelope(**{f"e{n}": n for n in range(EXTENSIONS_MAX + 1)}))


@pytest.mark.parametrize("filler", ["x", "é"])
def test_all_attributes_together_have_at_most_16_kib(filler: str) -> None:
    size = len(filler.encode())
    named = len("1" + "web" + "t" + "count" + "77" + "flag" + "true" + "text")
    most = (ATTRIBUTES_BYTES_MAX - named) // size
    rest = "x" * (ATTRIBUTES_BYTES_MAX - named - most * size)
    accepts(count=77, flag=True, text=filler * most + rest)
    with pytest.raises(EnvelopeTooLargeError, match="bytes of attributes are more than the limit of 16,384"):
        checked(envelope(count=77, flag=True, text=filler * most + rest + "x"))


def test_the_longest_fields_alone_are_within_the_total() -> None:
    accepts(id="😀" * 256, type="😀" * 255, subject="😀" * 500, source="x" * 1024, time="2026-01-01T00:00:00Z")


def test_data_has_at_most_256_kib_unless_set_otherwise() -> None:
    data = b"x" * DATA_BYTES_MAX
    assert DATA_BYTES_MAX == 262_144
    checked(Envelope(id="1", source="web", type="t", data=data))
    with pytest.raises(EnvelopeTooLargeError, match="262,145 bytes of data are more than the limit of 262,144"):
        checked(Envelope(id="1", source="web", type="t", data=data + b"x"))
    checked(Envelope(id="1", source="web", type="t", data=b"xx"), data_bytes_max=2)
    with pytest.raises(EnvelopeTooLargeError):
        checked(Envelope(id="1", source="web", type="t", data=b"xxx"), data_bytes_max=2)
