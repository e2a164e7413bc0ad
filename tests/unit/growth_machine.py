"""A state machine over one queue whose shards become more; owners die or fail, writes are lost, brokers learn late."""

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from msgspec import structs

from quintet_broker.engine.pool.joiner import join
from quintet_broker.engine.pool.route import Pool, Route
from quintet_broker.engine.pool.spread import Grown, Spread
from quintet_broker.engine.records.headers import ID
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Append, Delivery, Recall, Receive, Request, Sent, Settled, Split
from quintet_broker.engine.shards.shard import Shard
from quintet_broker.engine.state.hashes import HASH_BYTES
from quintet_broker.engine.state.policy import Policy
from quintet_broker.errors import Unavailable
from tests.unit.each import One, each
from tests.unit.shard_bench import HOUR, POLICY, Bench

VISIBILITY = 1000
MOST_SHARDS = 9
BROKERS = 2
PRODUCERS = 3
keys = st.sampled_from([b"%d" % number for number in range(12)])
TURNS = 2000
"""Enough for all that does not wait for anything."""
PATIENCE = 50
"""Turns that time takes to pass."""
ROUNDS = 2 * MOST_SHARDS
"""Of receiving all: a shard gives nothing until older ones have given what they hold."""


class Way:
    """To a shard, whoever owns it."""

    def __init__(self, machine: "GrowthMachine", number: int) -> None:
        self.number = number
        self._machine = machine

    @property
    def shard(self) -> Shard:
        return self._machine.bench.shards[self.number]

    async def serve(self, request: Request[Any]) -> Any:
        failing = self._machine.failing.pop((self.number, type(request)), None)
        if failing == "before":
            raise Unavailable
        self.shard.ask(request)
        answer = await request.future
        if failing == "after":
            raise Unavailable
        return answer


class Broker:
    """Routes to as many shards as it knows of; more once it looks."""

    def __init__(self, machine: "GrowthMachine") -> None:
        self._machine = machine
        self.spread = Spread(cast(Pool, self))
        self.learn()

    def now(self) -> int:
        return self._machine.bench.store.now()

    async def look(self) -> None:
        self.learn()

    def learn(self) -> None:
        machine = self._machine
        self.spread.policy, self.spread.grown = machine.base, machine.grown
        known = len(self.spread.routes)
        self.spread.routes += [cast(Route, Way(machine, number)) for number in machine.numbers[known:]]


