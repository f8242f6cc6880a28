"""A machine that reads the OpenAPI document asks whatever that allows, and much that it does not.

No answer may be a mistake of the server, or one that the document does not say. The seed makes each run the same.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.acceptance.place import Place

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
)


def asked(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    options = ("--seed", "1", "--max-examples", "6", "--phases", "examples,coverage,fuzzing", "--warnings", "off")
    return subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            "run",
            f"{url}/openapi.json",
            *("--checks", ",".join(CHECKS)),
            *("--exclude-path", "/events/stream"),  # it never ends
            *("--suppress-health-check", "filter_too_much"),  # a path segment has no empty value
            *("--generation-database", "none", "--no-color", "--continue-on-failure"),
            *options,
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=280,
    )


def test_every_answer_is_one_that_the_document_says(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for number, total in enumerate((-1, 5, 7)):
        assert place.emit(f"o-{number}", total, id=str(number)).code == 0
    with place.serving() as url:
        ended = asked(url)
    assert ended.returncode == 0, ended.stdout[-8_000:] + ended.stderr[-2_000:]


def test_every_answer_to_a_key_that_may_little_is_one_that_the_document_says(tmp_path: Path) -> None:
    place = Place(tmp_path)
    made = place.tidings("keys", "add", "machine", "--scope", "events:read", "--json")
    with place.serving() as url:
        ended = asked(url, "--header", f"Authorization: Bearer {made.json['token']}", "--max-examples", "2")
    assert ended.returncode == 0, ended.stdout[-8_000:] + ended.stderr[-2_000:]
