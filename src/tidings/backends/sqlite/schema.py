"""The tables in a SQLite database, and the number of the schema they belong to.

Everything is called `tidings_…`, because the application's own tables live in the same file. Times are µs since 1970.

A row of `tidings_log` is a block of entries that were appended together, under the position of its last one.
"""

from __future__ import annotations

import sqlite3
from secrets import token_bytes, token_hex

from tidings.errors import SchemaError
from tidings.store.schema import Step

SCHEMA = 1
APPLICATION_ID = 0x54444E47  # "TDNG"

_LOG = """
CREATE TABLE tidings_head (one INTEGER PRIMARY KEY CHECK (one = 1), incarnation TEXT NOT NULL, secret BLOB NOT NULL,
  pos INTEGER NOT NULL DEFAULT 0, floor_pos INTEGER NOT NULL DEFAULT 0, seen_version INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE tidings_log (pos INTEGER PRIMARY KEY, first INTEGER NOT NULL, recorded INTEGER NOT NULL,
  body BLOB NOT NULL) STRICT;
CREATE TABLE tidings_log_subject (bucket INTEGER, skey INTEGER, pos INTEGER, PRIMARY KEY (bucket, skey, pos)) STRICT,
  WITHOUT ROWID;
CREATE TABLE tidings_seen_time (k BLOB PRIMARY KEY, pos INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE tidings_seen_hot (pos INTEGER PRIMARY KEY, entries INTEGER NOT NULL, records BLOB NOT NULL) STRICT;
CREATE TABLE tidings_seen_run (bucket INTEGER PRIMARY KEY, level INTEGER NOT NULL, state TEXT NOT NULL,
  entries INTEGER NOT NULL, slices INTEGER NOT NULL, done INTEGER NOT NULL, target INTEGER) STRICT;
CREATE TABLE tidings_seen_slice (place INTEGER PRIMARY KEY, records BLOB NOT NULL) STRICT;
CREATE TABLE tidings_seen_filter (place INTEGER PRIMARY KEY, words BLOB NOT NULL) STRICT;
CREATE TABLE tidings_inline (type TEXT, stamp TEXT, PRIMARY KEY (type, stamp)) STRICT, WITHOUT ROWID;
"""

