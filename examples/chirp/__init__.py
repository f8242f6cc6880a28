"""Chirp, the reference application: three services in one app. `tidings run chirp:app` from the folder above."""

from __future__ import annotations

from chirp.bookmarks import bookmarks
from chirp.lists import lists
from chirp.users import users
from tidings import App

app = App(users, lists, bookmarks)
