"""For each promise that rests on PostgreSQL, where its rule stands, and how that would look without it."""

from __future__ import annotations

from tests.promises.rules import Rule

APPEND = "backends/postgres/migrations/0001_log_append.sql"

POSTGRES_RULES = (
    Rule(
        "acknowledged",
        "backends/postgres/log.py",
        "                    return await self._appender.keep(connection, writes)\n",
        "                    begun = connection.transaction()\n"
        "                    await begun.start()\n"
        "                    receipts = await self._appender.keep(connection, writes)\n"
        "                    await begun.rollback()\n"
        "                    return receipts\n",
    ),
    Rule(
        "acknowledged",
        "backends/postgres/log.py",
        "            position: Position | None = (await statement.rows(given))[0][0]\n",
        '            await connection.execute("BEGIN")\n'
        "            position: Position | None = (await statement.rows(given))[0][0]\n"
        '            await connection.execute("ROLLBACK")\n',
    ),
    Rule(
        "loaded",
        "backends/postgres/log.py",
        "            receipts = await self._keep(writes)\n",
        '            self.late = __import__("asyncio").create_task(self._keep(writes))\n'
        "            sizes = [len(write.envelopes) for write in writes]\n"
        '            receipts = [Receipt(outcome="appended", positions=(1,) * size) for size in sizes]\n',
    ),
    Rule(
        "power",
        APPEND,
        "  IF current_setting('synchronous_commit') = 'off' AND ",
        "  IF false AND ",
    ),
    Rule(
        "once",
        APPEND,
        "WHERE NOT coalesce(e.timed, false) AND e.pos IS NOT NULL ORDER BY e.k1, e.k2;\n",
        "WHERE false;\n",
    ),
    Rule(
        "raced",
        APPEND,
        "WHERE NOT coalesce(e.timed, false) AND e.pos IS NOT NULL ORDER BY e.k1, e.k2;\n",
        "WHERE NOT coalesce(e.timed, false) AND e.pos IS NOT NULL ORDER BY e.k1, e.k2 ON CONFLICT DO NOTHING;\n",
    ),
    Rule(
        "raced",
        APPEND,
        "WHERE coalesce(e.timed, true) AND e.pos IS NOT NULL ORDER BY e.k1, e.k2;\n",
        "WHERE coalesce(e.timed, true) AND e.pos IS NOT NULL ORDER BY e.k1, e.k2 ON CONFLICT DO NOTHING;\n",
    ),
    Rule("conflict", APPEND, "     WHERE p_same[k.n] IS NULL AND (", "     WHERE false AND ("),
    Rule(
        "whole",
        "backends/postgres/appending.py",
        "async with begun_by(connection, partial(self._drafted, writes)) as draft:",
        "for draft in [self._draft(writes)]:",
    ),
    Rule("expected", APPEND, "        v_is_open[e_write[i]] := false;\n", "        NULL;\n"),
    Rule(
        "expected",
        "backends/postgres/drafts.py",
        "alone=_alone(writes, expected, conditional)",
        "alone=_alone(writes, [], None)",
    ),
    Rule(
        "prefix",
        "backends/postgres/horizon.py",
        "        if position > final and position != max(last, final) + 1:\n",
        "        if False:\n",
    ),
    Rule("prefix", "backends/postgres/horizon.py", "        if not look.everybody:\n", "        if True:\n"),
    Rule("prefix", "backends/postgres/horizon.py", "            if left:\n", "            if False:\n"),
    Rule(
        "single",
        "backends/postgres/migrations/0001_log_append_one.sql",
        "    OR pg_advisory_xact_lock_shared(1953063937, 1) IS NULL THEN\n",
        "    OR false THEN\n",
    ),
    Rule("drawn", APPEND, "  IF pg_advisory_xact_lock_shared(1953063937, 1) IS NULL THEN\n", "  IF false THEN\n"),
    Rule(
        "stopped",
        "backends/postgres/halted.py",
        "            for each in standing_still(before, self._before):\n",
        "            for each in ():\n",
    ),
    Rule(
        "woken", "backends/postgres/hearing.py", "                if self._is_heard:\n", "                if False:\n"
    ),
    Rule(
        "cost",
        APPEND,
        "FROM tidings.seen_opaque t WHERE t.k1 = e.k1 AND",
        "FROM tidings.seen_opaque t WHERE t.k1 + 0 = e.k1 AND",
    ),
    Rule(
        "disk",
        "backends/postgres/failures.py",
        '        "53",  # insufficient resources: disk, memory, connections\n',
        "",
    ),
    Rule(
        "unit",
        "backends/postgres/unit.py",
        '        self._around.ports.points.at("unit:after-advance")\n',
        '        await self._connection.execute("COMMIT")\n'
        '        await self._connection.execute("BEGIN")\n'
        '        self._around.ports.points.at("unit:after-advance")\n',
    ),
    Rule(
        "lease",
        "backends/postgres/leases.py",
        "FROM {OURS} WHERE {_SAME} AND c.pos = o.pos ",
        "FROM {OURS} WHERE c.consumer = o.consumer AND c.part = o.part AND c.pos = o.pos ",
    ),
    Rule(
        "lease", "backends/postgres/leases.py", "SET epoch = c.epoch + 1, owner = $5", "SET epoch = c.epoch, owner = $5"
    ),
    Rule("takeover", "backends/postgres/leases.py", "OR until <= tidings.now_us($2) OR", "OR"),
    Rule("failure", "consumers/reacting.py", "        await self.aside.park(unit, entry, reason)\n", ""),
    Rule(
        "command",
        "backends/postgres/commands.py",
        "    await locks.alone_with(connection, locks.COMMANDS, service, key)\n",
        "",
    ),
    Rule(
        "key",
        "backends/postgres/answers.py",
        "    await locks.alone_with(connection, locks.ANSWERS, *named)\n",
        "",
    ),
    Rule("slots", "backends/postgres/endpoints.py", "least(e.slots - n.leased, e.allowance)", "e.slots"),
    Rule("call", "backends/postgres/deliveries.py", "    await _let_go_of_the_dead(connection, now=lease.now)\n", ""),
    Rule(
        "staged",
        "store/statement_unit.py",
        "        staged = await self.run(lambda to: self._statements.outbox.take(to, limit=limit))\n",
        "        staged = await self.run(lambda to: self._statements.outbox.take(to, limit=limit))\n"
        '        await self.run(lambda connection: connection.execute("COMMIT"))\n'
        '        await self.run(lambda connection: connection.execute("BEGIN"))\n',
    ),
    Rule(
        "late",
        "backends/postgres/outbox.py",
        "(SELECT n FROM tidings.outbox ORDER BY n LIMIT $1 FOR UPDATE)",
        "(SELECT n FROM tidings.outbox, tidings.outbox_n_seq WHERE n >= last_value ORDER BY n LIMIT $1)",
    ),
    Rule("standby", "backends/postgres/reading.py", '    if row["is_standby"]:\n', "    if False:\n"),
    Rule(
        "waiting",
        "backends/postgres/outbox.py",
        "(SELECT greatest(tidings.now_us($2) - staged, 0) FROM tidings.outbox ORDER BY n LIMIT 1)",
        "(SELECT greatest(tidings.now_us($2) - staged, 0) FROM tidings.outbox ORDER BY n DESC LIMIT 1)",
    ),
    Rule(
        "inline",
        APPEND,
        "    IF (v_folds OR g_alone[i] IS TRUE) AND pg_advisory_xact_lock(1953063938, g_stripe[i]) IS NULL\n",
        "    IF g_alone[i] IS TRUE AND pg_advisory_xact_lock(1953063938, g_stripe[i]) IS NULL\n",
    ),
    Rule(
        "reader",
        "backends/postgres/views.py",
        "    if is_behind(await leases.hold(connection, swap.consumer), old):\n",
        "    if False:\n",
    ),
    Rule(
        "lacking",
        "backends/postgres/views.py",
        "    return not swap.accepts_parked and await parked.is_any(connection, swap.consumer)\n",
        "    return False\n",
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
        "tables",
        "backends/postgres/migrations/__init__.py",
        '            await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})", timeout=UNBOUNDED)\n',
        "",
    ),
    Rule(
        "newer",
        "backends/postgres/migrations/__init__.py",
        "    if schema.refusal is not None:\n",
        "    if False:\n",
    ),
)
