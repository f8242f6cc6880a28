"""What is kept of a scope: its notes, what was found, its runs."""
