"""The `eventsourcing` library's projection runner on PostgreSQL, with the library's own module for it.

The application and its projection are those of `eventsourcing_projection`; only the view lies elsewhere.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import ProjectionRunner
from psycopg.sql import SQL, Identifier

from benchmarks.peers.eventsourcing_projection import Bookmarks, Tweets

LOOK_SECONDS = 0.01


class BookmarkView(PostgresTrackingRecorder):
    def __init__(self, datastore: PostgresDatastore, **given: Any) -> None:
        super().__init__(datastore, **given)
        name = Identifier(self.datastore.schema, "bookmark")
        self.sql_create_statements.append(
            SQL(
                "CREATE TABLE IF NOT EXISTS {0} "
                "(user_id text, tweet_id text, text text, PRIMARY KEY (user_id, tweet_id))"
            ).format(name)
        )
        self._upsert = SQL(
            "INSERT INTO {0} VALUES (%s, %s, %s) ON CONFLICT (user_id, tweet_id) DO UPDATE SET text = excluded.text"
        ).format(name)

    def put(self, row: tuple[str, str, str], tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self._upsert, row, prepare=True)


def environment(url: str) -> dict[str, str]:
    """Return what the library is configured by."""
    parts = urlsplit(url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parts.path.removeprefix("/"),
        "POSTGRES_HOST": str(parts.hostname),
        "POSTGRES_PORT": str(parts.port),
        "POSTGRES_USER": str(parts.username),
        "POSTGRES_PASSWORD": str(parts.password),
    }


def fold(url: str) -> float:
    """Let the runner process everything that is recorded; return the seconds until it had."""
    runner = ProjectionRunner(
        application_class=Tweets, projection_class=Bookmarks, view_class=BookmarkView, env=environment(url)
    )
    started = time.perf_counter()
    with runner:
        last = runner.app.recorder.max_notification_id() or 0
        while (runner.view.max_tracking_id(runner.app.name) or 0) < last and not runner.is_interrupted.is_set():
            time.sleep(LOOK_SECONDS)
        return time.perf_counter() - started
