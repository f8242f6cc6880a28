"""Webhooks that arrive: whether a request is what its sender signed, and which events it holds. Pure, without I/O."""
