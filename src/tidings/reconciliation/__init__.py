"""Comparing with what another system lists: what was missed is found, and how far the copy is right is proved."""
