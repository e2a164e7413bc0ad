"""Gathering against a model of the broker's rules for producers: whatever is lost, refused or cancelled, no confirmed
item is lost, none is stored twice, and what is to be in order is."""

import asyncio
import contextlib
import itertools
import json
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from quintet import coalescer
from quintet.coalescer import Answered, Coalescer, Gathering, Request
from quintet.errors import (
    ConnectionLost,
    InvalidArgument,
    OutOfOrder,
    PoolFull,
    QueueFull,
    QueueNotFound,
    QuintetError,
    TimedOut,
)

BAD = "bad"
Fate = Literal["kept", "request lost", "answer lost", "late", "pool full", "gone"]
FATES: tuple[Fate, ...] = ("kept", "request lost", "answer lost", "late", "pool full", "gone")


class Model:
    """What a broker keeps: a request is stored if its producer's sequence is higher than any before, and if the one is
    that it comes behind."""

    def __init__(self, fates: Sequence[Fate], capacity: int, in_order: bool = False) -> None:
        self.stored: dict[str, str] = {}
        """Item by id."""
        self.bodies: list[bytes] = []
        self.posted = asyncio.Event()
        self._fates = list(fates)
        self._capacity = capacity
        """Until the fates are spent: then consumers have made room."""
        self._last: dict[int, int] = {}
        """By producer; there is one for each lane, or for all where an order is kept."""
        self._in_order = in_order
        self._kept: set[bytes] = set()
        self._late: list[tuple[bytes, bytes | None]] = []
        self._sequences = itertools.count()

    def encode(self, items: Sequence[str], lane: int) -> Request:
        producer = 0 if self._in_order else lane
        return Request(json.dumps([producer, next(self._sequences), *items]).encode(), lambda ids: ids)

    def post(self, body: bytes, after: bytes | None, answered: Answered) -> None:
        task = asyncio.ensure_future(self._store(body, after))
        task.add_done_callback(lambda done: answered(done.exception() or done.result()))

    async def _store(self, body: bytes, after: bytes | None) -> list[str]:
        self.bodies.append(body)
        self.posted.set()
        await asyncio.sleep(0)
        fate = self._fates.pop(0) if self._fates else "kept"
        if fate == "kept" and self._late:
            # A request that a client gave up for lost arrives after all.
            self._keep_late(*self._late.pop())
        if fate == "request lost":
            raise ConnectionLost
        if fate == "late":
            self._late.append((body, after))
            raise ConnectionLost
        if fate == "pool full":
            raise PoolFull
        if fate == "gone":
            raise QueueNotFound
        ids = self._keep(body, after)
        await asyncio.sleep(0)
        if fate == "answer lost":
            raise ConnectionLost
        return ids

    def _keep_late(self, body: bytes, after: bytes | None) -> None:
        # Nobody hears whether it is refused.
        with contextlib.suppress(QuintetError):
            self._keep(body, after)

    def _keep(self, body: bytes, after: bytes | None) -> list[str]:
        producer, sequence, *items = json.loads(body)
        if after is not None and after not in self._kept:
            raise OutOfOrder
        if BAD in items:
            raise InvalidArgument
        if self._fates and len(self.stored) + len(items) > self._capacity:
            raise QueueFull
        ids = [f"{sequence}.{place}" for place in range(len(items))]
        if sequence > self._last.get(producer, -1):
            self._last[producer] = sequence
            self.stored |= zip(ids, items, strict=True)
        self._kept.add(body)
        return ids


class Noted(Coalescer[str, str]):
    """Notes in which order items are asked for."""

    def __init__(self, model: Model, gathering: Gathering) -> None:
        super().__init__(model.post, gathering)
        self.asked: list[str] = []

    def _put(self, call: coalescer.Call[str, str]) -> None:
        self.asked += call.items
        super()._put(call)


class Caller(Struct):
    items: list[str]
    starts: int
    """Turns of the event loop."""
    stays: int | None
    """Turns after which it is cancelled."""


callers = st.lists(
    st.builds(Caller, st.lists(st.sampled_from(["good", "good", "good", BAD]), min_size=1, max_size=3),
              st.integers(0, 6), st.none() | st.integers(0, 8)),
    min_size=1, max_size=8,
)  # fmt: skip


