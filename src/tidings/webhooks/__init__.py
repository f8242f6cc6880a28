"""Webhooks: `receive` takes them in, `deliver` sends them out. The two do not know each other."""
