"""Tail: reads records as they come, and claims none."""

from collections.abc import Mapping

from quintet_broker.engine.lanes.lane import Lane
from quintet_broker.engine.lanes.log import Reader
from quintet_broker.engine.lanes.read_ahead import READ_AHEAD_BYTES
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Tail, Tailed

BATCHES = 8
"""Read at once."""


async def tail(lanes: Mapping[int, Lane], first_offset: int, store: Reader, shard: int, asked: Tail) -> Tailed:
    """What came behind the places that were asked for, settled or not, as far as it is still stored.

    `first_offset` is the first one of a log that begins. Raises Unavailable.
    """
    found: list[Record] = []
    places = dict(asked.places or {})
    missed = size = 0
    # Others may begin meanwhile.
    for number, lane in list(lanes.items()):
        first = lane.log.segments[0].base if lane.log.segments else lane.confirmed
        if asked.places is not None:
            # A log that nobody knew of then has begun since.
            missed += max(0, first - asked.places.get(number, first_offset))
        offset = max(_begin(lane, asked), first)
        while offset < lane.confirmed and len(found) < asked.limit and size < READ_AHEAD_BYTES:
            end = lane.confirmed
            records = await lane.log.read_records(store, shard, offset, BATCHES)
            offset = end
            for place, record in records:
                if len(found) >= asked.limit or place >= end:
                    offset = place
                    break
                offset = place + 1
                if record.timestamp >= asked.since:
                    found.append(record)
                    size += record.size
        places[number] = offset
    return Tailed(sorted(found, key=lambda record: record.timestamp), places, missed)


def _begin(lane: Lane, asked: Tail) -> int:
    if asked.places is not None:
        return asked.places.get(lane.number, 0)
    return lane.log.written_before(asked.since) if asked.since else lane.confirmed