async def _call(coalescer: Coalescer[str, str], model: Model, caller: Caller) -> Sequence[str] | BaseException:
    for _ in range(caller.starts):
        await asyncio.sleep(0)
    asking = asyncio.ensure_future(coalescer.ask(model.encode, caller.items, 1, 30))
    if caller.stays is not None:
        for _ in range(caller.stays):
            await asyncio.sleep(0)
        asking.cancel()
    await asyncio.wait([asking])
    return asyncio.CancelledError() if asking.cancelled() else (asking.exception() or asking.result())


async def _run(
    model: Model, callers: list[Caller], gathering: Gathering | None = None
) -> list[Sequence[str] | BaseException]:
    gathering = gathering or Gathering()
    gathered = Noted(model, gathering)
    results = await asyncio.gather(*(_call(gathered, model, caller) for caller in callers))
    await gathered.idle()
    if gathering.lanes == 1 or gathering.in_order:
        stored = set(model.stored.values())
        assert list(model.stored.values()) == [item for item in gathered.asked if item in stored]
    return results


def _numbered(callers: list[Caller]) -> list[Caller]:
    """Every item another, so that each can be found again."""
    numbers = itertools.count()
    for caller in callers:
        caller.items = [item if item == BAD else f"{item}-{next(numbers)}" for item in caller.items]
    return callers


@settings(max_examples=400)
@given(
    callers,
    st.lists(st.sampled_from(FATES), max_size=12),
    st.integers(4, 12),
    st.sampled_from([0, 1e-4]),
    st.integers(1, 3),
    st.booleans(),
)
def test_nothing_is_lost_doubled_or_out_of_order(
    callers: list[Caller], fates: list[Fate], capacity: int, linger: float, lanes: int, in_order: bool
) -> None:
    _check(Model(fates, capacity, in_order), callers, Gathering(linger, 4, lanes=lanes, in_order=in_order))


crowds = st.lists(
    st.builds(Caller, st.lists(st.sampled_from(["good", "good", "good", BAD]), min_size=1, max_size=2),
              st.integers(0, 2), st.none() | st.integers(4, 8)),
    min_size=4, max_size=12,
)  # fmt: skip


@settings(max_examples=400)
@given(crowds, st.lists(st.sampled_from(FATES), max_size=3), st.integers(2, 4))
def test_many_that_are_under_way_in_order_stay_so(callers: list[Caller], fates: list[Fate], lanes: int) -> None:
    """Though parts of them are refused, and some fail on their way."""
    _check(Model(fates, 4, in_order=True), callers, Gathering(messages=3, lanes=lanes, in_order=True))


def _check(model: Model, callers: list[Caller], gathering: Gathering) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coalescer, "pauses", lambda: itertools.repeat(0.0))
        patch.setattr(coalescer, "WAITING_ITEMS", 5)
        patch.setattr(coalescer, "ENOUGH_ITEMS", 2)
        results = asyncio.run(asyncio.wait_for(_run(model, _numbered(callers), gathering), 5))
    kept = Counter(model.stored.values())
    for caller, result in zip(callers, results, strict=True):
        if isinstance(result, BaseException):
            certain = isinstance(result, QuintetError) and coalescer.EARLIER not in result.detail
            assert not (certain and any(kept[item] for item in caller.items))
        else:
            assert [model.stored[message_id] for message_id in result] == caller.items
    assert all(count == 1 for count in kept.values())
    assert BAD not in kept


@settings(max_examples=100)
@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_only_the_guilty_fail(good: list[bool]) -> None:
    model = Model([], 100)
    items = [f"good-{place}" if fine else BAD for place, fine in enumerate(good)]
    results = asyncio.run(_run(model, [Caller([item], 0, None) for item in items]))
    assert [not isinstance(result, BaseException) for result in results] == good
    assert list(model.stored.values()) == [item for item in items if item != BAD]


async def test_what_is_asked_meanwhile_goes_together() -> None:
    model = Model([], 100)
    await _run(model, [Caller(["first"], 0, None), *(Caller([f"{n}"], 1, None) for n in range(20))])
    assert len(model.bodies) == 2


