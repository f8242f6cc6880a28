"""DBOS on SQLite, written as its documentation writes it: a workflow for each event, its effect a transaction.

The workflow's id is the event's, so a repeat has no second effect, and what was begun is recovered. It runs in a
process of its own, since DBOS is one for a whole process: `python -m benchmarks.peers.dbos_workflows FOLDER COUNT`
prints the seconds that so many events took.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections import deque
from itertools import islice
from pathlib import Path

import sqlalchemy
from dbos import DBOS, SetWorkflowID, SQLAlchemyDatasource, WorkflowHandle

from benchmarks.events import facts

SEED = 1
AT_ONCE = 4
_UPSERT = sqlalchemy.text(
    "INSERT INTO bookmark VALUES (:user_id, :tweet_id, :text) "
    "ON CONFLICT (user_id, tweet_id) DO UPDATE SET text = excluded.text"
)


def process(folder: Path, count: int) -> float:
    """Process the first so many bookmarks, `AT_ONCE` at a time: on SQLite one, or eight, are slower."""
    for name in ("system.db", "bookmarks.db"):
        with sqlite3.connect(folder / name) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # the file remembers it; synchronous=FULL is the default
    DBOS(config={"name": "bookmarks", "system_database_url": f"sqlite:///{folder / 'system.db'}", "log_level": "ERROR"})
    bookmarks = SQLAlchemyDatasource.create(f"sqlite:///{folder / 'bookmarks.db'}")
    with bookmarks.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE bookmark (user_id TEXT, tweet_id TEXT, text TEXT, "
            "PRIMARY KEY (user_id, tweet_id)) WITHOUT ROWID"
        )

    @bookmarks.transaction
    def keep(user_id: str, tweet_id: str, text: str) -> None:
        bookmarks.sql_session().execute(_UPSERT, {"user_id": user_id, "tweet_id": tweet_id, "text": text})

    @DBOS.workflow()
    def bookmarked(user_id: str, tweet_id: str, text: str) -> None:
        keep(user_id, tweet_id, text)

    DBOS.launch()
    started = time.perf_counter()
    begun: deque[WorkflowHandle[None]] = deque()
    for number, (tweet, user, text) in enumerate(islice(facts(SEED), count)):
        if len(begun) == AT_ONCE:
            begun.popleft().get_result()
        with SetWorkflowID(f"bookmarked-{number}"):
            begun.append(DBOS.start_workflow(bookmarked, user, tweet, text))
    for handle in begun:
        handle.get_result()
    seconds = time.perf_counter() - started
    with bookmarks.engine.begin() as connection:
        [[found]] = connection.exec_driver_sql("SELECT count(*) FROM bookmark").all()
    DBOS.destroy()
    assert found == count
    return seconds


if __name__ == "__main__":
    print(process(Path(sys.argv[1]), int(sys.argv[2])))
