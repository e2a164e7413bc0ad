"""Keys in a queue without order: none waits behind many messages of another."""

from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from quintet_broker.engine.lanes.fair import FEW, LANES, PRIORITIES, Fair, priority_of
from quintet_broker.engine.records.headers import PRIORITY
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Acknowledge, Append, Peek
from quintet_broker.engine.shards.shard import Shard
from tests.unit.each import One
from tests.unit.shard_bench import HOUR, Bench


async def send(
    bench: Bench, shard: Shard, key: bytes | None, count: int, value: bytes = b"", priority: int = 0
) -> None:
    now = bench.store.now()
    headers = ((PRIORITY, b"%d" % priority),) if priority else ()
    await bench.ask(shard, Append(now, [Record(b"", now, key, headers)] * count, [None] * count))


def keys(deliveries: list[One]) -> Counter[bytes | None]:
    return Counter(delivery.record.key for delivery in deliveries)


async def test_a_quiet_key_is_next_though_another_has_a_large_backlog() -> None:
    bench = Bench()
    shard = bench.open(1)
    for _ in range(20):
        await send(bench, shard, b"noisy", 1000)
    assert keys(await bench.receive(shard, 10)) == {b"noisy": 10}
    await send(bench, shard, b"quiet", 1)
    assert keys(await bench.receive(shard, 1)) == {b"quiet": 1}
    assert keys(await bench.receive(shard, 10)) == {b"noisy": 10}


async def test_it_is_so_under_another_owner() -> None:
    bench = Bench()
    shard = bench.open(1)
    for _ in range(20):
        await send(bench, shard, b"noisy", 1000)
    await bench.receive(shard, 10, HOUR)
    await send(bench, shard, b"quiet", 3)
    bench.shards.clear()
    shard = bench.open(1)
    assert keys(await bench.receive(shard, 4)) == {b"quiet": 3, b"noisy": 1}


async def test_who_takes_one_at_a_time_gets_of_each_key_in_turn() -> None:
    bench = Bench()
    shard = bench.open(1)
    for key in b"abc":
        await send(bench, shard, bytes([key]), 100)
    found = []
    for _ in range(9):
        [one] = await bench.receive(shard, 1)
        found.append(one.record.key)
        await bench.ask(shard, Acknowledge(bench.store.now(), [one.receipt]))
    assert Counter(found) == {b"a": 3, b"b": 3, b"c": 3}


async def test_keys_with_fewer_in_flight_catch_up() -> None:
    bench = Bench()
    shard = bench.open(1)
    await send(bench, shard, b"noisy", 100)
    await bench.receive(shard, 20)
    await send(bench, shard, b"quiet", 50)
    assert keys(await bench.receive(shard, 20)) == {b"quiet": 20}
    assert keys(await bench.receive(shard, 20)) == {b"quiet": 10, b"noisy": 10}


async def test_a_key_of_which_many_are_in_flight_has_its_turn_too() -> None:
    bench = Bench()
    shard = bench.open(1)
    await send(bench, shard, None, 100)
    await bench.receive(shard, 50, HOUR)
    await send(bench, shard, b"noisy", 500)
    found: Counter[bytes | None] = Counter()
    for _ in range(40):
        received = await bench.receive(shard, 10, HOUR)
        found += keys(received)
        await bench.acknowledge(shard, *received)
    assert found[None] >= 5


async def test_priorities_come_first() -> None:
    bench = Bench()
    shard = bench.open(1)
    await send(bench, shard, b"noisy", 50, priority=5)
    await send(bench, shard, b"quiet", 1)
    await send(bench, shard, b"other", 1, priority=5)
    assert keys(await bench.receive(shard, 51)) == {b"noisy": 50, b"other": 1}
    assert keys(await bench.receive(shard, 10)) == {b"quiet": 1}


async def test_messages_without_a_key_share_one_log() -> None:
    bench = Bench()
    shard = bench.open(1)
    await send(bench, shard, None, 1000)
    assert list(shard.lanes) == [0]
    await bench.receive(shard, 10)
    await send(bench, shard, None, 1000)
    assert list(shard.lanes) == [0]


async def test_a_peek_sees_all_logs_once() -> None:
    bench = Bench()
    shard = bench.open(1)
    for key in b"abcd":
        await send(bench, shard, bytes([key]), 30)
        await send(bench, shard, bytes([key]), 30, priority=3)
    place, seen = None, []
    while True:
        found = await bench.ask(shard, Peek(bench.store.now(), 50, place))
        seen += [one.record.key for one in found.seen]
        if not (place := found.next):
            break
    assert Counter(seen) == {bytes([key]): 60 for key in b"abcd"}
    assert len(shard.lanes) > 2


async def test_who_came_with_others_leaves_them_once_one_of_them_has_a_backlog() -> None:
    bench = Bench()
    shard = bench.open(1)
    for key in b"noisy", b"quiet":
        await send(bench, shard, key, 1)
    await send(bench, shard, b"noisy", 1000)
    await send(bench, shard, b"quiet", 10)
    assert keys(await bench.receive(shard, 23))[b"quiet"] == 11


sends = st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.integers(1, 100), st.integers(0, 50)))


@given(sends)
def test_a_key_stays_in_its_log_while_it_waits_there_behind_few_of_others(sends: list[tuple[bytes, int, int]]) -> None:
    fair = Fair()
    tails: dict[int, int] = defaultdict(int)
    read: dict[int, int] = defaultdict(int)
    lasts: dict[bytes, tuple[int, int]] = {}

    def waiting(log: int) -> int:
        return tails[log] - read[log]

    for key, count, taken in sends:
        for _ in range(count):
            log = fair.place(3, key, tails.__getitem__, waiting)
            assert log == fair.place(3, key, tails.__getitem__, waiting)
            assert priority_of(log) == 3
            assert log < LANES * PRIORITIES
            before, last = lasts.get(key, (log, -FEW))
            if read[before] <= last and tails[before] - last <= FEW:
                assert log == before
            else:
                assert waiting(log) <= 2 * FEW, "there are more logs than keys"
            lasts[key] = log, tails[log]
            tails[log] += 1
        for log in list(tails):
            read[log] = min(tails[log], read[log] + taken)
