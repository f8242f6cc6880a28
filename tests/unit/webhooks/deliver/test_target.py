from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.errors import EndpointRefusedError
from tidings.webhooks.deliver.addresses import Allowed
from tidings.webhooks.deliver.target import checked, fault_of, fault_of_form


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com:8443/hooks/1?key=2",
        "https://bücher.example/hook",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
        "HTTPS://EXAMPLE.COM/",
        "https://10.example.com/",
        "https://xn--bcher-kva.example/a%20b",
    ],
)
def test_a_public_https_url_is_taken(url: str) -> None:
    assert fault_of(url) is None
    assert checked(url).scheme == "https"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "/hooks",
        "http://example.com/",
        "ftp://example.com/",
        "file:/etc/passwd",
        "unix:///var/run/docker.sock",
        "https://",
        "https:///hooks",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://:@example.com/",
        "https://@example.com/",
        "https://example.com/#part",
        "https://example.com/#",
        "https://exa mple.com/",
        "https://example.com/\r\nhost: x",
        "https://example.com\\@127.0.0.1/",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:port/",
        "https://[::1/",
        "https://127%2e0.0.1/",
        "https://example.com/" + "x" * 2_048,
    ],
)
def test_a_url_that_is_none_of_ours_is_refused(url: str) -> None:
    with pytest.raises(EndpointRefusedError) as caught:
        checked(url)
    assert [where for where, _ in caught.value.errors] == ["/url"]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "127.0.0.1.", "2130706433", "0x7f000001", "017700000001", "0177.0.0.1", "0x7f.1", "0",
        "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]", "[fe80::1]", "[fd00::1]", "10.1.2.3", "192.168.1.1", "169.254.169.254", "0xa9fea9fe",
        "localhost", "LOCALHOST", "localhost.", "api.localhost", "①②⑦.0.0.1", "１２７.0.0.1", "127。0。0。1",
    ],
)  # fmt: skip
def test_a_literal_private_address_is_refused_in_every_spelling(host: str) -> None:
    assert fault_of(f"https://{host}/") is not None
    assert fault_of(f"https://{host}:8443/") is not None


def test_what_a_url_may_begin_with_is_said() -> None:
    assert fault_of_form("ftp://a.test/") == "expected a URL that begins with https://"
    assert fault_of_form("ftp://a.test/", Allowed(http=True)) == "expected a URL that begins with https:// or http://"


def test_a_deployment_may_allow_http_subnets_and_ports() -> None:
    allowed = Allowed(http=True, subnets=(ip_network("127.0.0.0/8"),), ports=frozenset({443, 8080}))
    assert fault_of("http://127.0.0.1:8080/", allowed) is None
    assert fault_of("http://localhost:8080/", allowed) is None
    assert fault_of("http://10.0.0.1:8080/", allowed) is not None
    assert "443, 8080" in (fault_of("http://127.0.0.1:80/", allowed) or "")


@given(st.text(max_size=60) | st.text(max_size=40).map(lambda text: f"https://{text}/"))
def test_the_check_is_total(url: str) -> None:
    why = fault_of(url)
    assert why is None or why
