"""Runs of a scope: whole lists, changes, single items, each page in one transaction."""
