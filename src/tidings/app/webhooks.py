"""How webhooks are sent, as the settings say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from tidings import __version__
from tidings.app.declared import Known
from tidings.app.tables import Carrying
from tidings.errors import SettingError
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.settings import PREFIX, Settings
from tidings.store.driver import StoreDriver
from tidings.webhooks.deliver.addresses import Allowed, Network
from tidings.webhooks.deliver.attempting import Manner
from tidings.webhooks.deliver.dispatcher import Dispatcher
from tidings.webhooks.deliver.fanout import FanOut
from tidings.webhooks.deliver.posting import Sends
from tidings.webhooks.sealing import Keyring, keyring_of

PORT_MAX = 65_535


class Added:
    """Tells those who wait that this process has added deliveries to endpoints. Other processes' are not told.

    `count`: how often it has.
    """

    def __init__(self) -> None:
        self.count = 0
        self._next = asyncio.Event()

    def tell(self) -> None:
        """Wake all who wait."""
        self.count += 1
        self._next.set()
        self._next = asyncio.Event()

    async def beyond(self, count: int, *, seconds: float) -> None:
        """Come back once more were added than when it was this count, and after these seconds at the latest."""
        if self.count == count:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._next.wait(), seconds)


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What sends webhooks in an open application: who finds for whom an event is, and who sends it."""

    fan_out: FanOut
    dispatcher: Dispatcher
    manner: Manner
    added: Added = field(default_factory=Added)

    def join(self, carrying: Carrying) -> None:
        """Have these consumers find whom events go to, and tell what sends when they have."""
        carrying.send_webhooks(self.fan_out)
        # Not after those of others: what it has added in a unit that is still open would be taken for kept.
        carrying.moves.listen(self.kept, consumer=self.fan_out.name)

    def kept(self) -> None:
        """Be told that the consumer that finds whom events go to has kept a page."""
        if self.fan_out.take_added():
            self.dispatcher.wake()
            self.added.tell()


def webhooks_of(
    settings: Settings, known: Known, *, log: Log, store: StoreDriver, ports: Ports, owner: str
) -> Webhooks:
    """Return what sends webhooks. SettingError."""
    manner = Manner(
        keyring=keyring(settings),
        lineages=known.versions.lineages,
        marks=lambda: known.keeper.marks,
        delays=delays(settings),
        release=__version__,
        in_flight=settings.delivery_in_flight,
        total_s=settings.delivery_timeout,
    )
    dispatcher = Dispatcher(
        manner,
        sender_of(settings, ports),
        log=log,
        store=store,
        ports=ports,
        owner=owner,
    )
    return Webhooks(FanOut(known.versions.lineages), dispatcher, manner)


def keyring(settings: Settings) -> Keyring:
    """Return the master keys. SettingError."""
    return keyring_of(settings.master_key)


def is_local(settings: Settings) -> bool:
    """Say whether the server listens to this machine alone, where secrets may be kept as they are."""
    try:
        return ip_address(settings.host).is_loopback
    except ValueError:
        return settings.host == "localhost"


def delays(settings: Settings) -> Sequence[float]:
    """Return the seconds before each attempt."""
    return tuple(float(each) for each in settings.delivery_delays.split(","))


def allowed(settings: Settings) -> Allowed:
    """Return where webhooks may be sent to. SettingError."""
    return Allowed(
        subnets=tuple(map(_network, _parts(settings.delivery_subnets))),
        ports=frozenset(map(_port, _parts(settings.delivery_ports))),
        http=settings.delivery_http == "on",
    )


def sender_of(settings: Settings, ports: Ports) -> Callable[[], Sends]:
    """Return what opens a sender; what it cannot be made of is told now. SettingError."""
    may, proxy = allowed(settings), settings.delivery_proxy

    def open_sender() -> Sends:
        from tidings.webhooks.deliver.limits import Limits
        from tidings.webhooks.deliver.sending import Sender

        limits = Limits(total_s=settings.delivery_timeout, connect_s=settings.delivery_connect_timeout)
        return Sender(ports.clock, may, limits=limits, proxy=proxy)

    return open_sender


def _parts(text: str | None) -> Sequence[str]:
    return () if text is None else [each.strip() for each in text.split(",")]


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise SettingError(f"{PREFIX}DELIVERY_SUBNETS: {error}; write networks such as 10.1.0.0/16") from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= PORT_MAX):
        raise SettingError(f"{PREFIX}DELIVERY_PORTS: {text!r:.20} is no port; write ports such as 443,8443")
    return int(text)
