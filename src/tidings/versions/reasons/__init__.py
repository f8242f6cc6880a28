"""The reasons that an answer may have, in words: what is in the way, and the next legal step."""
