"""The engine's state machine once more, for a queue that keeps the order of message groups and drops duplicates."""

import math
from collections import defaultdict
from collections.abc import Callable
from itertools import takewhile
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import rule
from msgspec import structs

from quintet_broker.engine.records.headers import ID
from quintet_broker.engine.records.record import Record, encode
from quintet_broker.engine.records.sealed import seal
from quintet_broker.engine.requests import Acknowledge, Append, Receive, Sent
from quintet_broker.engine.state.deduplication import BUCKET, WINDOW
from quintet_broker.engine.state.policy import Policy
from tests.unit.engine_machine import POLICY, VISIBILITY, EngineMachine
from tests.unit.model import Held, Model

GROUPS = 3


def group_of(number: int) -> int:
    return number % GROUPS


def id_of(number: int) -> bytes:
    return number.to_bytes(16)


class OrderedModel(Model):
    """Of each group, in the order of sending, nothing may be received while one before it or of it is hidden."""

    def __init__(self, now: Callable[[], int]) -> None:
        super().__init__()
        self.now = now
        self.first: dict[bytes, tuple[int, Sent]] = {}
        """By deduplication id, when it was sent and what the send was confirmed with; of a batch without sequences."""
        self.last_sequence = -1

    def sent(self, number: int, priority: int, visible_at: int = 0, expires_at: float = math.inf) -> None:
        """None is due before those that were sent before it."""
        waiting = [held.visible_at for held in self.held.values() if not held.deliveries and not held.maybe]
        later = [due for due in waiting if due > self.now()]
        super().sent(number, 0, max([visible_at, *later]), expires_at)

    def visible(self, now: int) -> set[int]:
        groups: dict[int, list[Held]] = defaultdict(list)
        for held in self.held.values():
            groups[group_of(held.number)].append(held)
        visible = set()
        for group in groups.values():
            if any(held.deliveries and held.visible_at > now for held in group):
                continue
            for held in sorted(group, key=lambda held: held.number):
                if held.visible_at > now:
                    break
                if now < held.expires_at:
                    visible.add(held.number)
        return visible

    def check_order(self, delivered: list[int], now: int, is_limited: bool) -> None:
        visible = self.visible(now)
        for group in range(GROUPS):
            mine = [number for number in delivered if group_of(number) == group]
            expected = sorted(number for number in visible if group_of(number) == group)
            assert mine == expected[: len(mine)], "out of order"

    def selected(self, now: int, matches: Callable[[int], bool]) -> set[int]:
        """Of each group, those up to the first that does not match."""
        selected = set()
        for group in range(GROUPS):
            mine = sorted(number for number in self.visible(now) if group_of(number) == group)
            selected |= set(takewhile(matches, mine))
        return selected

    def check_selected(self, delivered: list[int], matching: set[int]) -> None:
        for group in range(GROUPS):
            mine = [number for number in delivered if group_of(number) == group]
            assert mine == sorted(number for number in matching if group_of(number) == group)[: len(mine)], (
                "out of order"
            )

    def purged(self) -> None:
        super().purged()
        self.first.clear()

    def known(self, deduplication: bytes) -> Sent | None:
        """What was sent first under an id that is remembered."""
        at, sent = self.first.get(deduplication, (0, None))
        return sent if at // BUCKET >= (self.now() - WINDOW) // BUCKET else None


class FifoMachine(EngineMachine):
    """Messages of three groups, some with one of three deduplication ids."""

    base: ClassVar[Policy] = structs.replace(POLICY, ordered=True)
    model: OrderedModel

    def make_model(self) -> Model:
        return OrderedModel(self.store.now)

    def records(self, count: int, priority: int = 0, expiry: int | None = None) -> tuple[list[int], list[Record]]:
        numbers, records = super().records(count, priority, expiry)
        keyed = [
            structs.replace(record, key=b"%d" % group_of(number), headers=((ID, id_of(number)), *record.headers))
            for number, record in zip(numbers, records, strict=True)
        ]
        return numbers, keyed

    @rule(ids=st.lists(st.sampled_from([b"a" * 16, b"b" * 16, b"ab" * 8]), min_size=1, max_size=3))
    def send_deduplicated(self, ids: list[bytes]) -> None:
        self.set_policy(structs.replace(self.policy, messages=None))
        numbers, records = self.records(len(ids))
        answers = self.ask(self.make(Append, records, [None] * len(ids), None, None, list(ids)))
        for number, hashed, answer in zip(numbers, ids, answers, strict=True):
            if known := self.model.known(hashed):
                assert answer.id == known.id, "a duplicate was not confirmed with the first"
                assert known.sequence in (None, answer.sequence)
                continue
            assert answer.id == id_of(number)
            assert answer.sequence > self.model.last_sequence
            self.model.last_sequence = answer.sequence
            self.model.sent(number, 0)
            self.model.first[hashed] = self.store.now(), answer

    @rule(ids=st.lists(st.sampled_from([b"a" * 16, b"b" * 16, b"ab" * 8, b"c" * 16]), min_size=1, max_size=4))
    def send_deduplicated_batch(self, ids: list[bytes]) -> None:
        """It is stored as it is where none of it is a duplicate."""
        self.set_policy(structs.replace(self.policy, messages=None))
        numbers, records = EngineMachine.records(self, len(ids))
        keyed = [structs.replace(one, key=b"%d" % group_of(n)) for n, one in zip(numbers, records, strict=True)]
        batch, _ = seal(encode(keyed), (numbers[0], 8), self.store.now())
        answers = self.ask(self.make(Append, [], [], None, [0], list(ids), 1, batch.data))
        own = [(batch.first_id + place).to_bytes(16) for place in range(len(ids))]
        for number, hashed, named, answer in zip(numbers, ids, own, answers or [None] * len(ids), strict=True):
            if known := self.model.known(hashed):
                assert answer, "a duplicate was stored"
                assert known.sequence in (None, answer.sequence)
                assert answer.id == known.id, "a duplicate was not confirmed with the first"
                continue
            assert answer is None or answer.id == named
            self.model.sent(number, 0)
            self.model.first[hashed] = self.store.now(), answer or Sent(named, None)

    @rule(passed=st.sampled_from([WINDOW - BUCKET, WINDOW + BUCKET]))
    def wait_long(self, passed: int) -> None:
        self.wait(passed)

    def drain(self) -> None:
        """Whatever was confirmed and not acknowledged is delivered, in order."""
        self.store.lose_next = None
        self.set_policy(self.base)
        self.store.time += 10 * VISIBILITY
        expected = set(self.model.held) - self.model.expired(self.store.now())
        received: list[int] = []
        while some := self.ask(self.make(Receive, 1_000, VISIBILITY, self.store.now())):
            received += [int(delivery.record.value) for delivery in some]
            self.ask(self.make(Acknowledge, [delivery.receipt for delivery in some]))
        for group in range(GROUPS):
            assert _of(group, received) == _of(group, sorted(expected))


def _of(group: int, numbers: list[int]) -> list[Any]:
    return [number for number in numbers if group_of(number) == group]
