"""What is not there: one sentence, which the command line and HTTP say alike, with 2 and with 404."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.acceptance.place import Place

LOOK = "look for it among those that are listed"
GONE = f"it was handled or dropped, or is misspelt: {LOOK}"


@dataclass(frozen=True)
class Served:
    """A place with a server on its database."""

    place: Place
    url: str

    def problem(self, method: str, path: str) -> tuple[int, str]:
        """Return the status and the sentence of the answer to such a request, with a body if it changes something."""
        body = None if method == "GET" else json.dumps({"reason": "x"} if path.endswith(("pause", "drop")) else {})
        headers = {"idempotency-key": f'"{path}"', "content-type": "application/json"}
        asked = urllib.request.Request(self.url + path, None if body is None else body.encode(), headers, method=method)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(asked, timeout=60)
        with refused.value as answer:
            problem = json.loads(answer.read())
        assert problem["type"] == "urn:tidings:problem:not-found"
        return answer.code, problem["detail"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    place = Place(tmp_path_factory.mktemp("shop"))
    assert place.emit("1", 5, id="order-1").code == 0
    with place.serving() as url:
        yield Served(place, url)


SAID = [
    ("consumers pause stok --reason x", "GET /consumers/stok", "consumer 'stok'; there is "),
    ("consumers resume stok", "POST /consumers/stok/resume", "consumer 'stok'; there is "),
    ("log replay stok --from-position 1", "POST /consumers/stok/pause", "consumer 'stok'; there is "),
    ("deliveries show x", "GET /deliveries/x", f"delivery 'x'; {LOOK}"),
    ("deliveries retry x", "POST /deliveries/x/retry", f"delivery 'x'; {LOOK}"),
    ("deliveries cancel x", "POST /deliveries/x/cancel", f"delivery 'x'; {LOOK}"),
    ("deliveries list --endpoint x", "GET /deliveries?endpoint=x", "endpoint 'x'; there is none"),
    ("endpoints show x", "GET /endpoints/x", "endpoint 'x'; there is none"),
    ("endpoints test x", "POST /endpoints/x/test", "endpoint 'x'; there is none"),
    ("receivers show nope", "GET /receivers/nope", "receiver 'nope'; there is none"),
    ("receivers replay nope 9", "GET /receivers/nope/receipts/9", "receiver 'nope'; there is none"),
    ("views show orders.oder", "GET /views/orders/oder", "view 'orders.oder'; there is "),
    ("views show a/b", None, "view 'a/b'; there is "),
    ("views rebuild orders.oder", None, "view 'orders.oder'; there is "),
    ("dead show x", "GET /dead-letters/x", f"dead letter 'x'; {GONE}"),
    ("dead redrive x", "POST /dead-letters/x/redrive", f"dead letter 'x'; {GONE}"),
    ("dead show stock 9", None, f"parked subject '9' of stock; {LOOK}"),
    ("log show web x", "GET /events/web/x", f"event 'x' of web; {LOOK}"),
    ("versions show nope", "GET /versions/nope", "event type 'nope'; there is "),
    ("versions show order-placed 7", "GET /versions/order-placed/7", "version '7' of order-placed; there is 1"),
    ("emit nope {}", None, "event type 'nope'; there is "),
    ("asof x", "GET /asof/x", "scope 'x'; there is none; app.reconcile(…) declares one"),
    ("reconcile run x", None, "scope 'x'; there is none; app.reconcile(…) declares one"),
    ("keys revoke x", None, f"key 'x'; {LOOK}"),
    ("consumers nope", None, "command 'nope' of tidings consumers; there is begin, pause, resume"),
]


@pytest.mark.parametrize(("command", "request_line", "told"), SAID)
def test_what_is_not_there_is_told_in_one_sentence_by_both_faces(
    served: Served, command: str, request_line: str | None, told: str
) -> None:
    ended = served.place.tidings(*command.split(), TIDINGS_APP="shop:app")
    assert ended.err.startswith(f"tidings: there is no {told}"), ended.err
    assert (ended.code, ended.err.count("\n"), ended.out) == (2, 1, "")
    if request_line is not None:
        status, detail = served.problem(*request_line.split(" "))
        assert (status, detail) == (404, ended.err.removeprefix("tidings: ").rstrip("\n"))


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/nowhere", "path '/nowhere'; /openapi.json lists what is"),
        ("/hooks/nope", "receiver 'nope'; look at the last part of the URL"),
        ("/schemas/order-placed/7", "version '7' of order-placed; there is 1"),
        ("/reconciliations/x", f"run 'x'; {LOOK}"),
        ("/views/orders/order/9", f"row 'order_id=9' of orders.order; {LOOK}"),
        ("/views/orders/order/9/8", "row '9/8'; a row is named by one path segment for each of order_id"),
    ],
)
def test_what_only_http_names_is_told_so_too(served: Served, path: str, told: str) -> None:
    status, detail = served.problem("GET", path)
    assert (status, detail.startswith(f"there is no {told}")) == (404, True), detail
