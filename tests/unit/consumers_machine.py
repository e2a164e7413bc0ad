"""A state machine that drives a shard which serves one consumer at a time, and wakes it as its ticker would."""

import asyncio
from typing import Any, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from msgspec import structs

from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Acknowledge, Append, CloseConsumer, Extend, Receive, Request
from quintet_broker.engine.shards.shard import Shard
from quintet_broker.engine.state.consumers import GRACE
from quintet_broker.errors import QueueInUse
from quintet_broker.store.tick import Outcome
from tests.unit.each import One, each
from tests.unit.shard_bench import POLICY, Bench

VISIBILITY = 30_000
NAMES = ["a", "b", "c"]
names = st.sampled_from(NAMES)
TURNS_AT_ONCE = 200
"""More ticks in a row, without anything asked, are a loop that never ends."""


class Woken(Bench):
    """A bench that turns its shard when it was woken, and when its time has come."""

    awake = True

    def wake(self, shard: Shard) -> None:
        self.awake = True

    async def turn(self) -> None:
        [shard] = self.shards.values()
        for _ in range(TURNS_AT_ONCE):
            await asyncio.sleep(0)
            time = shard.next_wake()
            if not self.awake and (time is None or time > self.store.now()):
                return
            self.awake = False
            await self._turn_once(shard)
        raise AssertionError("it is woken without end")

    async def _turn_once(self, shard: Shard) -> None:
        if not shard.taken:
            await shard.take()
        if tick := shard.collect(self.store.now()):
            [outcome] = await self.store.write([tick])
            shard.complete(outcome)
            self.awake |= outcome is not Outcome.APPLIED
        if shard.wants_fetch(self.store.now()):
            await shard.fetch(self.store.now())
        self.awake |= shard.has_arrivals

    async def pass_time(self, milliseconds: int) -> None:
        """Let time pass, from one moment at which the shard wants to be woken to the next."""
        [shard] = self.shards.values()
        end = self.store.time + milliseconds
        while self.store.time < end:
            self.store.time = min(max(shard.next_wake() or end, self.store.time + 1), end)
            await self.turn()


class Consumer:
    """What a consumer knows of itself."""

    def __init__(self) -> None:
        self.waiting: list[Receive] = []
        self.held: list[One] = []
        self.busy_at: int | None = None
        """When it last waited in turn or held something, since it became active; None where it may be displaced."""


