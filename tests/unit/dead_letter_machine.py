"""A state machine over two queues that are each other's dead-letter queue, and the movers between them."""

import asyncio
import contextlib
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, multiple, rule
from msgspec import structs

from quintet_broker.engine.pool.mover import Movers
from quintet_broker.engine.records.headers import EXPIRES_AT, PRIORITY
from quintet_broker.engine.records.record import Headers
from quintet_broker.engine.requests import Request, StartRedrive, StopRedrive
from quintet_broker.engine.shards.redriver import HIDDEN
from quintet_broker.engine.shards.shard import Shard
from quintet_broker.engine.state.policy import Policy
from quintet_broker.errors import QueueFull
from tests.unit.each import One
from tests.unit.shard_bench import HOUR, POLICY, Bench

VISIBILITY = 1000
OTHER = {1: 2, 2: 1}
MAX_RECEIVES = st.sampled_from([1, 1, 2])
queues = st.sampled_from([1, 2])
ROUNDS = 4
"""What expired is met by a receive and goes to the other queue; in an ordered one others of its group follow then."""


class DeadLetterMachine(RuleBasedStateMachine):
    """Sends, receives in vain, acknowledges; owners and movers die after any step, and writes are lost."""

    base: ClassVar[Policy] = structs.replace(POLICY, retention=1000 * HOUR)
    deliveries: Bundle[tuple[int, One]] = Bundle("deliveries")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.bench = Bench()
        self.numbers = 0
        self.held: set[bytes] = set()
        """What was confirmed and not acknowledged."""
        self.most_receives = 0
        for number, other in OTHER.items():
            policy = structs.replace(self.base, dead_letter=other, expired_to=other, max_receives=1)
            self.bench.open(number, policy)
            self.change_policy(number, 1, None)

    # Turning the loop

    def settle(self, steps: int = 1000) -> None:
        self.loop.run_until_complete(self._settle(steps))

    async def _settle(self, steps: int) -> None:
        """Turn shards and movers until nothing is left to do, or for so many steps; then the movers die."""
        movers = Movers(self.bench.target, self.bench.store.now, self.bench.start)
        for _ in range(steps):
            busy = [await self._turn_one(shard, movers) for shard in self.bench.shards.values()]
            await asyncio.sleep(0)
            if not any(busy) and not self.bench.movers:
                break
        await self.bench.end_moves()

    async def _turn_one(self, shard: Shard, movers: Movers) -> bool:
        busy = await self.bench.turn_one(shard)
        if shard.taken and shard.leaving:
            movers.move(shard)
        return busy

    # What clients do

    @rule(number=queues, count=st.integers(1, 4), priority=st.sampled_from([0, 1, 10]), expires=st.booleans())
    def send(self, number: int, count: int, priority: int, expires: bool) -> None:
        values = [b"%d" % (self.numbers + place) for place in range(count)]
        self.numbers += count
        headers: Headers = ((PRIORITY, b"%d" % priority),)
        if expires:
            headers += ((EXPIRES_AT, b"%d" % (self.bench.store.time + VISIBILITY)),)
        # Once too many are on their way, none makes room for others.
        with contextlib.suppress(QueueFull):
            self.loop.run_until_complete(self.bench.send(self.bench.shards[number], *values, headers=headers))
            self.held |= set(values)

    @rule(target=deliveries, number=queues, count=st.integers(1, 4), visibility=st.sampled_from([0, VISIBILITY]))
    def send_and_receive(self, number: int, count: int, visibility: int) -> Any:
        self.send(number, count, 0, expires=False)
        received = self.loop.run_until_complete(self.bench.receive(self.bench.shards[number], 5, visibility))
        for delivery in received:
            assert delivery.record.value in self.held, "it was acknowledged, and delivered again"
            assert delivery.deliveries <= self.most_receives, "it was delivered too often"
        return multiple(*((number, delivery) for delivery in received))

    @rule(held=consumes(deliveries))
    def acknowledge(self, held: tuple[int, One]) -> None:
        number, delivery = held
        [error] = self.loop.run_until_complete(self.bench.acknowledge(self.bench.shards[number], delivery))
        if error is None:
            self.held.discard(delivery.record.value)

    @rule(number=queues, max_receives=MAX_RECEIVES, messages=st.sampled_from([None, 2]))
    def change_policy(self, number: int, max_receives: int, messages: int | None) -> None:
        """Beyond `messages`, the oldest go to the other queue."""
        self.most_receives = max(self.most_receives, max_receives)
        policy = self.bench.shards[number].policy
        policy = structs.replace(policy, max_receives=max_receives, messages=messages, overflow="DeadLetter")
        self.bench.shards[number].set_policy(policy)

    @rule(number=queues, limit=st.sampled_from([None, 1]))
    def redrive(self, number: int, limit: int | None) -> None:
        """What came from the other queue goes back; owners and movers may die meanwhile."""
        self.ask(number, StartRedrive, None, None, limit)

    def ask(self, number: int, kind: type[Request[Any]], *arguments: Any) -> None:
        async def inside() -> None:
            await self.bench.ask(self.bench.shards[number], kind(self.bench.store.now(), *arguments))

        self.loop.run_until_complete(inside())

    @rule()
    def wait(self) -> None:
        self.bench.store.time += VISIBILITY
        self.settle()

    # What goes wrong

    @rule(when=st.sampled_from(["before", "after"]))
    def lose_next_write(self, when: str) -> None:
        self.bench.store.lose_next = when

    @rule(number=queues, steps=st.integers(0, 5), full=st.booleans(), whose=st.sampled_from([(1,), (2,), (1, 2)]))
    def crash_while_records_move(self, number: int, steps: int, full: bool, whose: tuple[int, ...]) -> None:
        self.send_and_receive(number, 2, VISIBILITY)
        self.bench.store.time += VISIBILITY
        self.bench.store.full = full
        self.settle(steps)
        self.bench.store.full = False
        for dead in whose:
            self.bench.open(dead, self.bench.shards[dead].policy)

    @rule(number=queues)
    def change_store(self, number: int) -> None:
        self.bench.inner.id += "'"
        self.bench.open(number, self.bench.shards[number].policy)

    def teardown(self) -> None:
        try:
            self.drain()
        finally:
            self.loop.close()

    def drain(self) -> None:
        """Whatever was confirmed and not acknowledged is in one of the two, once."""
        self.bench.store.lose_next = None
        for number, other in OTHER.items():
            policy = structs.replace(self.base, in_flight=10_000, expired_to=other)
            self.bench.shards[number].set_policy(policy)
            self.ask(number, StopRedrive)
        self.bench.store.time += HIDDEN
        received: list[bytes] = []
        for _ in range(ROUNDS):
            self.settle()
            received += self.receive_all()
        assert sorted(received) == sorted(self.held)

    def receive_all(self) -> list[bytes]:
        received = []
        for shard in self.bench.shards.values():
            while some := self.loop.run_until_complete(self.bench.receive(shard, 100, HOUR)):
                received += [delivery.record.value for delivery in some]
                self.loop.run_until_complete(self.bench.acknowledge(shard, *some))
        return received


class OrderedDeadLetterMachine(DeadLetterMachine):
    """The same between two queues that keep an order."""

    base: ClassVar[Policy] = structs.replace(DeadLetterMachine.base, ordered=True)
