"""One state machine that drives a shard and the model side by side, over any store, crashes included."""

import asyncio
import math
from typing import Any, ClassVar, cast

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from msgspec import structs

from quintet_broker.engine.lanes.log import SEGMENT_MAX_AGE
from quintet_broker.engine.lanes.read_ahead import READ_AHEAD_BYTES
from quintet_broker.engine.records.headers import EXPIRES_AT, PRIORITY
from quintet_broker.engine.records.record import Headers, Record, encode
from quintet_broker.engine.records.sealed import seal
from quintet_broker.engine.records.selector import Allowance
from quintet_broker.engine.requests import Acknowledge, Append, Delivery, Extend, GiveBack, Purge, Receive, Request
from quintet_broker.engine.shards.rewriter import PAUSE
from quintet_broker.engine.shards.shard import Shard
from quintet_broker.engine.state.policy import Policy
from quintet_broker.errors import QueueFull, ReceiptStale, TooManyInFlight
from quintet_broker.store.redis import Store
from quintet_broker.store.tick import Outcome
from tests.unit.each import One, each
from tests.unit.fake_store import FaultyStore, Inner
from tests.unit.model import Model

VISIBILITY = 30_000
POLICY = Policy("orders", retention=10**12, in_flight=1_000)
PRODUCER = 7
KEYS = [None, b"a", b"a", b"b"]
priorities = st.sampled_from([0, 0, 1, 10])


class Pod:
    """A broker whose loop is turned by hand."""

    waiting_bytes = 0
    owner = "broker-0"
    generation = 0
    remembers_more = True
    most_kept = READ_AHEAD_BYTES

    def __init__(self) -> None:
        self.allowance = Allowance(math.inf)

    def wake(self, shard: Shard) -> None:
        """Nothing to do: `EngineMachine.settle` turns every shard it uses."""