class ConsumersMachine(RuleBasedStateMachine):
    """Three consumers ask, settle, close and vanish; writes are lost, owners change."""

    kind = "SingleActive"

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.bench = Woken()
        self.policy = structs.replace(POLICY, retention=10**12, consumers=self.kind)
        self.shard = self.bench.open(1, self.policy)
        self.consumers = {name: Consumer() for name in NAMES}
        self.numbers = 0

    @property
    def now(self) -> int:
        return self.bench.store.now()

    def run(self, *requests: Request[Any]) -> None:
        async def inside() -> None:
            for request in requests:
                self.shard.ask(request)
            await self.bench.turn()

        self.loop.run_until_complete(inside())
        self.see()

    def make(self, kind: type[Request[Any]], *arguments: Any) -> Request[Any]:
        async def inside() -> Request[Any]:
            return kind(self.now, *arguments)

        return self.loop.run_until_complete(inside())

    # What consumers see

    def see(self) -> None:
        """What was answered since."""
        for name, one in self.consumers.items():
            one.held = [held for held in one.held if held.deadline > self.now]
            for receive in [receive for receive in one.waiting if receive.future.done()]:
                one.waiting.remove(receive)
                if receive.future.cancelled():
                    continue
                if error := receive.future.exception():
                    assert isinstance(error, QueueInUse)
                    assert self.kind == "Exclusive"
                elif deliveries := receive.future.result():
                    self.check_turn(name)
                    one.held += each(deliveries)
        self.note_busy()

    def check_turn(self, name: str) -> None:
        for other, one in self.consumers.items():
            if other != name:
                assert not one.held, f"{name} is served while {other} holds messages"
                before = one.busy_at
                assert before is None or before + GRACE <= self.now, f"{name} is served within the grace of {other}"
                one.busy_at = None
        self.consumers[name].busy_at = self.now

    def note_busy(self) -> None:
        for one in self.consumers.values():
            if one.busy_at is not None and (one.waiting or one.held):
                one.busy_at = self.now

    # What they do

    @rule(count=st.integers(1, 3))
    def send(self, count: int) -> None:
        records = [Record(b"%d" % number, self.now) for number in range(self.numbers, self.numbers + count)]
        self.numbers += count
        self.run(self.make(Append, records, [None] * count))

    @rule(name=names, limit=st.integers(1, 3), wait=st.sampled_from([0, 1_000, 20_000]))
    def receive(self, name: str, limit: int, wait: int) -> None:
        receive = cast(Receive, self.make(Receive, limit, VISIBILITY, self.now + wait, None, name))
        self.consumers[name].waiting.append(receive)
        self.run(receive)

    @rule(name=names)
    def cut(self, name: str) -> None:
        """Its connection breaks: its receives end."""
        self.note_busy()
        for receive in self.consumers[name].waiting:
            receive.future.cancel()
        self.run()

    @rule(name=names, hidden=st.sampled_from([None, 0, 1_000]))
    def settle(self, name: str, hidden: int | None) -> None:
        """Acknowledge what it holds, or hide it for so long."""
        self.note_busy()
        one = self.consumers[name]
        receipts = [held.receipt for held in one.held]
        if hidden is None:
            # Others may be served in the same write.
            one.held = []
            self.run(self.make(Acknowledge, receipts))
        else:
            one.held = [structs.replace(held, deadline=self.now + hidden) for held in one.held]
            self.run(self.make(Extend, [(receipt, hidden) for receipt in receipts]))

    @rule(name=names)
    def close(self, name: str) -> None:
        request = self.make(CloseConsumer, name)
        one = self.consumers[name]
        one.busy_at = None
        self.run(request)
        assert request.future.done()
        assert not one.waiting

    @rule(passed=st.sampled_from([1, 1_000, GRACE - 1, GRACE, VISIBILITY]))
    def wait(self, passed: int) -> None:
        end = self.now + passed
        while self.now < end:
            self.loop.run_until_complete(self.bench.pass_time(min(1_000, end - self.now)))
            self.see()

    # What goes wrong

    @rule(when=st.sampled_from(["before", "after"]))
    def lose_next_write(self, when: str) -> None:
        self.bench.store.lose_next = when

    @precondition(lambda self: self.bench.store.lose_next is None)
    @rule()
    def crash(self) -> None:
        """Another owner: what is asked and unanswered is asked there."""
        waiting = [receive for one in self.consumers.values() for receive in one.waiting]
        self.shard = self.bench.open(1, self.policy)
        self.bench.awake = True
        self.run(*waiting)

    @precondition(lambda self: any(one.waiting for one in self.consumers.values()))
    @rule()
    def pause_and_go_on(self) -> None:
        self.shard.set_policy(structs.replace(self.policy, paused=True))
        self.run()
        self.shard.set_policy(self.policy)
        self.run()

    def teardown(self) -> None:
        try:
            self.end()
        finally:
            self.loop.close()

    def end(self) -> None:
        """Once the others are gone, each is served in its turn; everything is delivered."""
        self.bench.store.lose_next = None
        for name in NAMES:
            self.cut(name)
        for name in NAMES:
            self.send(1)
            self.wait(VISIBILITY + GRACE)
            self.receive(name, 100, 0)
            assert self.consumers[name].held, f"{name} is not served though nobody else asks"


class ExclusiveMachine(ConsumersMachine):
    """The same where others are refused."""

    kind = "Exclusive"
