"""What is held decoded ahead of consumers, and what is read when."""

from quintet_broker.engine.lanes.cursor import Cursor
from quintet_broker.engine.lanes.log import Log
from quintet_broker.engine.lanes.read_ahead import READ_AHEAD_BATCHES, READ_AHEAD_BYTES, ReadAhead
from quintet_broker.engine.records.record import Record, encode
from quintet_broker.engine.records.run import RECORD_BYTES, Run


class Batches:
    """A segment of batches of so many records each; counts what was read of it."""

    def __init__(self, size: int) -> None:
        self.records: dict[int, Record] = {}
        self.size = size
        self.reads = 0

    async def read(self, shard: int, log: int, segment: int, offset: int, count: int) -> list[tuple[int, bytes]]:
        self.reads += 1
        first = offset - offset % self.size
        offsets = [o for o in sorted(self.records) if first <= o < first + count * self.size]
        parts = [offsets[place : place + self.size] for place in range(0, len(offsets), self.size)]
        return [(part[-1] + 1, encode([self.records[o] for o in part], part[0])) for part in parts]


class Bench:
    """A log of stored records with a cursor, and nothing held yet."""

    def __init__(self, *values: bytes, batch: int = 1) -> None:
        self.store = Batches(batch)
        self.log = Log()
        for value in values:
            self.store.records[self.log.tail] = Record(value, 0)
            self.log.append(1, len(value), 0)
        self.cursor = Cursor()
        self.ahead = ReadAhead(self.log, self.cursor, self.cursor, self.cursor)

    async def fetch(self) -> list[range]:
        return await self.ahead.fetch(self.store, 1, self.log.tail)

    def make_due(self, count: int) -> None:
        """The first records were delivered in vain."""
        self.cursor.deliver(0, count, 0, 1, 1)
        self.cursor.expire(1)

    def unread(self) -> list[int]:
        return [offset for offset, _ in iter(self.ahead.next_unread, None)]

    def due(self) -> list[int]:
        return [offset for offset, _ in iter(self.ahead.next_due, None)]


async def test_unread_records_are_read_in_order_and_once() -> None:
    bench = Bench(b"a", b"b")
    assert bench.ahead.wants_fetch(bench.log.tail)
    await bench.fetch()
    assert not bench.ahead.wants_fetch(bench.log.tail)
    assert bench.unread() == [0, 1]


async def test_what_is_appended_is_held_if_nothing_between_is_missing() -> None:
    bench = Bench(b"stored")
    bench.ahead.hold(Run.of(1, [Record(b"behind", 0)]))
    assert bench.unread() == []
    await bench.fetch()
    bench.ahead.hold(Run.of(1, [Record(b"next", 0)]))
    assert bench.unread() == [0, 1]


def test_no_more_is_held_of_what_is_appended_than_may_be_kept() -> None:
    bench = Bench()
    bench.ahead.most_kept = 3 * READ_AHEAD_BYTES
    for place in range(10):
        bench.ahead.hold(Run.of(place, [Record(bytes(READ_AHEAD_BYTES), 0)]))
    assert bench.unread() == [0, 1, 2]


async def test_what_is_settled_since_it_was_read_is_passed_over() -> None:
    bench = Bench(b"a", b"b", b"c")
    bench.make_due(1)
    await bench.fetch()
    bench.cursor.seek(2)
    assert bench.due() == []
    assert bench.unread() == [2]


async def test_what_was_let_go_is_read_again() -> None:
    bench = Bench(b"again", b"unread")
    bench.make_due(1)
    await bench.fetch()
    bench.ahead.let_go()
    assert (bench.due(), bench.unread()) == ([], [])
    await bench.fetch()
    assert (bench.due(), bench.unread()) == ([0], [1])


async def test_no_more_is_read_than_may_be_held() -> None:
    half = bytes(READ_AHEAD_BYTES // 2)
    bench = Bench(*[half] * 8)
    bench.make_due(8)
    await bench.fetch()
    assert bench.store.reads == 2
    assert bench.due() == [0, 1]


async def test_however_small_records_are_no_more_of_them_is_held_than_fits_and_a_batch() -> None:
    batch = 1000
    bench = Bench(*[b""] * 20 * batch, batch=batch)
    read: list[int] = []
    most = 0
    while len(read) < 20 * batch:
        await bench.fetch()
        most = max(most, bench.ahead._unread_bytes)
        read += [offset for offset, _ in filter(None, (bench.ahead.next_unread() for _ in range(500)))]
    assert read == list(range(20 * batch))
    assert most < READ_AHEAD_BYTES * 3 / 2 + batch * RECORD_BYTES


async def test_small_batches_are_read_many_at_once() -> None:
    bench = Bench(*[b""] * 1000)
    while bench.ahead.wants_fetch(bench.log.tail):
        await bench.fetch()
    assert bench.store.reads < 1000 / READ_AHEAD_BATCHES + 5


async def test_a_due_record_that_is_gone_is_told_and_no_longer_due() -> None:
    bench = Bench(b"gone", b"there")
    bench.make_due(2)
    del bench.store.records[0]
    assert await bench.fetch() == [range(1)]
    assert bench.due() == [1]
    assert bench.cursor.due == 1


async def test_unread_records_that_are_gone_are_told_and_not_looked_for_again() -> None:
    bench = Bench(b"gone", b"gone too")
    bench.store.records.clear()
    assert await bench.fetch() == [range(2)]
    assert not bench.ahead.wants_fetch(bench.log.tail)
