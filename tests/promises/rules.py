"""For each promise, where its rule stands in the code, and how the code would look without it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """`old` stands exactly once in `file`, below `src/tidings`; with `new` in its place the promise is broken."""

    promise: str
    file: str
    old: str
    new: str


RULES = (
    Rule(
        "acknowledged",
        "backends/sqlite/database.py",
        '                result = job(connection)\n                connection.execute("COMMIT")\n',
        '                result = job(connection)\n                connection.execute("ROLLBACK")\n',
    ),
    Rule(
        "power",
        "backends/sqlite/connecting.py",
        '    connection.execute("PRAGMA fullfsync=ON")  # only macOS heeds it\n',
        '    connection.execute("PRAGMA synchronous=NORMAL")\n',
    ),
    Rule(
        "loaded",
        "backends/sqlite/log.py",
        "            receipts = await self._database.job(flush)\n",
        "            self.late = asyncio.create_task(self._database.job(flush))\n"
        "            sizes = [len(write.envelopes) for write in draft.writes]\n"
        "            receipts = [Receipt(outcome='appended', positions=(1,) * size) for size in sizes]\n",
    ),
    Rule(
        "once",
        "backends/sqlite/seen.py",
        " | self._closed.find(connection, keys)\n",
        "\n",
    ),
    Rule(
        "keys",
        "backends/sqlite/seen_upkeep.py",
        "    for run in sources:\n        begin, some",
        "    for run in sources[1:]:\n        begin, some",
    ),
    Rule(
        "conflict",
        "backends/sqlite/judging.py",
        "                conflicts[n] = conflict\n",
        "                pass\n",
    ),
    Rule(
        "whole",
        "backends/sqlite/appender.py",
        "        if judgement.refused:\n",
        "        if False:\n",
    ),
    Rule(
        "expected",
        "backends/sqlite/judging.py",
        "    conflict = violated(connection, write)\n",
        "    conflict = None\n",
    ),
    Rule(
        "prefix",
        "backends/sqlite/reading.py",
        "    return Page(found, found[-1].position if len(found) == limit else now.position)\n",
        "    return Page(found, found[-1].position if len(found) == limit else head(connection).position)\n",
    ),
    Rule(
        "woken",
        "backends/sqlite/wakes.py",
        "        pause = SOONEST\n        while self._waiting:\n",
        "        pause = SOONEST\n        self._before = _head(connection)\n        while self._waiting:\n",
    ),
    Rule("cost", "backends/sqlite/multirow.py", "ROWS = 250\n", "ROWS = 1\n"),
    Rule("disk", "backends/sqlite/database.py", '    "SQLITE_FULL",\n', ""),
    Rule(
        "unit",
        "backends/sqlite/unit.py",
        '        self._around.ports.points.at("unit:after-emit")\n',
        '        connection.execute("COMMIT")\n'
        '        connection.execute("BEGIN IMMEDIATE")\n'
        '        self._around.ports.points.at("unit:after-emit")\n',
    ),
    Rule(
        "effects",
        "consumers/carrier.py",
        "            async with unit.savepoint():\n",
        "            if True:\n",
    ),
    Rule(
        "ids",
        "services/origin.py",
        "        return derived_id(self.entry.recorded, self.service, self.handler, cause.source, cause.id, *parts)\n",
        "        return derived_id(self.entry.recorded, self.service, self.handler, str(id(self)), *parts)\n",
    ),
    Rule(
        "lease",
        "backends/sqlite/leases.py",
        '"c.consumer = o.consumer AND c.part = o.part AND c.epoch = o.epoch"',
        '"c.consumer = o.consumer AND c.part = o.part"',
    ),
    Rule(
        "takeover",
        "backends/sqlite/leases.py",
        "    alive = {owner for owner in owners if not is_gone(owner)}\n",
        "    alive = owners\n",
    ),
    Rule(
        "parked",
        "consumers/aside.py",
        "        if self.is_empty or not entries:\n",
        "        if True:\n",
    ),
    Rule(
        "failure",
        "consumers/reacting.py",
        "        await self.aside.park(unit, entry, reason)\n",
        "",
    ),
    Rule("deadly", "consumers/singly.py", "        return attempt > ATTEMPTS\n", "        return False\n"),
    Rule(
        "command",
        "services/command.py",
        "    act.is_repeat = emitted is not None\n",
        "    act.is_repeat = False\n",
    ),
    Rule(
        "call",
        "backends/sqlite/deliveries.py",
        "SET state = 'leased', attempts = attempts + 1,",
        "SET state = 'delivered', attempts = attempts + 1,",
    ),
    Rule(
        "sent",
        "webhooks/deliver/sendings.py",
        'nonce=run if run.startswith(NEW_IDS) else ""',
        "nonce=str(self.first.attempt)",
    ),
    Rule("slots", "store/scripts/claiming.py", "min(room.slots - leased, ", "min(room.slots, "),
    Rule(
        "line",
        "store/scripts/line.py",
        "AND n >= $2 AND n <= $3 AND NOT ({_EARLIER[endpoint.pacing.ordering]}) RETURNING 1",
        "AND n >= $2 AND n <= $3 RETURNING 1",
    ),
    Rule(
        "attempt",
        "store/scripts/settling.py",
        "AND d.epoch = {{epoch}} AND d.state = 'leased'",
        "AND {{epoch}} >= 0 AND d.state = 'leased'",
    ),
    Rule(
        "batch",
        "store/scripts/settling.py",
        "        raise fenced(some[0][0].delivery.key)\n",
        "        pass\n",
    ),
    Rule("recover", "store/scripts/reopening.py", "recovered, last=last)", "recovered, last=last and last + 1)"),
    Rule("replay", "services/context.py", "        if not self._act.gated:\n", "        if True:\n"),
    Rule(
        "staged",
        "store/statement_unit.py",
        "        staged = await self.run(lambda to: self._statements.outbox.take(to, limit=limit))\n",
        "        staged = await self.run(lambda to: self._statements.outbox.take(to, limit=limit))\n"
        '        await self.run(lambda connection: connection.execute("COMMIT"))\n'
        '        await self._transaction.run(lambda connection: connection.execute("BEGIN IMMEDIATE"))\n',
    ),
    Rule(
        "order",
        "views/folder.py",
        "        return row is None or is_above(lowest.at, lowest.source, lowest.id, row.rank)\n",
        "        return True\n",
    ),
    Rule(
        "modes",
        "views/live.py",
        "        row = self._folding.fold(key, in_rank_order(steps))\n",
        "        row = self._folding.fold(key, steps)\n",
    ),
    Rule(
        "inline",
        "backends/sqlite/appender.py",
        "        self.inline_types = frozenset([type for (type,) in rows])\n",
        "        self.inline_types = frozenset()\n",
    ),
    Rule(
        "reader",
        "backends/sqlite/views.py",
        "    if is_behind(leases.checkpoints(connection, swap.consumer), old):\n",
        "    if False:\n",
    ),
    Rule(
        "swap",
        "views/rebuild.py",
        "                await self._reach(record, whole_at, progress)\n"
        '                self._ports.points.at("swap:drained")\n'
        "                await self._swap(record, before.current, progress, who=who, accepts_parked=accepts_parked)\n",
        '                self._ports.points.at("swap:drained")\n'
        "                await self._swap(record, None, progress, who=who, accepts_parked=accepts_parked)\n",
    ),
    Rule(
        "lacking",
        "backends/sqlite/views.py",
        "    return not swap.accepts_parked and parked.is_any(connection, swap.consumer)\n",
        "    return False\n",
    ),
    Rule(
        "dropped",
        "views/history.py",
        "            if entry.position in dropped:\n                continue\n",
        "",
    ),
    Rule("dropped", "views/folder.py", '        return self._feed == "rebuilt"\n', "        return False\n"),
    Rule(
        "dropped",
        "backends/sqlite/views.py",
        "(SELECT coalesce(max(n), 0) FROM tidings_audit)",
        "0",
    ),
    Rule("dropped", "views/verify.py", "            if entry.position in aside.dropped:\n", "            if False:\n"),
    Rule(
        "unread",
        "views/history.py",
        "                for key in self._rows_of(entry, upto):\n",
        "                for key in ():\n",
    ),
    Rule(
        "unread",
        "views/verify.py",
        'result.note(Difference(kind="fails", key=(), position=entry.position, error=str(error)))',
        "pass",
    ),
    Rule(
        "future",
        "events/rules.py",
        "    if time_us(time) > now_us + seconds * 1_000_000:\n",
        "    if False:\n",
    ),
    Rule(
        "token",
        "api/reading.py",
        "            return wanted is None or position >= wanted\n",
        "            return True\n",
    ),
    Rule("webhook", "backends/sqlite/unit.py", "            self._emitted.append(events)\n", "            pass\n"),
    Rule(
        "signed",
        "api/hooks.py",
        "        is_accepted = isinstance(verdict, Accepted)\n",
        "        is_accepted = True\n",
    ),
    Rule("repeated", "store/judging.py", "    elif known and not fresh:\n", "    elif False:\n"),
    Rule(
        "verify",
        "views/verify.py",
        "        if not same(row, expected):\n",
        "        if False:\n",
    ),
    Rule(
        "versions",
        "versions/step.py",
        "    if version in natives:\n        return version, ()\n",
        "    if natives:\n        return natives[0], ()\n",
    ),
    Rule(
        "ahead",
        "consumers/faults.py",
        "NOBODYS = (*PASSING, CheckpointMovedError, SequenceRewoundError, VersionUnreadableError)",
        "NOBODYS = (*PASSING, CheckpointMovedError, SequenceRewoundError)",
    ),
    Rule("published", "versions/lockfile.py", "    if now == kept.sha256:\n", "    if now:\n"),
)
