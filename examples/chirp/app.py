"""All of Chirp as one application: `tidings run chirp.app:app` from the folder above runs its services together."""

from __future__ import annotations

import os

from chirp.bookmarks import bookmarks
from chirp.events import OrderDeleted
from chirp.lists import lists
from chirp.orders import Order, orders
from chirp.reconciled import PERIOD, TillOrders
from chirp.sent import PartnerTaken
from chirp.till import TOLD, open_door
from chirp.users import users
from tidings import App

app = App(users, lists, bookmarks, orders)
if secret := os.environ.get("CHIRP_TILL_SECRET"):
    open_door(app, secret)
till = os.environ.get("CHIRP_TILL_URL", "")
events = [*TOLD.values(), OrderDeleted]
app.reconcile("till-orders", Order, TillOrders(till), events=events, every=PERIOD if till else None)
partner = os.environ.get("CHIRP_PARTNER_URL", "")
app.reconcile_endpoint("partner-webhooks", "partner", PartnerTaken(partner), every=PERIOD if partner else None)
