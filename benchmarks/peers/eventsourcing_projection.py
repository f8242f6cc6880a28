"""The `eventsourcing` library's tracked projection on SQLite, written as its documentation writes one.

The work is that of `benchmarks.fold`: bookmark events become rows (user, tweet), and each event's effect commits with
the position it came from, so that a crash neither loses nor repeats one.
"""

from __future__ import annotations

import time
from functools import singledispatchmethod
from typing import Any
from uuid import UUID, uuid5

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import InfrastructureFactory, Tracking
from eventsourcing.projection import Projection
from eventsourcing.sqlite import SQLiteTrackingRecorder
from eventsourcing.utils import get_topic

TWEETS = UUID("2f6f1e0a-6f0f-5d0e-9b7b-0c7f6f3e7a51")


class Tweet(Aggregate):
    class Bookmarked(Aggregate.Event):
        tweet_id: str
        user_id: str
        text: str

    @event("Created")
    def __init__(self, tweet_id: str) -> None:
        self.tweet_id = tweet_id

    @event(Bookmarked)
    def bookmark(self, tweet_id: str, user_id: str, text: str) -> None:
        pass

    @staticmethod
    def create_id(tweet_id: str) -> UUID:
        return uuid5(TWEETS, tweet_id)


class Tweets(Application[UUID]):
    name = "tweets"
    log_section_size = 1000


class BookmarkView(SQLiteTrackingRecorder):
    def construct_create_table_statements(self) -> list[str]:
        statements = super().construct_create_table_statements()
        statements.append(
            "CREATE TABLE IF NOT EXISTS bookmark (user_id TEXT, tweet_id TEXT, text TEXT, "
            "PRIMARY KEY (user_id, tweet_id)) WITHOUT ROWID"
        )
        return statements

    def put(self, row: tuple[str, str, str], tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute("INSERT INTO bookmark VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET text = excluded.text", row)


class Bookmarks(Projection[BookmarkView]):
    name = "bookmarks"
    topics = (get_topic(Tweet.Bookmarked),)

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        self.view.insert_tracking(tracking)

    @process_event.register
    def _(self, domain_event: Tweet.Bookmarked, tracking: Tracking) -> None:
        self.view.put((domain_event.user_id, domain_event.tweet_id, domain_event.text), tracking)


def environment(path: str) -> dict[str, str]:
    """Return what the library is configured by."""
    return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": path}


def prepare(environment: dict[str, str], bookmarks: list[tuple[str, str, str]]) -> None:
    """Record the bookmarks (tweet, user, text), many in one aggregate's save, so that preparing is quick."""
    application = Tweets(environment)
    tweets: dict[str, Tweet] = {}
    for tweet_id, user_id, text in bookmarks:
        tweets.setdefault(tweet_id, Tweet(tweet_id)).bookmark(tweet_id, user_id, text)
    application.save(*tweets.values())
    application.close()


def fold(path: str, bookmarks: int) -> float:
    """Read all notifications in sections of 1,000 and process each; return the seconds it took.

    On SQLite the library has no subscriptions, so its followers pull sections of the notification log, as here.
    """
    application = Tweets(environment(path))
    factory = InfrastructureFactory[BookmarkView].construct(
        env=application.construct_env("bookmarks", environment(path))
    )
    view = factory.tracking_recorder(BookmarkView)
    projection = Bookmarks(view=view)
    started = time.perf_counter()
    last = view.max_tracking_id(application.name) or 0
    while section := application.notification_log.select(last + 1, limit=1000, topics=Bookmarks.topics):
        for notification in section:
            domain_event = application.mapper.to_domain_event(notification)
            projection.process_event(domain_event, Tracking(application.name, notification.id))
            last = notification.id
    seconds = time.perf_counter() - started
    with view.datastore.transaction(commit=False) as cursor:
        cursor.execute("SELECT count(*) FROM bookmark")
        assert cursor.fetchone()[0] == bookmarks
    application.close()
    return seconds