class EngineMachine(RuleBasedStateMachine):
    """Sends, receives, settles, lets time pass; loses writes before and after they are applied; changes owners."""

    deliveries: Bundle[Delivery] = Bundle("deliveries")
    base: ClassVar[Policy] = POLICY

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.store = FaultyStore(self.loop.run_until_complete(self.make_store()))
        self.model = self.make_model()
        self.policy = self.base
        self.numbers = 0
        self.sequence = -1
        self.owner = self.new_owner()
        self.paused: Shard | None = None

    def make_model(self) -> Model:
        return Model()

    async def make_store(self) -> Inner:
        raise NotImplementedError

    def change_id(self) -> None:
        """From now on the store is another one, with the same data."""
        raise NotImplementedError

    async def close_store(self) -> None:
        """Where the store has something to close."""

    def new_owner(self) -> Shard:
        return Shard(1, self.policy, cast(Store, self.store), Pod())

    # Turning the loop

    def ask(self, request: Request[Any], shard: Shard | None = None) -> Any:
        shard = shard or self.owner
        shard.ask(request)
        self.loop.run_until_complete(self.settle(shard))
        assert request.future.done()
        answer = request.future.result()
        return each(answer) if isinstance(request, Receive) else answer

    def make(self, kind: type[Request[Any]], *arguments: Any) -> Any:
        async def inside() -> Request[Any]:
            return kind(self.store.now(), *arguments)

        return self.loop.run_until_complete(inside())

    async def settle(self, shard: Shard) -> None:
        while True:
            if not shard.taken:
                await shard.take()
            tick = shard.collect(self.store.now())
            if tick:
                [outcome] = await self.store.write([tick])
                shard.complete(outcome)
            elif shard.wants_fetch(self.store.now()):
                await shard.fetch(self.store.now())
            else:
                return

    def records(self, count: int, priority: int = 0, expiry: int | None = None) -> tuple[list[int], list[Record]]:
        numbers = list(range(self.numbers, self.numbers + count))
        self.numbers += count
        headers: Headers = ((PRIORITY, str(priority).encode()),) if priority else ()
        if expiry is not None:
            headers += ((EXPIRES_AT, str(self.store.now() + expiry).encode()),)
        now = self.store.now()
        return numbers, [Record(str(number).encode(), now, KEYS[number % len(KEYS)], headers) for number in numbers]

    # What clients do

    @rule(count=st.integers(1, 5), priority=priorities)
    def send(self, count: int, priority: int) -> None:
        numbers, records = self.records(count, priority)
        append = self.make(Append, records, [None] * count)
        if self.policy.messages is not None and self.held + count > self.policy.messages:
            with pytest.raises(QueueFull):
                self.ask(append)
            return
        self.ask(append)
        for number in numbers:
            self.model.sent(number, priority)

    @rule(count=st.integers(1, 3), priority=priorities, expiry=st.sampled_from([1, 10, 2 * VISIBILITY]))
    def send_expiring(self, count: int, priority: int, expiry: int) -> None:
        self.set_policy(structs.replace(self.policy, messages=None))
        numbers, records = self.records(count, priority, expiry)
        self.ask(self.make(Append, records, [None] * count))
        for number in numbers:
            self.model.sent(number, priority, expires_at=self.store.now() + expiry)

    @rule(count=st.integers(1, 5), priority=priorities, messages=st.integers(1, 5))
    def send_where_others_make_room(self, count: int, priority: int, messages: int) -> None:
        now = self.store.now()
        # After a write that was lost, the shard would be taken again meanwhile.
        self.store.lose_next = None
        self.set_policy(structs.replace(self.base, messages=messages, overflow="DropOldest"))
        # What was released, or delivered for no time at all, is not in flight any more.
        self.loop.run_until_complete(self.settle(self.owner))
        fixed = len(self.model.held) - len(self.model.waiting(now))
        numbers, records = self.records(count, priority)
        append = self.make(Append, records, [None] * count)
        try:
            self.ask(append)
        except QueueFull:
            assert fixed + count > messages
            return
        finally:
            self.set_policy(self.base)
        for number in numbers:
            self.model.sent(number, priority)
        gone = self.model.waiting(now) - self.loop.run_until_complete(self.stored())
        assert fixed + count <= messages
        assert self.held <= messages
        self.model.made_room(gone - self.model.expired(now), now)

    async def stored(self) -> set[int]:
        """The numbers of the messages in the logs that are not settled."""
        found = set()
        for lane in self.owner.lanes.values():
            offset = lane.cursor.acknowledged_to
            while some := await lane.log.read_records(self.store, 1, offset, 100):
                found |= {int(record.value) for place, record in some if not lane.cursor.is_acknowledged(place)}
                offset = some[-1][0] + 1
        return found

    @property
    def held(self) -> int:
        return sum(structs.astuple(self.owner.counts))

    @rule(messages=st.sampled_from([None, 3]), in_flight=st.sampled_from([1_000, 2]), paused=st.booleans())
    def change_policy(self, messages: int | None, in_flight: int, paused: bool) -> None:
        self.set_policy(structs.replace(self.base, messages=messages, in_flight=in_flight, paused=paused))

    def set_policy(self, policy: Policy) -> None:
        self.policy = policy
        self.owner.set_policy(policy)

    @rule(delay=st.integers(1, 60_000), priority=priorities)
    def send_delayed(self, delay: int, priority: int) -> None:
        self.set_policy(structs.replace(self.policy, messages=None))
        [number], records = self.records(1, priority)
        due = self.store.now() + delay
        self.ask(self.make(Append, records, [due]))
        self.model.sent(number, priority, due)

    @rule(count=st.integers(1, 3), priority=priorities, twice=st.booleans())
    def send_once(self, count: int, priority: int, twice: bool) -> None:
        """A producer that sends again what it sent before has it stored once."""
        self.set_policy(structs.replace(self.policy, messages=None))
        numbers, records = self.records(count, priority)
        self.sequence += 1
        for _ in range(1 + twice):
            self.ask(self.make(Append, records, [None] * count, PRODUCER, [self.sequence] * count))
        for number in numbers:
            self.model.sent(number, priority)

    @rule(count=st.integers(1, 9), twice=st.booleans())
    def send_batch(self, count: int, twice: bool) -> None:
        """A batch that a client encoded, under a producer's next sequence, is stored once as well."""
        self.set_policy(structs.replace(self.policy, messages=None))
        numbers, records = self.records(count, 0)
        self.sequence += 1
        batch, _ = seal(encode(records), (self.sequence, 7), self.store.now())
        for _ in range(1 + twice):
            self.ask(self.make(Append, [], [], PRODUCER, [self.sequence], None, 1, batch.data))
        for number in numbers:
            self.model.sent(number, 0)

    @rule(target=deliveries, limit=st.integers(1, 7), visibility=st.sampled_from([0, 1, VISIBILITY]))
    def receive(self, limit: int, visibility: int) -> Any:
        now = self.store.now()
        room = self.policy.in_flight - len(self.model.in_flight(now))
        visible = 0 if self.policy.paused else min(len(self.model.visible(now)), max(room, 0))
        try:
            received = self.ask(self.make(Receive, limit, visibility, now))
        except TooManyInFlight:
            assert room <= 0
            return multiple()
        assert min(1, visible) <= len(received) <= min(limit, visible)
        is_limited = self.policy.in_flight != self.base.in_flight
        self.model.check_order([int(delivery.record.value) for delivery in received], now, is_limited)
        for delivery in received:
            self.model.delivered(int(delivery.record.value), delivery.deliveries, delivery.nonce, now, visibility)
        return multiple(*received)

    @rule(
        target=deliveries, limit=st.integers(1, 7), rest=st.integers(0, 1), visibility=st.sampled_from([0, VISIBILITY])
    )
    def receive_selected(self, limit: int, rest: int, visibility: int) -> Any:
        """Only every other message, those of a higher priority first."""
        now = self.store.now()
        room = self.policy.in_flight - len(self.model.in_flight(now))
        visible = self.model.selected(now, lambda number: number % 2 == rest)
        most = 0 if self.policy.paused else min(len(visible), max(room, 0))
        try:
            received = self.ask(self.make(Receive, limit, visibility, now, f"int(value) % 2 == {rest}"))
        except TooManyInFlight:
            assert room <= 0
            return multiple()
        numbers = [int(delivery.record.value) for delivery in received]
        assert len(numbers) <= min(limit, most)
        assert set(numbers) <= visible
        if self.policy.in_flight == self.base.in_flight:
            assert len(numbers) >= min(1, most)
            self.model.check_selected(numbers, visible)
        for delivery in received:
            self.model.delivered(int(delivery.record.value), delivery.deliveries, delivery.nonce, now, visibility)
        return multiple(*received)

    @rule(delivery=deliveries)
    def acknowledge(self, delivery: One) -> None:
        number = int(delivery.record.value)
        [error] = self.ask(self.make(Acknowledge, [delivery.receipt]))
        if error is None:
            self.model.acknowledged(number)
        else:
            assert isinstance(error, ReceiptStale)
            self.model.check_stale(number, delivery.nonce, self.store.now())

    @rule(limit=st.integers(1, 9), back=st.booleans())
    def receive_and_settle_together(self, limit: int, back: bool) -> None:
        """What was delivered together is acknowledged, or given back, together."""
        now = self.store.now()
        receive = self.make(Receive, limit, VISIBILITY, now)
        try:
            ones = self.ask(receive)
        except TooManyInFlight:
            return
        for one in ones:
            self.model.delivered(int(one.record.value), one.deliveries, one.nonce, now, VISIBILITY)
        receipts = [delivery.receipt for delivery in receive.future.result()]
        if back:
            self.ask(self.make(GiveBack, receipts))
            for one in ones:
                self.model.given_back(int(one.record.value), one.nonce, now)
        else:
            assert not any(self.ask(self.make(Acknowledge, receipts)))
            for one in ones:
                self.model.acknowledged(int(one.record.value))

    @rule(delivery=consumes(deliveries), hidden=st.sampled_from([0, 10, VISIBILITY]))
    def extend(self, delivery: One, hidden: int) -> None:
        number = int(delivery.record.value)
        [error] = self.ask(self.make(Extend, [(delivery.receipt, hidden)]))
        if error is None:
            self.model.hidden(number, self.store.now() + hidden)
        else:
            self.model.check_stale(number, delivery.nonce, self.store.now())

    @rule(delivery=consumes(deliveries))
    def give_back(self, delivery: One) -> None:
        number = int(delivery.record.value)
        if number in self.model.held and self.model.held[number].maybe:
            return
        self.ask(self.make(GiveBack, [delivery.receipt]))
        self.model.given_back(number, delivery.nonce, self.store.now())

    @rule()
    def purge(self) -> None:
        self.ask(self.make(Purge))
        self.model.purged()

    @rule(passed=st.sampled_from([1, 10, VISIBILITY, 2 * VISIBILITY]))
    def wait(self, passed: int) -> None:
        self.store.time += passed
        self.loop.run_until_complete(self.settle(self.owner))

    @rule()
    def rewrite(self) -> None:
        """What was written long ago and is mostly dead is rewritten."""
        self.store.time += SEGMENT_MAX_AGE + 1
        self.loop.run_until_complete(self._rewrite())

    async def _rewrite(self) -> None:
        await self.settle(self.owner)
        while self.owner.wants_rewrite(self.store.now()):
            running = asyncio.ensure_future(self.owner.rewrite(self.store.now()))
            while not running.done():
                await self.settle(self.owner)
                await asyncio.sleep(0)
            await running
            self.store.time += PAUSE

    # What goes wrong

    @rule(when=st.sampled_from(["before", "after"]))
    def lose_next_write(self, when: str) -> None:
        """The connection breaks: the owner does not know whether its write was applied."""
        self.store.lose_next = when

    @rule()
    def crash(self) -> None:
        self.owner = self.new_owner()
        self.loop.run_until_complete(self.settle(self.owner))

    @rule()
    def change_store(self) -> None:
        self.change_id()
        self.crash()

    @rule(applied=st.booleans(), count=st.integers(1, 3))
    def crash_in_receive(self, applied: bool, count: int) -> None:
        """The owner dies between its claim and its answer: whoever asked got nothing, the claim may stand."""
        now = self.store.now()
        self.set_policy(self.base)
        if not self.model.visible(now):
            return
        received = self.make(Receive, count, VISIBILITY, now)
        self.owner.ask(received)
        self.loop.run_until_complete(self._claim_and_die(applied, now))
        self.store.time += VISIBILITY
        self.crash()

    async def _claim_and_die(self, applied: bool, now: int) -> None:
        while not (tick := self.owner.collect(now)):
            await self.owner.fetch(now)
        for held in self.model.held.values():
            held.maybe += held.visible_at <= now
        if applied:
            self.store.lose_next = None
            await self.store.write([tick])

    @rule()
    def pause_owner(self) -> None:
        """The owner stops, another takes the shard."""
        self.loop.run_until_complete(self.settle(self.owner))
        self.paused = self.owner
        self.crash()

    @rule()
    def wake_paused_owner(self) -> None:
        """An owner that was overtaken writes and delivers: all of it must be refused."""
        if self.paused is None:
            return
        stale, self.paused = self.paused, None
        stale.set_policy(self.base)
        _, records = self.records(1)
        written = self.make(Append, records, [None])
        stale.ask(written)
        received = self.make(Receive, 3, VISIBILITY, self.store.now())
        stale.ask(received)
        self.store.lose_next = None
        self.loop.run_until_complete(self._expect_fenced(stale, written, received))

    async def _expect_fenced(self, stale: Shard, *requests: Request[Any]) -> None:
        tick = stale.collect(self.store.now())
        assert tick is not None
        assert await self.store.write([tick]) == [Outcome.FENCED], "an owner that was overtaken wrote"
        stale.close(ReceiptStale())
        for request in requests:
            error = request.future.exception()
            assert isinstance(error, ReceiptStale) or request.future.result() == []

    # What always holds

    @invariant()
    def counts_agree(self) -> None:
        if not self.owner.taken:
            return
        expired = len(self.model.expired(self.store.now()))
        assert len(self.model.held) - expired <= self.held <= len(self.model.held)

    def teardown(self) -> None:
        try:
            self.drain()
        finally:
            self.loop.run_until_complete(self.close_store())
            self.loop.close()

    def drain(self) -> None:
        """Whatever was confirmed and not acknowledged is delivered."""
        self.store.lose_next = None
        self.set_policy(self.base)
        self.store.time += 10 * VISIBILITY
        expected = self.model.visible(self.store.now())
        received: set[int] = set()
        while some := self.ask(self.make(Receive, 1_000, VISIBILITY, self.store.now())):
            received |= {int(delivery.record.value) for delivery in some}
        assert received == expected
