"""Webhooks that arrive: whether a request is what its sender signed, and which events it holds. Pure, without I/O.

| module | what others call |
|---|---|
| `scheme`, `places`, `preset`, `keys` | `Scheme`, `Preset`, `Answers`, `Handshake`, `Key`; `check_keys(…)` at start |
| `presets` | `PRESETS`: every provider's preset by its name |
| `verdict` | `RequestFacts`, `Accepted`, `Rejected` |
| `verify` | `verify(schemes, headers, body, request, keys, now) -> Accepted or Rejected`; it never raises |
| `sign` | `sign(scheme, body, request, keys, *, id, at) -> Signed`: headers, query and body to send |
| `handshake` | `before_body(…)` and `after_verify(…) -> Answer or None` |
| `read` | `read(preset, headers, body) -> tuple of Item`; `TranslationError` |

The order in which a receiver calls them is fixed: `before_body`, `verify` over the raw bytes, `after_verify`, `read`.
"""
