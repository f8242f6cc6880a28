"""The requests that servers are measured with: bookmarks as structured CloudEvents, the same bytes for every side."""

from __future__ import annotations

import hmac
import random
import time
from collections.abc import Iterator
from itertools import count

from benchmarks.events import SECRET, SOURCE, facts
from tidings.events.codec import encode_json

_TIME = "2026-02-02T02:40:00.000000Z"
_ID, _TWEET, _USER = "0" * 36, "t" + "0" * 13, "u" + "0" * 12


def appends(port: int, *, seed: int) -> Iterator[bytes]:
    """Yield `POST /events` of one event each without end, with random ids and 300 bytes of data: 2 µs apiece."""
    template, draw = _template(port), random.Random(seed)
    for number in count():
        bits = draw.getrandbits(160)
        tweet = b"t%013d" % (bits >> 120)
        digits = b"%030x" % (bits & (1 << 120) - 1)
        id = b"%s-%s-4%s-a%s-%s" % (digits[:8], digits[8:12], digits[12:15], digits[15:18], digits[18:])
        yield template % (id, tweet, tweet, b"u%07d%05d" % (number % 10_000_000, bits & 0xFFFF))


def deliveries(port: int, *, seed: int) -> Iterator[bytes]:
    """Yield `POST /hooks/till` of one delivery each without end, signed as Stripe signs: 5 µs apiece."""
    draw, key = random.Random(seed), SECRET.encode()
    _, _, text = next(facts(0))
    about = encode_json({"object": {"id": _TWEET, "text": text}}).replace(b'"%s"' % _TWEET.encode(), b'"%s"')
    form = b'{"id":"evt_%032x","type":"invoice.paid","created":%d,"data":' + about.replace(b"%", b"%%") + b"}"
    form = form.replace(b'"%%s"', b'"t%013d"')
    head = (
        b"POST /hooks/till HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-type: application/json\r\n"
        b"stripe-signature: t=%d,v1=%s\r\ncontent-length: %d\r\n\r\n"
    )
    while True:
        now, bits = int(time.time()), draw.getrandbits(128)
        body = form % (bits, now, bits >> 88)
        signature = hmac.digest(key, b"%d.%s" % (now, body), "sha256").hex().encode()
        yield head % (port, now, signature, len(body)) + body


def _template(port: int) -> bytes:
    """Return a request in which four values are left open: id, subject, and in the data tweet and user."""
    _, _, text = next(facts(0))
    body = encode_json(
        {
            "specversion": "1.0",
            "id": _ID,
            "source": SOURCE,
            "type": "tweet-bookmarked",
            "subject": _TWEET,
            "time": _TIME,
            "datacontenttype": "application/json",
            "data": {"tweet_id": _TWEET, "user_id": _USER, "text": text},
        }
    )
    head = (
        f"POST /events HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\naccept: application/json\r\n"
        f"content-type: application/cloudevents+json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    whole = head.encode() + body
    for value in (_ID, _TWEET, _USER):
        whole = whole.replace(b'"%s"' % value.encode(), b'"%s"')
    return whole
