"""Peek: reads records without claiming them."""

from collections.abc import Mapping

from quintet_broker.engine.lanes.fair import in_turn
from quintet_broker.engine.lanes.lane import Lane
from quintet_broker.engine.lanes.log import Reader
from quintet_broker.engine.lanes.read_ahead import READ_AHEAD_BYTES
from quintet_broker.engine.requests import Peek, Peeked, Seen
from quintet_broker.engine.state.policy import Policy

BATCHES = 8
"""Read at once."""
READS = 32
"""At most: where much between is settled, a look ends before it found what was asked for."""


async def peek(lanes: Mapping[int, Lane], policy: Policy, store: Reader, shard: int, asked: Peek) -> Peeked:
    """Records that are visible or in flight, of the highest priority first, and where to go on. Raises Unavailable."""
    seen: list[Seen] = []
    size = reads = 0
    # Others may begin meanwhile.
    for number, lane in list(lanes.items()):
        if asked.place and in_turn(number) < in_turn(asked.place[0]):
            continue
        begin = asked.place[1] if asked.place and number == asked.place[0] else 0
        offset = max(begin, lane.cursor.acknowledged_to)
        while (offset := lane.cursor.over_gaps(offset)) < lane.confirmed:
            if len(seen) >= asked.limit or size >= READ_AHEAD_BYTES or reads >= READS:
                return Peeked(seen, (number, offset))
            records = await lane.log.read_records(store, shard, offset, BATCHES)
            reads += 1
            offset = lane.confirmed
            for place, record in records:
                if len(seen) >= asked.limit or place >= lane.confirmed:
                    offset = place
                    break
                offset = place + 1
                if (found := lane.cursor.look(place)) and not policy.is_expired(record, asked.at):
                    seen.append(Seen(record, *found))
                    size += record.size
    return Peeked(seen, None)