_STORE = """
CREATE TABLE tidings_checkpoint (consumer TEXT, part INTEGER, pos INTEGER NOT NULL DEFAULT 0,
  epoch INTEGER NOT NULL DEFAULT 0, owner TEXT, until INTEGER, trying INTEGER, tries INTEGER NOT NULL DEFAULT 0,
  gate INTEGER NOT NULL DEFAULT 0, paused TEXT, PRIMARY KEY (consumer, part)) STRICT, WITHOUT ROWID;
CREATE TABLE tidings_asking (consumer TEXT, owner TEXT, until INTEGER NOT NULL, PRIMARY KEY (consumer, owner)) STRICT,
  WITHOUT ROWID;
CREATE TABLE tidings_outbox (n INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, id TEXT NOT NULL,
  type TEXT NOT NULL, dataversion INTEGER NOT NULL, subject TEXT, attrs BLOB NOT NULL, data BLOB,
  staged INTEGER NOT NULL) STRICT;
CREATE TABLE tidings_parked (consumer TEXT, subject TEXT, part INTEGER NOT NULL, state TEXT NOT NULL,
  attempts INTEGER NOT NULL, next_at INTEGER, reason TEXT NOT NULL, error TEXT NOT NULL,
  parked_at INTEGER NOT NULL, PRIMARY KEY (consumer, subject)) STRICT, WITHOUT ROWID;
CREATE INDEX tidings_parked_due ON tidings_parked (consumer, part, next_at) WHERE state = 'retrying';
CREATE TABLE tidings_dead_letter (consumer TEXT, subject TEXT, pos INTEGER, recorded INTEGER NOT NULL,
  source TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, dataversion INTEGER NOT NULL, event_subject TEXT,
  attrs BLOB NOT NULL, data BLOB, PRIMARY KEY (consumer, subject, pos)) STRICT, WITHOUT ROWID;
CREATE TABLE tidings_audit (n INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, who TEXT NOT NULL,
  what TEXT NOT NULL, done_to TEXT NOT NULL, subject TEXT, pos INTEGER, reason TEXT NOT NULL) STRICT;
CREATE INDEX tidings_audit_dropped ON tidings_audit (done_to, pos) WHERE what = 'drop';
CREATE TABLE tidings_command (service TEXT, key TEXT, emitted INTEGER NOT NULL, PRIMARY KEY (service, key)) STRICT,
  WITHOUT ROWID;
CREATE TABLE tidings_endpoint (id TEXT PRIMARY KEY, config BLOB NOT NULL, version INTEGER NOT NULL DEFAULT 1,
  ordering TEXT NOT NULL, slots INTEGER NOT NULL, reserved INTEGER NOT NULL, rate INTEGER, batch INTEGER NOT NULL,
  linger INTEGER NOT NULL, state TEXT NOT NULL, since INTEGER NOT NULL, why TEXT, health BLOB,
  not_before INTEGER NOT NULL DEFAULT 0, slowed_until INTEGER NOT NULL DEFAULT 0, tokens REAL NOT NULL DEFAULT 0,
  tokens_at INTEGER NOT NULL DEFAULT 0, claimed_at INTEGER NOT NULL DEFAULT 0, starts_after INTEGER NOT NULL,
  secrets BLOB, created INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX tidings_endpoint_turn ON tidings_endpoint (claimed_at, id) WHERE state IN ('active', 'degraded');
CREATE TABLE tidings_delivery (n INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, service TEXT,
  function TEXT, payload BLOB, ordering TEXT, endpoint TEXT, position INTEGER, run TEXT NOT NULL DEFAULT '',
  subject TEXT, type TEXT, pin INTEGER, body_hash BLOB, batch TEXT, expires INTEGER, state TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0, next_at INTEGER, owner TEXT, until INTEGER,
  epoch INTEGER NOT NULL DEFAULT 0, reason TEXT, error TEXT, intended INTEGER NOT NULL, first_at INTEGER,
  held INTEGER, closed INTEGER) STRICT;
CREATE INDEX tidings_delivery_due ON tidings_delivery (service, next_at, n)
  WHERE state = 'due' AND service IS NOT NULL;
CREATE INDEX tidings_delivery_order ON tidings_delivery (service, ordering, n)
  WHERE state IN ('due', 'leased') AND ordering IS NOT NULL;
CREATE INDEX tidings_delivery_owner ON tidings_delivery (owner, until) WHERE state = 'leased';
CREATE INDEX tidings_delivery_closed ON tidings_delivery (closed)
  WHERE closed IS NOT NULL AND state <> 'dead';
CREATE UNIQUE INDEX tidings_delivery_of ON tidings_delivery (endpoint, position, run) WHERE endpoint IS NOT NULL;
CREATE INDEX tidings_delivery_first ON tidings_delivery (endpoint, next_at, position)
  WHERE state = 'due' AND attempts = 0 AND endpoint IS NOT NULL;
CREATE INDEX tidings_delivery_late ON tidings_delivery (endpoint, next_at, position)
  WHERE state = 'due' AND attempts > 0 AND endpoint IS NOT NULL;
CREATE INDEX tidings_delivery_leased ON tidings_delivery (endpoint, attempts, batch)
  WHERE state = 'leased' AND endpoint IS NOT NULL;
CREATE INDEX tidings_delivery_until ON tidings_delivery (until) WHERE state = 'leased' AND endpoint IS NOT NULL;
CREATE INDEX tidings_delivery_open ON tidings_delivery (endpoint, n)
  WHERE closed IS NULL AND endpoint IS NOT NULL;
CREATE INDEX tidings_delivery_line ON tidings_delivery (endpoint, subject, n)
  WHERE closed IS NULL AND endpoint IS NOT NULL AND subject IS NOT NULL;
CREATE INDEX tidings_delivery_waiting ON tidings_delivery (endpoint, n)
  WHERE state IN ('due', 'behind') AND endpoint IS NOT NULL;
CREATE INDEX tidings_delivery_behind ON tidings_delivery (n) WHERE state = 'behind';
CREATE INDEX tidings_delivery_held ON tidings_delivery (held) WHERE state = 'held';
CREATE INDEX tidings_delivery_holding ON tidings_delivery (endpoint, n) WHERE state = 'held';
CREATE INDEX tidings_delivery_unreadable ON tidings_delivery (n)
  WHERE state = 'held' AND reason = 'version-unreadable';
CREATE INDEX tidings_delivery_expires ON tidings_delivery (expires)
  WHERE expires IS NOT NULL AND state IN ('due', 'behind', 'held');
CREATE INDEX tidings_delivery_dead ON tidings_delivery (endpoint, position)
  WHERE state = 'dead' AND endpoint IS NOT NULL;
CREATE INDEX tidings_delivery_parked ON tidings_delivery (endpoint, subject, n)
  WHERE state = 'dead' AND endpoint IS NOT NULL AND subject IS NOT NULL;
CREATE INDEX tidings_delivery_given_up ON tidings_delivery (closed, n) WHERE state = 'dead';
CREATE INDEX tidings_delivery_uncalled ON tidings_delivery (service) WHERE state = 'dead' AND service IS NOT NULL;
CREATE TABLE tidings_attempt (n INTEGER PRIMARY KEY AUTOINCREMENT, delivery INTEGER NOT NULL, epoch INTEGER NOT NULL,
  number INTEGER NOT NULL, began INTEGER NOT NULL, ended INTEGER, outcome TEXT, error TEXT, answer BLOB) STRICT;
CREATE UNIQUE INDEX tidings_attempt_of ON tidings_attempt (delivery, epoch);
CREATE INDEX tidings_attempt_age ON tidings_attempt (began);
CREATE TABLE tidings_receipt (n INTEGER PRIMARY KEY AUTOINCREMENT, receiver TEXT NOT NULL, source TEXT NOT NULL,
  received INTEGER NOT NULL, forget_at INTEGER NOT NULL, keys BLOB NOT NULL, method TEXT NOT NULL, query BLOB,
  headers BLOB, body BLOB, items BLOB NOT NULL, outcome TEXT NOT NULL, error TEXT, last_seen INTEGER NOT NULL,
  seen INTEGER NOT NULL DEFAULT 1, replayed INTEGER, replays INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX tidings_receipt_of ON tidings_receipt (receiver, n);
CREATE INDEX tidings_receipt_failed ON tidings_receipt (outcome, n) WHERE outcome <> 'stored';
CREATE INDEX tidings_receipt_given_up ON tidings_receipt (received, n) WHERE outcome = 'failed';
CREATE INDEX tidings_receipt_forget ON tidings_receipt (forget_at) WHERE outcome <> 'failed';
CREATE TABLE tidings_receipt_hot (pos INTEGER PRIMARY KEY, entries INTEGER NOT NULL, records BLOB NOT NULL) STRICT;
CREATE TABLE tidings_receipt_key (k BLOB PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE tidings_receiver (id TEXT PRIMARY KEY, config BLOB NOT NULL, created INTEGER NOT NULL, secrets BLOB,
  version INTEGER NOT NULL DEFAULT 1, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE tidings_api_key (id TEXT PRIMARY KEY, owner TEXT NOT NULL, scopes BLOB NOT NULL, sources BLOB,
  digest BLOB NOT NULL, created INTEGER NOT NULL, expires INTEGER, revoked INTEGER, used INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE tidings_kept_answer (owner TEXT, route TEXT, key TEXT, fingerprint BLOB NOT NULL, at INTEGER NOT NULL,
  answer BLOB NOT NULL, PRIMARY KEY (owner, route, key)) STRICT, WITHOUT ROWID;
CREATE INDEX tidings_kept_answer_age ON tidings_kept_answer (at);
CREATE TABLE tidings_view (service TEXT, name TEXT, version INTEGER, state TEXT NOT NULL, shape TEXT NOT NULL,
  mode TEXT NOT NULL, declared INTEGER NOT NULL, spec BLOB NOT NULL, audited INTEGER NOT NULL,
  PRIMARY KEY (service, name, version)) STRICT, WITHOUT ROWID;
"""

