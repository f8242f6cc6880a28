"""All of Chirp as one application: `tidings run chirp.app:app` from the folder above runs its services together."""

from __future__ import annotations

import os

from chirp.bookmarks import bookmarks
from chirp.lists import lists
from chirp.orders import orders
from chirp.till import open_door
from chirp.users import users
from tidings import App

app = App(users, lists, bookmarks, orders)
if secret := os.environ.get("CHIRP_TILL_SECRET"):
    open_door(app, secret)
