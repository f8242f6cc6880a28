"""Chirp's tests, as its authors would write them: stories told to the fixture `scenario`."""
