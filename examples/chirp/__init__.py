"""Chirp, the reference application: services that know each other only by their events."""
