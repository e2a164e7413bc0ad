from quintet_broker.engine.lanes.log import SEGMENT_MAX_AGE, SEGMENT_MAX_BYTES, SEGMENT_MIN_BYTES, Log
from quintet_broker.engine.records.record import Record, encode
from tests.unit.fake_store import FakeStore, Stored


def test_offsets_follow_each_other() -> None:
    log = Log()
    log.append(3, 100, now=0)
    log.append(2, 100, now=1)
    assert log.tail == 5
    assert [segment.base for segment in log.segments] == [0]


def test_a_segment_ends_by_age() -> None:
    log = Log()
    log.append(1, 10, now=0)
    log.append(1, 10, now=SEGMENT_MAX_AGE)
    assert [segment.base for segment in log.segments] == [0, 1]


def test_segments_are_short_in_a_short_log_and_never_too_long() -> None:
    log = Log()
    for _ in range(2000):
        log.append(1, SEGMENT_MIN_BYTES // 4, now=0)
    sizes = [segment.bytes for segment in log.segments]
    assert sizes[0] == SEGMENT_MIN_BYTES
    assert sizes == sorted(sizes[:-1]) + sizes[-1:]
    assert SEGMENT_MAX_BYTES <= max(sizes) < SEGMENT_MAX_BYTES + SEGMENT_MIN_BYTES


def test_trimming_takes_whole_segments() -> None:
    log = Log()
    for _ in range(12):
        log.append(1, SEGMENT_MIN_BYTES // 2, now=0)
    first, second = log.segments[0], log.segments[1]
    assert log.trim(second.base - 1) == []
    assert log.trim(second.base) == [first]
    assert log.bytes == sum(segment.bytes for segment in log.segments)


def test_an_empty_log_keeps_a_small_segment_and_lets_a_large_one_go() -> None:
    small, large = Log(), Log()
    small.append(1, 10, now=0)
    large.append(1, SEGMENT_MIN_BYTES, now=0)
    assert small.trim(1) == []
    assert len(large.trim(1)) == 1


def test_age_is_known_by_segment() -> None:
    log = Log()
    log.append(4, 10, now=0)
    log.append(4, 10, now=SEGMENT_MAX_AGE)
    assert log.written_before(0) == 0
    assert log.written_before(1) == 4
    assert log.written_before(SEGMENT_MAX_AGE + 1) == 8


def test_it_is_loaded_as_it_was() -> None:
    log = Log()
    for now in 0, SEGMENT_MAX_AGE:
        log.append(7, 50, now)
    meta = {f"seg:0:{segment.base}": segment.encode() for segment in log.segments} | {"tail:0": str(log.tail)}
    loaded = Log.load(0, meta)
    assert (list(loaded.segments), loaded.tail, loaded.bytes) == (list(log.segments), log.tail, log.bytes)


async def test_reading_begins_inside_a_batch_and_goes_over_a_missing_segment() -> None:
    store, log = FakeStore(), Log()
    kept = store.shards[1] = Stored()
    for number, now in enumerate((0, SEGMENT_MAX_AGE, 2 * SEGMENT_MAX_AGE)):
        base = log.tail
        segment = log.append(3, 50, now)
        batch = encode([Record(b"%d" % number, now)] * 3, base)
        kept.segments[0, segment.base] = [(log.tail, batch)]
    assert [offset for offset, _ in await log.read_records(store, 1, 1, 1)] == [1, 2]
    del kept.segments[0, 3]
    assert [offset for offset, _ in await log.read_records(store, 1, 3, 1)] == [6, 7, 8]
    assert await log.read(store, 1, 9, 1) == []


async def test_damaged_batches_are_passed_over() -> None:
    store, log = FakeStore(), Log()
    kept = store.shards[1] = Stored()
    batches = kept.segments[0, 0] = []
    for number in range(4):
        base = log.tail
        log.append(2, 50, 0)
        batches.append((log.tail, encode([Record(b"%d" % number, 0)] * 2, base)))
    batches[0] = 2, batches[0][1][:-1] + b"?"
    batches[1] = 4, b"short"
    for at_once in (1, 3):
        assert [offset for offset, _ in await log.read_records(store, 1, 0, at_once)][:2] == [4, 5]
    assert [record and record.value for record in await log.pick(store, 1, [1, 3, 6], 1000)] == [None, None, b"3"]


class OneSegment:
    """Batches of two records from offset 0 on, counted as they are read."""

    reads = 0

    async def read(self, shard: int, log: int, segment: int, offset: int, count: int) -> list[tuple[int, bytes]]:
        self.reads += 1
        base = offset // 2 * 2
        return [(base + 2, encode([Record(b"%d" % o, 0) for o in (base, base + 1)], base))]


async def test_records_are_picked_in_the_order_asked_for_and_batches_read_once() -> None:
    log, store = Log(), OneSegment()
    log.append(6, 10, now=0)
    picked = await log.pick(store, 1, [4, 0, 1, 5, 99], most_bytes=1000)
    assert [record and record.value for record in picked] == [b"4", b"0", b"1", b"5", None]
    assert store.reads == 2


async def test_large_records_are_picked_from_the_first_on_and_no_further() -> None:
    """Whoever moves records in the order of their sequences must never get a later one alone."""
    log, store = Log(), OneSegment()
    log.append(6, 10, now=0)
    picked = await log.pick(store, 1, [0, 4, 1], most_bytes=1)
    assert [record and record.value for record in picked] == [b"0"]
