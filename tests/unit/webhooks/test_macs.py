"""An HMAC whose key is worked in once is the standard library's."""

from __future__ import annotations

import hmac

from hypothesis import given
from hypothesis import strategies as st

from tidings.webhooks.macs import mac_of


@given(
    hash=st.sampled_from(["sha1", "sha256", "sha512"]),
    key=st.binary(max_size=300) | st.sampled_from([bytes(size) for size in (0, 63, 64, 65, 127, 128, 129)]),
    contents=st.lists(st.binary(max_size=300), min_size=1, max_size=3),
)
def test_each_content_has_the_same_hmac_as_by_the_standard_library(
    hash: str, key: bytes, contents: list[bytes]
) -> None:
    mac = mac_of(hash, key)
    assert [mac(content) for content in contents] == [hmac.digest(key, content, hash) for content in contents]
