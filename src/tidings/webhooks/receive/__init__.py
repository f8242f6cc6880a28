"""Webhooks that arrive: whether a request is what its sender signed, and which events it holds. Pure, without I/O.

| module | what others call |
|---|---|
| `scheme`, `places`, `preset`, `keys` | `Scheme`, `Preset`, `Answers`, `Handshake`, `Key`; `check_keys(…)` at start |
| `presets` | `PRESETS`: every provider's preset by its name |
| `verdict` | `RequestFacts`, `Accepted`, `Rejected` |
| `given` | `Given(headers, body, request)`: a request as it came |
| `verify` | `Verifier(schemes, keys).judge(given, now_us) -> Accepted or Rejected`; `verify(…)`: of one request |
| `sign` | `sign(scheme, body, request, keys, *, id, at) -> Signed`: headers, query and body to send |
| `handshake` | `before_body(…)` and `after_verify(…) -> Answer or None` |
| `read` | `Reader(preset).read(given) -> tuple of Item`, `TranslationError`; `read(…)`: of one request |

The order in which a receiver calls them is fixed: `before_body`, `verify` over the raw bytes, `after_verify`, `read`.
"""
