"""What operators do with receivers, over an open application."""

from __future__ import annotations

from tidings.app.opened import Opened
from tidings.app.webhooks import is_local, keyring
from tidings.operations.receiver_trial import Trying
from tidings.operations.receivers import Receivers


def receivers_of(opened: Opened) -> Receivers:
    """Return what may be done with receivers, and with what came to them."""
    return Receivers(
        store=opened.store,
        ports=opened.ports,
        roster=opened.roster,
        retelling=opened.retelling,
        making=opened.making,
        keyring=keyring(opened.settings),
        is_local=is_local(opened.settings),
        begun=opened.alarms.begun,
    )


def trying_of(opened: Opened) -> Trying:
    """Return what tries requests to receivers, and keeps nothing."""
    return Trying(store=opened.store, retelling=opened.retelling, making=opened.making)