_VERSIONS = """
CREATE TABLE tidings_event_version (type TEXT, version INTEGER, sha256 TEXT NOT NULL, schema BLOB NOT NULL,
  published INTEGER NOT NULL, owner TEXT NOT NULL, semantic_change INTEGER NOT NULL, life TEXT NOT NULL,
  gate TEXT NOT NULL, epoch INTEGER NOT NULL, by_hand INTEGER NOT NULL, deprecated INTEGER, sunset INTEGER,
  migration TEXT NOT NULL, forced INTEGER, PRIMARY KEY (type, version)) STRICT, WITHOUT ROWID;
CREATE TABLE tidings_version_lease (instance TEXT, service TEXT, consumer TEXT, type TEXT, role TEXT,
  versions TEXT NOT NULL, revision TEXT NOT NULL, gate_epoch INTEGER NOT NULL, admission TEXT NOT NULL,
  details BLOB NOT NULL, renewed_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
  PRIMARY KEY (instance, service, consumer, type, role)) STRICT, WITHOUT ROWID;
CREATE TABLE tidings_census_segment (segment INTEGER, type TEXT, version INTEGER, entries INTEGER NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (segment, type, version)) STRICT, WITHOUT ROWID;
CREATE INDEX tidings_census_segment_of ON tidings_census_segment (type, version);
CREATE TABLE tidings_census (one INTEGER PRIMARY KEY CHECK (one = 1), upto INTEGER NOT NULL,
  differs INTEGER NOT NULL) STRICT;
INSERT INTO tidings_census VALUES (1, 0, 0);
"""

