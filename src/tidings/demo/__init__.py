"""The demonstration: Chirp's real server against a generator that duplicates, delays, reorders and back-dates."""