async def test_enough_is_asked_in_another_lane_meanwhile() -> None:
    """What is less waits for an answer."""
    model = Model([], 1000)
    posted: list[list[object]] = []
    gathered = Coalescer[str, str](lambda body, *_: posted.append(json.loads(body)), Gathering(lanes=2))
    lots = [str(number) for number in range(coalescer.ENOUGH_ITEMS)]
    asking = [gathered.ask(model.encode, items, 1, 60) for items in (["a"], ["b"], lots, lots)]
    for one in asking:
        one.send(None)
    assert posted == [[0, 0, "a"], [1, 1, "b", *lots]]
    for one in asking:
        one.close()


async def test_what_was_refused_for_the_one_before_it_goes_again_as_soon_as_that_is_stored() -> None:
    model = Model(["request lost"], 1000, in_order=True)
    lots = coalescer.ENOUGH_ITEMS
    gathered = Coalescer[str, str](model.post, Gathering(messages=lots, lanes=2, in_order=True))
    first, second = (asyncio.ensure_future(gathered.ask(model.encode, [name] * lots, 1, within=30)) for name in "ab")
    await first
    for _ in range(10):
        await asyncio.sleep(0)
    assert second.done()


@pytest.mark.parametrize(("lanes", "in_order"), [(1, False), (2, False), (2, True), (3, True)])
async def test_one_lane_or_several_in_order_keep_the_order_of_the_calls(lanes: int, in_order: bool) -> None:
    """Where the first request has to be repeated."""
    model = Model(["request lost"], 1000, in_order)
    gathering = Gathering(messages=coalescer.ENOUGH_ITEMS, lanes=lanes, in_order=in_order)
    gathered = Coalescer[str, str](model.post, gathering)
    calls = [[f"{call}"] * coalescer.ENOUGH_ITEMS for call in range(3)]
    await asyncio.gather(*(gathered.ask(model.encode, items, 1, 60) for items in calls))
    found = list(dict.fromkeys(int(item) for item in model.stored.values()))
    assert sorted(found) == [0, 1, 2]
    assert (found == [0, 1, 2]) == (lanes == 1 or in_order)


async def test_what_is_behind_a_refused_request_is_asked_anew_behind_its_parts() -> None:
    """Its number is lower than theirs, and would never be stored."""
    model = Model([], 1000, in_order=True)
    lots = coalescer.ENOUGH_ITEMS
    gathered = Coalescer[str, str](model.post, Gathering(messages=lots + 2, lanes=2, in_order=True))
    calls = [["first"], ["a"], ["b"] * lots, [BAD], ["c"] * (lots - 1), ["d"] * lots]
    results = await asyncio.gather(
        *(gathered.ask(model.encode, items, 1, 60) for items in calls), return_exceptions=True
    )
    assert [isinstance(result, InvalidArgument) for result in results] == [items == [BAD] for items in calls]
    assert list(dict.fromkeys(model.stored.values())) == ["first", "a", "b", "c", "d"]
    assert len(model.stored) == 3 * lots + 1


async def test_what_is_behind_a_request_that_fails_for_good_is_said_alone_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(coalescer, "pauses", lambda: itertools.repeat(1000.0))
    model = Model(["kept", "gone"], 1000, in_order=True)
    lots = coalescer.ENOUGH_ITEMS
    gathered = Coalescer[str, str](model.post, Gathering(messages=lots, lanes=3, in_order=True))
    async with asyncio.timeout(10):
        first, gone, behind = await asyncio.gather(
            *(gathered.ask(model.encode, [item] * lots, 1, 60) for item in "abc"), return_exceptions=True
        )
    assert isinstance(gone, QueueNotFound)
    assert [model.stored[one] for one in [*first, *behind]] == ["a"] * lots + ["c"] * lots  # type: ignore[misc]


async def test_lost_request_goes_out_again_as_it_was() -> None:
    model = Model(["answer lost", "request lost"], 100)
    await _run(model, [Caller(["a"], 0, None)])
    assert len(model.bodies) == 3
    assert len(set(model.bodies)) == 1


