"""The copy of what another system has: its rows, what is merged into it, what repairs it."""