_SCOPES = """
CREATE TABLE tidings_scope (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE tidings_scope_note (scope TEXT, kind TEXT, key BLOB, body BLOB NOT NULL, PRIMARY KEY (scope, kind, key))
  STRICT, WITHOUT ROWID;
"""

_ALL = _LOG + _STORE + _VERSIONS + _SCOPES
STEPS = (Step(SCHEMA, SCHEMA, ("schema.py",), _ALL),)


def prepare(connection: sqlite3.Connection, path: str) -> None:
    """Make the tables if they are not there, in one transaction, safe against another process that does the same.

    SchemaError if a newer release made them, or another program's database is meant by mistake.
    """
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if found == 0:
        connection.execute("BEGIN IMMEDIATE")
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found == 0:
            _create(connection)
            found = SCHEMA
        connection.execute("COMMIT")
    if found > SCHEMA:
        raise SchemaError(
            f"the database {path} has schema {found}, made by a newer release of tidings; this release knows schema "
            f"{SCHEMA}: run `pip install --upgrade tidings`, or point TIDINGS_DATABASE_URL at another file"
        )
    owner: int = connection.execute("PRAGMA application_id").fetchone()[0]
    if owner != APPLICATION_ID:
        raise SchemaError(f"{path} is another program's database: point TIDINGS_DATABASE_URL at another file")


def _create(connection: sqlite3.Connection) -> None:
    for statement in _ALL.split(";\n"):
        if statement.strip():
            connection.execute(statement)
    connection.execute(
        "INSERT INTO tidings_head (one, incarnation, secret) VALUES (1, ?, ?)", (token_hex(4), token_bytes(32))
    )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA}")
