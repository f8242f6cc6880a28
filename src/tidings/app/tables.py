"""Which consumers there must be: one for each service's handlers, one for each table of a view."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from tidings.app.moves import Moves
from tidings.consumers.consumer import Consumer
from tidings.consumers.reaction import Reaction
from tidings.errors import RefusedError
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.store.rows import ViewRecord
from tidings.views.declaration import ViewSpec, consumer_name
from tidings.views.folder import Folder
from tidings.views.rebuild import Progress, Rebuild, no_progress
from tidings.views.tables import standing
from tidings.webhooks.deliver.fanout import FanOut


class Carrying:
    """Makes the tables of views, and the consumers that fill them and that call handlers. `moves`: theirs."""

    def __init__(
        self,
        views: Sequence[ViewSpec],
        reactions: Sequence[Reaction],
        *,
        log: Log,
        store: StoreDriver,
        ports: Ports,
        owner: str,
    ) -> None:
        self._fan_out: FanOut | None = None
        self._views = tuple(view for view in views if view.mode != "live")
        self._reactions = tuple(reactions)
        self._log = log
        self._store = store
        self._ports = ports
        self._owner = owner
        self._made: dict[str, Consumer] = {}
        self.moves = Moves()

    def send_webhooks(self, fan_out: FanOut) -> None:
        """Have a consumer of this reaction, too, for as long as there are endpoints."""
        self._fan_out = fan_out

    async def prepare(self) -> None:
        """Make the tables that are not there. ShapeChangedError if a view changed and its version did not.

        A new inline table, or one of another shape, is whole before anything may be appended: from then on the next
        read after an append must see it. An async table of another shape is built by `changed` while the current one
        serves reads.
        """
        for view in self._views:
            step = standing(view, await self._store.views()).step
            if step == "use":
                continue
            if view.mode == "inline":
                await self._make_whole(view)
            elif step == "create":
                await self._store.create_view(view.record(1, "current"))

    async def _make_whole(self, view: ViewSpec) -> None:
        """Build an inline table, unless another process that starts, too, has made it meanwhile."""
        try:
            await self.rebuild(view)
        except RefusedError:
            if standing(view, await self._store.views()).step != "use":
                raise

    async def changed(self) -> Sequence[ViewSpec]:
        """Return the views whose current table is of an older version or mode, so that they must be built anew."""
        records = await self._store.views()
        return [view for view in self._views if standing(view, records).step == "rebuild"]

    async def rebuild(
        self, view: ViewSpec, *, progress: Progress = no_progress, who: str = "", accepts_parked: bool = False
    ) -> ViewRecord:
        """Build the view's next table beside the current one, and swap. See `tidings.views.rebuild.Rebuild.run`."""
        rebuild = Rebuild(self._store, self._log, self._carry, self._ports)
        return await rebuild.run(view, progress=progress, who=who, accepts_parked=accepts_parked)

    async def consumers(self) -> dict[str, Consumer]:
        """Return the consumers there must be now, by name: another process may have swapped a table meanwhile.

        Those of the call before are the same ones: this is asked every second, and making them is most of what an
        application costs that waits.
        """
        records, made = await self._store.views(), self._made
        found = {each.name: made.get(each.name) or self._consumer(each) for each in self._reactions}
        for view in self._views:
            current = standing(view, records).current
            if current is not None and current.shape == view.shape and view.folds:
                # An inline table is written by appends; its consumer is there for the subjects that are parked.
                name = consumer_name(current.table)
                found[name] = made.get(name) or self._of_table(view, current)
        if self._fan_out is not None and await self._store.endpoints(limit=1):
            found[self._fan_out.name] = made.get(self._fan_out.name) or self._consumer(self._fan_out)
        self._made = found
        return found

    @property
    def pausing(self) -> Mapping[str, str]:
        """Which consumers carry nothing now because too much fails, and why."""
        told = {name: consumer.pausing for name, consumer in self._made.items()}
        return {name: why for name, why in told.items() if why is not None}

    def _of_table(self, view: ViewSpec, current: ViewRecord) -> Consumer:
        return self._consumer(
            Folder(view, current.table, self._log, observer=self._ports.observer), carries=current.mode == "async"
        )

    def _consumer(self, reaction: Reaction, *, carries: bool = True) -> Consumer:
        return Consumer(
            reaction,
            log=self._log,
            store=self.moves.over(self._store),
            ports=self._ports,
            owner=self._owner,
            carries=carries,
        )

    @asynccontextmanager
    async def _carry(self, folder: Folder) -> AsyncIterator[None]:
        """Run the consumer of a table while the block runs. Whichever fails ends both, and its error is raised."""
        stopping = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._consumer(folder).run(stopping))
                try:
                    yield
                finally:
                    stopping.set()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
