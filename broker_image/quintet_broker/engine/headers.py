"""Headers that the engine gives to records, and reads off them. Faces show none of them as they are."""

from quintet_broker.engine.record import Record

PRIORITY = "quintet-priority"
"""1 to 10, in digits."""
MOVED_AT = "quintet-moved-at"
"""Of a record that came from another shard: milliseconds since 1970. Its retention begins then."""
FIRST_RECEIVED_AT = "quintet-first-received-at"
"""Of a record that was delivered before it came here: milliseconds since 1970."""
SOURCE = "quintet-dead-letter-source"
"""Name of the queue that dead-lettered the record."""


def priority(record: Record) -> int:
    """0 where none was given."""
    return int(record.header(PRIORITY) or 0)
