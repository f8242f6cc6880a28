"""The loop that one would write by hand for a share of a log's subjects on PostgreSQL.

`python -m benchmarks.bare_carrying URL FIRST END` waits for its input to end, folds the entries whose slots are in the
range, a page in a transaction with its checkpoint, and ends.
"""

from __future__ import annotations

import asyncio
import sys

import asyncpg
import msgspec
import uvloop

from benchmarks.events import TweetBookmarked

TABLE = "bare_bookmark"
PAGE = 1_000
MADE = f"""
CREATE TABLE {TABLE} (user_id text, tweet_id text, text text NOT NULL, PRIMARY KEY (user_id, tweet_id));
CREATE TABLE bare_checkpoint (first int PRIMARY KEY, pos bigint NOT NULL)
"""
_READ = "SELECT pos, data FROM tidings.log WHERE pos > $1 AND slot >= $2 AND slot < $3 ORDER BY pos LIMIT $4"
_KEEP = (
    f"INSERT INTO {TABLE} AS t SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) "
    "ON CONFLICT (user_id, tweet_id) DO UPDATE SET text = EXCLUDED.text"
)
_MOVE = "INSERT INTO bare_checkpoint VALUES ($1, $2) ON CONFLICT (first) DO UPDATE SET pos = EXCLUDED.pos"


async def carry(url: str, first: int, end: int) -> None:
    connection = await asyncpg.connect(url)
    decode = msgspec.json.Decoder(TweetBookmarked).decode
    await asyncio.to_thread(sys.stdin.read)
    position = 0
    while page := await connection.fetch(_READ, position, first, end, PAGE):
        rows = {(event.user_id, event.tweet_id): event.text for event in [decode(data) for _, data in page]}
        users, tweets = zip(*rows, strict=True)
        position = page[-1][0]
        async with connection.transaction():
            await connection.execute(_KEEP, users, tweets, list(rows.values()))
            await connection.execute(_MOVE, first, position)
    await connection.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(carry(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