async def test_request_that_filled_the_queue_itself_is_confirmed_in_the_end() -> None:
    """Its answer is lost; sent again, it finds the queue full of itself, and neither fails nor is sent apart."""
    model = Model(["answer lost", "kept", "kept"], 3)
    both = [Caller(["a", "b"], 0, None), Caller(["c"], 0, None)]
    assert await _run(model, both, Gathering(1e-4)) == [["0.0", "0.1"], ["0.2"]]
    assert len(model.bodies) == 3
    assert len(set(model.bodies)) == 1


async def test_caller_is_told_what_kept_it_waiting() -> None:
    model = Model(["pool full"] * 100, 100)
    gathered = Coalescer[str, str](model.post, Gathering())
    first = asyncio.ensure_future(gathered.ask(model.encode, ["a"], 1, 0.2))
    await model.posted.wait()
    with pytest.raises(TimedOut, match="nothing was sent"):
        await gathered.ask(model.encode, ["b"], 1, 0.05)
    with pytest.raises(PoolFull):
        await first


async def test_request_that_nobody_waits_for_ends() -> None:
    model = Model(["request lost"] * 1000, 100)
    gathered = Coalescer[str, str](model.post, Gathering())
    with pytest.raises(ConnectionLost):
        await gathered.ask(model.encode, ["a"], 1, 0.1)
    await asyncio.wait_for(gathered.idle(), 5)
    assert not model.stored


async def test_cancelled_before_it_was_sent_is_not_sent() -> None:
    model = Model(["pool full"], 100)
    gathered = Coalescer[str, str](model.post, Gathering())
    first = asyncio.ensure_future(gathered.ask(model.encode, ["a"], 1, 5))
    await model.posted.wait()
    second, third = (asyncio.ensure_future(gathered.ask(model.encode, [item], 1, 5)) for item in "bc")
    await asyncio.sleep(0)
    third.cancel()
    await asyncio.wait([first, second, third])
    assert list(model.stored.values()) == ["a", "b"]


async def test_with_linger_a_request_waits_for_more_until_it_is_full() -> None:
    model = Model([], 100)
    gathered = Coalescer[str, str](model.post, Gathering(linger=20, messages=3))
    asking = [asyncio.ensure_future(gathered.ask(model.encode, [item], 1, 60)) for item in "ab"]
    for _ in range(10):
        await asyncio.sleep(0)
    assert model.bodies == []
    async with asyncio.timeout(10):
        await gathered.ask(model.encode, ["c"], 1, 60)
        await asyncio.gather(*asking)
    assert len(model.bodies) == 1
    lonely = Coalescer[str, str](model.post, Gathering(linger=0.01))
    assert await lonely.ask(model.encode, ["d"], 1, 60) == ["1.0"]


async def test_call_that_is_alone_is_said_in_its_own_turn() -> None:
    model = Model([], 100)
    gathered = Coalescer[str, str](model.post, Gathering())
    posted: list[object] = []
    gathered._post = lambda body, after, answered: posted.append(body)
    asking = gathered.ask(model.encode, ["a"], 1, 60)
    asking.send(None)
    assert len(posted) == 1
    asking.close()


async def test_requests_hold_what_is_encoded_alike() -> None:
    """In the order of the calls."""
    model = Model(["pool full"], 100)
    gathered = Coalescer[str, str](model.post, Gathering())

    def other(items: Sequence[str], lane: int) -> Request:
        return model.encode(items, lane)

    asking = [
        asyncio.ensure_future(gathered.ask(encode, [item], 1, 60))
        for encode, item in [(model.encode, "a"), (model.encode, "b"), (other, "c"), (other, "d"), (model.encode, "e")]
    ]
    async with asyncio.timeout(10):
        assert await asyncio.gather(*asking) == [["0.0"], ["1.0"], ["2.0"], ["2.1"], ["3.0"]]


async def test_answer_that_cannot_be_read_fails_its_calls_alone() -> None:
    model = Model([], 100)
    gathered = Coalescer[str, str](model.post, Gathering())

    def unreadable(items: Sequence[str], lane: int) -> Request:
        return model.encode(items, lane)._replace(results=lambda answer: answer.nothing)

    with pytest.raises(AttributeError):
        await gathered.ask(unreadable, ["a"], 1, 60)
    assert await gathered.ask(model.encode, ["b"], 1, 60) == ["1.0"]