class GrowthMachine(RuleBasedStateMachine):
    """Of a queue without an order."""

    base: ClassVar[Policy] = structs.replace(POLICY, retention=1000 * HOUR, in_flight=10_000)

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.bench = Bench()
        self.numbers = [1]
        self.grown: Grown | None = None
        self.bench.open(1, self.base)
        self.brokers = [Broker(self) for _ in range(BROKERS)]
        self.messages = 0
        self.sequences = [0] * PRODUCERS
        self.failing: dict[tuple[int, type[Request[Any]]], str] = {}
        """By number of a shard, which requests fail there once, and whether before or after they are served."""
        self.unanswered: dict[int, Append] = {}
        """By producer, what it does not know to be stored: it sends that again before anything else."""
        self.held: dict[bytes, bytes] = {}
        """What was confirmed and not acknowledged: message → key."""
        self.behind: dict[bytes, set[bytes]] = {}
        """Messages of its key that were confirmed before a message was first sent, or stand before it in its send."""
        self.maybe: dict[bytes, bytes] = {}
        """What was sent and not confirmed yet."""
        self.settled: set[bytes] = set()
        self.first: dict[bytes, Sent] = {}
        """By the hash of a deduplication id, what the first send under it was confirmed with."""
        self.in_flight: list[tuple[Shard, One]] = []

    # Turning the loop

    def run(self, work: Coroutine[Any, Any, None], turns: int = TURNS) -> bool:
        """Turn the shards until work is done, for so many turns; whether it was. Then it dies, and so do joiners."""
        return self.loop.run_until_complete(self._run(work, turns))

    async def _run(self, work: Coroutine[Any, Any, None], turns: int) -> bool:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        joiners: dict[Shard, asyncio.Task[None]] = {}
        for _ in range(turns):
            if task.done():
                break
            for shard in list(self.bench.shards.values()):
                await self.bench.turn_one(shard)
                is_helped = shard in joiners and not joiners[shard].done()
                if (shard.wants_to_join or shard.wants_to_begin) and not is_helped:
                    joiners[shard] = asyncio.ensure_future(join(shard, self._way, self.bench.store.now))
            await asyncio.sleep(0)
        done = task.done()
        for other in (task, *joiners.values()):
            other.cancel()
        await asyncio.gather(task, *joiners.values(), return_exceptions=True)
        if done and not task.cancelled() and (error := task.exception()):
            raise error
        return done

    def _way(self, number: int) -> Way:
        return Way(self, number)

    # What clients do

    def new(self, some: list[bytes], producer: int) -> Append:
        """A producer's next send, or again the one that was not answered."""
        if producer in self.unanswered:
            return self.unanswered[producer]
        self.sequences[producer] += 1
        values = [b"%d" % (self.messages + place) for place in range(len(some))]
        self.messages += len(some)
        for value, key in zip(values, some, strict=True):
            self.sending(value, key, values)
        append = self.unanswered[producer] = self.append(
            [self.record(value, key) for value, key in zip(values, some, strict=True)],
            producer + 1,
            self.sequences[producer],
        )
        return append

    def sending(self, value: bytes, key: bytes, together: list[bytes]) -> None:
        before = {one for one in together if self.maybe.get(one) == key}
        self.behind[value] = before | {one for one, its in self.held.items() if its == key}
        self.maybe[value] = key

    def record(self, value: bytes, key: bytes) -> Record:
        is_keyed = self.base.ordered or int(key) % 3
        return Record(value, self.bench.store.now(), key if is_keyed else None, ((ID, value.rjust(16)),))

    def append(self, records: list[Record], producer: int | None, sequence: int, hashed: bytes | None = None) -> Append:
        async def inside() -> Append:
            now = self.bench.store.now()
            sequences = [sequence] * len(records)
            return Append(now, records, [None] * len(records), producer, sequences, [hashed] * len(records))

        return self.loop.run_until_complete(inside())

    @rule(
        some=st.lists(keys, min_size=1, max_size=6),
        producer=st.integers(0, PRODUCERS - 1),
        broker=st.integers(0, BROKERS - 1),
        turns=st.sampled_from([TURNS, TURNS, 0, 1, 2, 3, 5]),
        learns=st.booleans(),
    )
    def send(self, some: list[bytes], producer: int, broker: int, turns: int, learns: bool = False) -> None:
        """`learns`: the broker hears of new shards while it sends."""
        append = self.new(some, producer)
        try:
            is_done = self.run(self._send(append, broker, learns), turns)
        except Unavailable:
            return
        if is_done:
            del self.unanswered[producer]
            for record in append.records:
                self.confirmed(record.value)
        else:
            self.restart()

    def confirmed(self, value: bytes) -> None:
        key = self.maybe.pop(value, None)
        if key is not None and value not in self.settled:
            self.held[value] = key

    async def _send(self, append: Append, broker: int, learns: bool) -> None:
        append = append.again()
        append.at = self.bench.store.now()
        # A shard numbers the records of its own copy: the next attempt begins anew.
        append.records = list(append.records)
        if learns:
            asyncio.get_running_loop().call_soon(self.brokers[broker].learn)
        await self.brokers[broker].spread.append(append)

    @rule()
    def receive(self, limit: int = 3) -> None:
        found: dict[Shard, list[One]] = {}

        async def inside() -> None:
            asked = [(shard, self._receive(shard, limit)) for shard in self.bench.shards.values()]
            for shard, receiving in asked:
                found[shard] = each(await receiving)

        assert self.run(inside())
        for shard, received in found.items():
            self.check([delivery.record for delivery in received])
            self.in_flight += [(shard, delivery) for delivery in received]

    def _receive(self, shard: Shard, limit: int) -> asyncio.Future[list[Delivery]]:
        now = self.bench.store.now()
        receive = Receive(now, limit, VISIBILITY, now)
        shard.ask(receive)
        return receive.future

    def check(self, records: list[Record]) -> None:
        for record in records:
            assert record.value not in self.settled, f"{record.value!r} was acknowledged, and delivered again"
            assert record.value in self.held or record.value in self.maybe, f"{record.value!r} was never sent"

    @rule(count=st.integers(1, 10))
    def acknowledge(self, count: int) -> None:
        for shard, delivery in self.in_flight[:count]:
            if self.bench.shards.get(shard.number) is shard:
                [error] = self.loop.run_until_complete(self.bench.acknowledge(shard, delivery))
                if error is None:
                    self.held.pop(delivery.record.value, None)
                    self.settled.add(delivery.record.value)
        del self.in_flight[:count]

    @rule()
    def wait(self) -> None:
        self.bench.store.time += VISIBILITY
        self.in_flight.clear()

        async def inside() -> None:
            for _ in range(PATIENCE):
                await asyncio.sleep(0)

        # New shards ask older ones what they have left.
        self.run(inside())

    # What becomes of the queue

    @rule(more=st.integers(1, 4))
    def grow(self, more: int) -> None:
        count = len(self.numbers)
        for number in range(count + 1, min(count + more, MOST_SHARDS) + 1):
            self.bench.open(number, self.base.of_shard([*self.numbers, number], count))
            self.numbers.append(number)
            count += 1
        self.grown = Grown(self.grown.count if self.grown else count - more, self.bench.store.now())

    @rule(broker=st.integers(0, BROKERS - 1))
    def learn(self, broker: int) -> None:
        self.brokers[broker].learn()

    # What goes wrong

    @rule(when=st.sampled_from(["before", "after"]))
    def lose_next_write(self, when: str) -> None:
        self.bench.store.lose_next = when

    @rule(
        number=st.integers(1, MOST_SHARDS),
        kind=st.sampled_from([Append, Append, Recall, Split, Settled]),
        when=st.sampled_from(["before", "after"]),
    )
    def fail_next(self, number: int, kind: type[Request[Any]], when: str) -> None:
        self.failing[number, kind] = when

    @rule()
    def restart(self) -> None:
        """All owners die; so what was asked of them is answered by nobody."""
        for number, shard in list(self.bench.shards.items()):
            self.bench.open(number, shard.policy)
        self.in_flight.clear()
        self.bench.store.time += VISIBILITY

    def teardown(self) -> None:
        try:
            self.drain()
        finally:
            self.loop.close()

    def drain(self) -> None:
        """All that was confirmed comes, once."""
        self.bench.store.lose_next = None
        self.failing.clear()
        for producer in list(self.unanswered):
            self.send([], producer, 0, TURNS)
        for _ in range(ROUNDS):
            self.wait()
            self.receive(limit=1000)
            self.acknowledge(1000)
        assert self.held == {}, "it was lost"


