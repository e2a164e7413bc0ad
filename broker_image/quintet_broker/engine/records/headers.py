"""Headers that the engine gives to records, and reads off them. Faces show none of them as they are."""

from collections.abc import Sequence

from quintet_broker.engine.records import record as records
from quintet_broker.engine.records.record import Record

OWN = "quintet-"
"""With this begin the names of headers that are the broker's own."""
PRIORITY = "quintet-priority"
"""1 to 10, in digits."""
ID = records.ID
NUMBER = records.NUMBER
DEDUPLICATION_ID = "quintet-deduplication-id"
"""Of what was sent with one, or got one of its value."""
EXPIRES_AT = "quintet-expires-at"
"""Milliseconds since 1970, from which on the record is not delivered any more."""
MOVED_AT = "quintet-moved-at"
"""Of a record that came from another shard: milliseconds since 1970. Its retention begins then."""
FIRST_RECEIVED_AT = "quintet-first-received-at"
"""Of a record that was delivered before it came here: milliseconds since 1970."""
SOURCE = "quintet-dead-letter-source"
"""Name of the queue that dead-lettered the record."""
SOURCE_SHARD = "quintet-dead-letter-shard"
"""Number of the shard from which it came."""
REASON = "quintet-dead-letter-reason"
"""A Reason's word."""
RECEIVES = "quintet-dead-letter-receives"
"""How often it was delivered there."""
OF_MOVES = frozenset([MOVED_AT, FIRST_RECEIVED_AT, SOURCE, SOURCE_SHARD, REASON, RECEIVES, EXPIRES_AT])
"""What a move sets anew or takes away: what was dead-lettered, or came back, expires no more."""
OF_ENGINE = OF_MOVES | {ID, NUMBER, PRIORITY, DEDUPLICATION_ID}


def priority(record: Record) -> int:
    """0 where none was given."""
    found = record.header(PRIORITY)
    return int(found) if found else 0


def number(record: Record) -> int:
    """0 where none was given."""
    return int(record.header(NUMBER) or 0)


def numbered(record: Record, number: int) -> Record:
    """The record with that number, and no other."""
    headers = record.headers
    if record.header(NUMBER) is not None:
        headers = tuple(pair for pair in headers if pair[0] != NUMBER)
    return Record(record.value, record.timestamp, record.key, (*headers, (NUMBER, b"%d" % number)))


def source_shard(record: Record) -> int:
    """0 where it was not dead-lettered."""
    return int(record.header(SOURCE_SHARD) or 0)


def last_expiry(records: Sequence[Record]) -> int:
    """Milliseconds since 1970, when all have expired; 0 where some do not."""
    expiries = [found for record in records if (found := record.header(EXPIRES_AT))]
    return max(map(int, expiries)) if len(expiries) == len(records) else 0
