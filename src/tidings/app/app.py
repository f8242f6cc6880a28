"""What a user makes of services: an application that can be opened over a log and a store."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tidings import settings as setting
from tidings.app.declared import Declared
from tidings.app.opened import Opened
from tidings.app.opening import open_services
from tidings.app.recovering import recover
from tidings.app.scopes import checked_copy, checked_endpoint, checked_party, event_classes, times_of
from tidings.errors import DeclarationError, RefusedError, SettingError
from tidings.events.catalog import Catalog
from tidings.log.driver import Position
from tidings.operations.endpoints import Endpoints
from tidings.ports import Ports
from tidings.reconciliation.copy.mirror import mirror_name
from tidings.reconciliation.listing import CopyScope, EndpointScope, Listing, Lists, Scope
from tidings.reconciliation.outbound.party.holds import Holds, PartyScope
from tidings.reconciliation.rules.times import Every
from tidings.services.context import Context
from tidings.services.service import Service
from tidings.settings import Settings
from tidings.versions.known import Versions
from tidings.views.declaration import ViewSpec
from tidings.webhooks.intake.intake import Outcome
from tidings.webhooks.intake.receiver import Receiver
from tidings.webhooks.receive.keys import Key
from tidings.webhooks.receive.preset import Preset
from tidings.webhooks.receive.scheme import Scheme


class App:
    """Services over one log and one store. `tidings run module:app` serves it; `async with app.open():` embeds it.

    `lock`: the path of its `events.lock.json`, which knows the versions that have no class any more; None: it has none.
    DeclarationError if two services have one name, two classes are declared as one event, or a view lacks something;
    TransformerChainError if steps between versions do not join; SchemaChangedError if a published version changed.
    """

    def __init__(self, *services: Service, lock: str | os.PathLike[str] | None = None) -> None:
        found: dict[str, Service] = {}
        for service in services:
            if not isinstance(service, Service):
                raise DeclarationError(f"{service!r:.80} is no service: write App(Service('orders'), …)")
            if service.name in found:
                raise DeclarationError(f"two services are named {service.name!r}: give one of them another name")
            found[service.name] = service
        self.services: Mapping[str, Service] = MappingProxyType(found)
        self.receivers: dict[str, Receiver] = {}
        self.scopes: dict[str, Scope] = {}
        self.lock = None if lock is None else Path(lock)
        Catalog(self.events)  # whoever declares an event twice is told so here
        _check_tables(self.views)
        self._opened: Opened | None = None

    @property
    def declared(self) -> Declared:
        """What it consists of."""
        return Declared(
            tuple(self.services.values()), tuple(self.receivers.values()), self.lock, tuple(self.scopes.values())
        )

    @property
    def versions(self) -> Versions:
        """What is known of the events' versions, from their classes and the lock file."""
        return self.declared.versions()

    @property
    def views(self) -> tuple[ViewSpec, ...]:
        """The views of all services, as they read every version of their events."""
        versions = self.versions
        return tuple(view.reading(versions) for service in self.services.values() for view in service.views)

    @property
    def events(self) -> tuple[type, ...]:
        """Every event class that a service or a receiver names, each once."""
        return self.declared.events

    @property
    def catalog(self) -> Catalog:
        """Those classes by type and version. DeclarationError if two of them are declared as one event."""
        return Catalog(self.events, older=self.versions.older())

    def receiver(
        self,
        id: str,
        preset: Preset | Scheme,
        *,
        secrets: Sequence[str | Key],
        source: str,
        public_url: str | None = None,
        expected_every: timedelta | None = None,
    ) -> Receiver:
        """Declare the door for one provider's webhooks, which come to `/hooks/{id}`, and return it to be told more.

        `preset`: one of `tidings.webhooks.receive.presets.PRESETS`, one of your own, or a bare Scheme. `secrets`: all
        that hold now, so that one can be exchanged. `source`: of its events, a URI-reference; receivers of one source
        know each other's deliveries. `public_url`: where the provider sends to, if it signs that. `expected_every`:
        silence for longer than this raises `receiver.silent`. DeclarationError, also for a secret that is missing.
        """
        if id in self.receivers:
            raise DeclarationError(f"two receivers are named {id!r}: give one of them another id")
        if self._opened is not None:
            raise RefusedError("the app is open: declare its receivers before")
        made = Receiver(
            id, preset, secrets=secrets, source=source, public_url=public_url, expected_every=expected_every
        )
        caller = sys._getframe(1)  # so that whoever wants it changed is told where
        made.declared_at = f"{caller.f_globals.get('__name__', 'the code')}, line {caller.f_lineno}"
        self.receivers[id] = made
        return made

    def reconcile(
        self,
        name: str,
        view: type,
        listing: Listing,
        *,
        events: Sequence[type],
        every: Every | tuple[Every, Every] | None = None,
        account: str = "",
    ) -> CopyScope:
        """Keep a copy of what a provider lists, and prove it right: what was missed is found, and repaired by events.

        `name`: of the scope, such as `till-orders`. `view`: the class of the copy's rows, a view without folds.
        `events`: the event classes that `listing` reads. `every`: when the whole list is read: `timedelta(hours=1)`
        from one start to the next, or as cron says, `"0 3 * * *"`, in UTC; of a pair the second one is when what has
        changed is read; None: only when asked for. `account`: scopes of one account share its rate. DeclarationError.
        """
        self._check_scope(name)
        classes = event_classes(name, events)
        whole, changes = times_of(name, every)
        scope = CopyScope(
            name=name,
            view=view,
            listing=listing,
            events=classes,
            every=whole,
            changes_every=changes,
            account=account,
        )
        made = checked_copy(scope, self.views, self.scopes.values())
        self.scopes[name] = made
        keeping = self.services[made.service].with_copy(mirror_name(made), made.events)
        self.services = MappingProxyType({**self.services, made.service: keeping})
        return made

    def reconcile_endpoint(
        self,
        name: str,
        endpoint: str,
        listing: Lists,
        *,
        window: timedelta = timedelta(days=1),
        every: Every | None = None,
        account: str = "",
    ) -> EndpointScope:
        """Compare what was delivered to an endpoint with what its receiver lists: what it lost is sent once more.

        `name`: of the scope, such as `partner-webhooks`. `endpoint`: its id; it may be added later. `listing`: rows
        whose key is the `webhook-id`, and whose state may say the `sha256` of the body. `window`: how far back that
        list goes for certain. `every`, `account`: as of `reconcile`. DeclarationError.
        """
        self._check_scope(name)
        scope = EndpointScope(
            name=name, listing=listing, endpoint=endpoint, window=window, every=every, account=account
        )
        self.scopes[name] = checked_endpoint(scope, self.scopes.values())
        return scope

    def reconcile_party(
        self, name: str, listing: Lists, holds: Holds, *, every: Every | None = None, account: str = ""
    ) -> PartyScope:
        """Compare what a party should hold of ours with what it lists: what it never took in is pushed again, and what
        others have changed there is decided field by field.

        `name`: of the scope, such as `shop-prices`. `listing`: rows whose key names the item as `holds.key` does, and
        whose state has the fields that are ours; `observed` and `deleted` only if something is taken over. `holds`: by
        which delivery the items are pushed, and what is done about differences. `every`, `account`: as of `reconcile`.
        DeclarationError.
        """
        self._check_scope(name)
        scope = PartyScope(name=name, listing=listing, holds=holds, every=every, account=account)
        made = checked_party(scope, tuple(self.services.values()), self.scopes.values())
        self.scopes[name] = made
        return made

    def _check_scope(self, name: str) -> None:
        if name in self.scopes:
            raise DeclarationError(f"two scopes are named {name!r}: give one of them another name")
        if self._opened is not None:
            raise RefusedError("the app is open: say what is reconciled before")

    @asynccontextmanager
    async def open(
        self, settings: Settings | None = None, *, ports: Ports | None = None, consume: bool = True
    ) -> AsyncIterator[Opened]:
        """Open log and store, and carry entries to handlers, folds and deliveries until the block is left.

        `settings`: None for those of the environment and `tidings.toml`. `consume`: False to look and append only.
        On leaving the pages under way are finished. RefusedError if it is open already; SettingError, SchemaError,
        ShapeChangedError as the settings and the database say.
        """
        if self._opened is not None:
            raise RefusedError("the app is open already: open it once, and share it")
        if settings is not None and not isinstance(settings, Settings):
            raise SettingError(
                f"{settings!r:.80} is no Settings: write app.open(Settings(database_url='sqlite:///FILE'))"
            )
        used = setting.load(os.environ, setting.read_toml()) if settings is None else settings
        async with open_services(self.declared, used, ports or Ports(), consume=consume) as opened:
            self._opened = opened
            try:
                yield opened
            finally:
                self._opened = None

    def unit(self, service: str | Service, *, key: str | None = None) -> AbstractAsyncContextManager[Context]:
        """Open a transaction for a command: what its block changes and emits is kept together, or not at all.

        `async with app.unit("orders", key=request_key) as ctx: …`. A `key` names one command for ever: a repeat keeps
        nothing of its block, not even what it raises, and ends where the first one did. `ctx.is_repeat` tells.
        """
        return self.opened.unit(service.name if isinstance(service, Service) else service, key=key)

    async def publish(
        self, event: Any, *, source: str, id: str | None = None, time: datetime | None = None
    ) -> Position:
        """Append one event and return where it stands; the same (source, id) again returns the old position.

        `source`: who says it, a URI-reference. `id`: None for a new one, so that a repeat is another event. `time`:
        when it happened, None for now. DeclarationError, EnvelopeError, InvalidDataError if it cannot be kept as it
        is; ConflictError if the id is kept with other content; LogUnavailableError: repeat it with the same id.
        """
        return await self.opened.publish(event, source=source, id=id, time=time)

    async def recover(
        self, receiver: str, body: bytes, *, headers: Mapping[str, str] = MappingProxyType({})
    ) -> Outcome:
        """Take in a delivery that a provider's own log has, as if it had come to the receiver, by its translations.

        Return what became of it: `stored`, it never came and is in the log now, under its own source and id;
        `duplicate`, as mostly; `failed`, it cannot be read and waits as a dead letter; `conflict`. No signature is
        looked at, since whoever calls has read that log with credentials of his own. `headers`: those that the preset
        reads, such as a delivery's id. NotFoundError; StoreUnavailableError: once more does no harm.
        """
        return await recover(self.opened, receiver, body, headers)

    def staged(self, event: Any, *, source: str, id: str | None = None, time: datetime | None = None) -> str:
        """Return one event as a text for `SELECT tidings.stage(:text)`, in a transaction of yours on this PostgreSQL.

        It is appended after your COMMIT, by the application where it is open, in the order of your commits. Arguments
        and errors as in `publish`, but for ConflictError: an id that is kept with other content becomes a dead letter
        of `outbox`. RefusedError on SQLite.
        """
        return self.opened.staged(event, source=source, id=id, time=time)

    @property
    def endpoints(self) -> Endpoints:
        """The targets of outgoing webhooks: `await app.endpoints.add({"url": "https://…", "pattern": {…}})`.

        RefusedError if the app is not open. See `tidings.operations.endpoints.Endpoints`.
        """
        return self.opened.endpoints

    @property
    def opened(self) -> Opened:
        """What the open application is made of; RefusedError if it is not open."""
        if self._opened is None:
            raise RefusedError("the app is not open: write `async with app.open():` around, or serve it")
        return self._opened


def _check_tables(views: Sequence[ViewSpec]) -> None:
    made: dict[str, ViewSpec] = {}
    for view in (view for view in views if view.mode != "live"):
        name = view.table(1).public_name
        other = made.setdefault(name, view)
        if other is not view:
            raise DeclarationError(
                f"{other} and {view} would both be the table {name}: rename a class, or one of the services"
            )