class OrderedGrowthMachine(GrowthMachine):
    """Of a queue that keeps the order of its groups, and drops duplicates."""

    base: ClassVar[Policy] = structs.replace(GrowthMachine.base, ordered=True)

    def check(self, records: list[Record]) -> None:
        super().check(records)
        before: set[bytes] = set()
        for record in records:
            before.add(record.value)
            earlier = self.behind[record.value] & self.held.keys() - before
            assert not earlier, f"{record.value!r} came before {earlier}"

    @rule(key=keys, name=st.integers(0, 2), broker=st.integers(0, BROKERS - 1))
    def send_deduplicated(self, key: bytes, name: int, broker: int) -> None:
        hashed = (b"%d %s" % (name, key)).ljust(HASH_BYTES)
        value = b"%d" % self.messages
        self.messages += 1
        self.sending(value, key, [])
        append = self.append([self.record(value, key)], None, 0, hashed)
        answers: list[list[Sent] | None] = []

        async def inside() -> None:
            answers.append(await self.brokers[broker].spread.append(append))

        try:
            self.run(inside())
        except Unavailable:
            return
        [[sent]] = cast(list[list[Sent]], answers)
        known = self.first.setdefault(hashed, sent)
        assert (sent.id, sent.sequence) == (known.id, known.sequence)
        # One sent before that was not answered may be what is stored.
        self.confirmed(sent.id.lstrip())
