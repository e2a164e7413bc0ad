"""Coalescer: gathers what is asked while a request is under way into the next one.

One request of a lane at a time, so that the broker sees the sequences of its producer in their order; or several in
order: each is said together with the one before it, behind which alone the broker is to do it, so that all is done in
the order of the calls. A request whose answer was lost is sent again as it is, until nobody waits for
it any more. Its content is never used for anything else: what the broker keeps of it, it keeps once, however often and
however late it arrives.

There is no task in it: what is asked is said in the caller's own turn of the loop, and an answer is told to those who
wait for it in the turn in which it is heard.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any, Generic, NamedTuple, TypeVar

from quintet.errors import (
    RETRIED,
    UNCERTAIN,
    InvalidArgument,
    MessageTooLarge,
    OutOfOrder,
    QueueFull,
    QuintetError,
    TimedOut,
)
from quintet.retry import pauses

Item = TypeVar("Item")
Result = TypeVar("Result")

WAITING_ITEMS = 10_000
WAITING_BYTES = 8 * 1024 * 1024
"""Beyond these a call waits before it is gathered."""
ENOUGH_ITEMS = 100
ENOUGH_BYTES = 64 * 1024
"""For a request while others are under way; what is less waits for more, until one of them is answered."""

OF_ONE = (InvalidArgument, MessageTooLarge, QueueFull)
"""Refusals of a whole request that a part of it may have earned."""
EARLIER = "(An earlier attempt was not answered: it may have been stored.)"


class Gathering(NamedTuple):
    """What goes together in a request."""

    linger: float = 0.0
    """Seconds for which one that has room waits for more, though none is under way."""
    messages: int = 1000
    bytes: int = 256 * 1024
    """It takes no further call beyond these; a single call may be larger."""
    lanes: int = 1
    """Requests under way at a time, at most."""
    in_order: bool = False
    """Whether each of them is done behind those that began before it, or not at all."""


class Request(NamedTuple):
    """What is said for some items."""

    body: Any
    results: Callable[[Any], Sequence[Any]]
    """One for each item, out of the answer."""


Encode = Callable[[Sequence[Any], int], Request]
"""Of items and the lane, counted from 0, in which it is under way."""
Answered = Callable[[Any], None]
"""Is told the answer, or the error for which there is none."""


class Call(Generic[Item, Result]):
    """One caller's items: all of them go into one request."""

    __slots__ = ("asked_at", "encode", "ends_at", "future", "items", "size", "trouble")

    def __init__(self, encode: Encode, items: Sequence[Item], size: int, within: float) -> None:
        loop = asyncio.get_running_loop()
        self.encode = encode
        self.items = items
        self.size = size
        """Bytes, about."""
        self.asked_at = loop.time()
        self.ends_at = self.asked_at + within
        self.future: asyncio.Future[Sequence[Result]] = loop.create_future()
        self.trouble: QuintetError | None = None
        """Why the last attempt failed."""

    @property
    def over(self) -> bool:
        """Answered, or its caller has gone."""
        return self.future.done()

    @property
    def late(self) -> QuintetError:
        """What its caller is told when its time is over."""
        return self.trouble or TimedOut("Other requests took all the time: nothing was sent.")


Calls = list[Call[Item, Result]]


class UnderWay(Generic[Item, Result]):
    """A request until it is answered."""

    def __init__(self, calls: "Calls[Item, Result]", lane: int, request: Request) -> None:
        self.calls = calls
        self.lane = lane
        self.request = request
        self.pauses = pauses()
        self.pause: asyncio.TimerHandle | None = None
        """Until the next attempt."""
        self.after: UnderWay[Item, Result] | None = None
        """The one behind which the last attempt was to be done."""
        self.uncertain = False
        """Whether an attempt may have been stored of which no answer came."""


class Coalescer(Generic[Item, Result]):
    """The calls of one verb on one queue.

    `post` makes one attempt to say a request's body, and the body, if there is one, after which it is to be done: it
    raises QuintetError, or tells later how it went, by OutOfOrder where the other one was not done.
    """

    def __init__(self, post: Callable[[Any, Any | None, Answered], None], gathering: Gathering) -> None:
        self._post = post
        self._gathering = gathering
        self._waiting: dict[Call[Item, Result], None] = {}
        self._items = 0
        self._bytes = 0
        """Of those who wait."""
        self._room = asyncio.Event()
        self._apart: list[Calls[Item, Result]] = []
        """Of requests that were not done, to be asked each by itself before all others, the last one first."""
        self._under_way: dict[int, UnderWay[Item, Result]] = {}
        """By lane, the one that began first is the first."""
        self._beginning: asyncio.Handle | None = None
        """Of the next request, where it waits for more."""
        self._crowded = False
        """Whether several calls went together last: if so, others are likely to ask in the same turn of the loop."""
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = math.inf
        """For the first call whose time is over: one timer for all, as most are answered long before."""
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def ask(self, encode: Encode, items: Sequence[Item], size: int, within: float) -> Sequence[Result]:
        """A result for each item, within so many seconds. Calls of one `encode` may go together.

        Cancelling takes back what no request took yet. Raises QuintetError: the refusal, or why the last attempt
        failed, or TimedOut where there was none.
        """
        call: Call[Item, Result] = Call(encode, items, size, within)
        if self._is_full:
            await self._wait_for_room(call)
        self._put(call)
        try:
            return await call.future
        except BaseException:
            self._take_back(call)
            raise

    async def idle(self) -> None:
        """Until nothing waits and no request is under way."""
        await self._quiet.wait()

    # Those who wait

    @property
    def _is_full(self) -> bool:
        return self._items >= WAITING_ITEMS or self._bytes >= WAITING_BYTES

    async def _wait_for_room(self, call: Call[Item, Result]) -> None:
        try:
            async with asyncio.timeout_at(call.ends_at):
                while self._is_full:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            raise call.late from None

    def _put(self, call: Call[Item, Result]) -> None:
        self._waiting[call] = None
        self._items += len(call.items)
        self._bytes += call.size
        if call.ends_at < self._alarm_at:
            self._set_alarm(call.ends_at)
        if (self._beginning is None or self._gathering.linger) and (not self._under_way or self._is_enough):
            self._begin()

    def _take_back(self, call: Call[Item, Result]) -> None:
        if call in self._waiting:
            del self._waiting[call]
            self._items -= len(call.items)
            self._bytes -= call.size
            self._room.set()

    def _take(self) -> "Calls[Item, Result]":
        """The calls of the next request."""
        taken: Calls[Item, Result] = []
        items = size = 0
        for call in self._waiting:
            more_items, more_size = items + len(call.items), size + call.size
            if taken and (
                more_items > self._gathering.messages
                or more_size > self._gathering.bytes
                or call.encode != taken[0].encode
            ):
                break
            items, size = more_items, more_size
            taken.append(call)
        if len(taken) == len(self._waiting):
            self._waiting.clear()
        else:
            for call in taken:
                del self._waiting[call]
        self._items -= items
        self._bytes -= size
        self._room.set()
        return taken

    def _set_alarm(self, at: float) -> None:
        if self._alarm:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_at(at, self._end_late_ones)
        self._alarm_at = at

    def _end_late_ones(self) -> None:
        # The loop's clock may stand a little before the time at which it rings.
        now, self._alarm, self._alarm_at = self._alarm_at, None, math.inf
        first = math.inf
        for call in chain(*(asked.calls for asked in self._under_way.values()), *self._apart, self._waiting):
            if call.over:
                continue
            if call.ends_at <= now:
                call.future.set_exception(call.late)
            else:
                first = min(first, call.ends_at)
        if first < math.inf:
            self._set_alarm(first)

    # What is under way

    @property
    def _is_enough(self) -> bool:
        """Whether more is to be asked though others are under way."""
        return bool(self._apart) or self._items >= ENOUGH_ITEMS or self._bytes >= ENOUGH_BYTES

    def _begin(self) -> None:
        """Say the next request: now, or once it is large enough, or has waited for long enough."""
        self._quiet.clear()
        if len(self._under_way) == self._gathering.lanes:
            return
        linger, messages, size, *_ = self._gathering
        if linger and not self._apart:
            if self._items >= messages or self._bytes >= size:
                self._next()
            elif self._beginning is None:
                first = next(iter(self._waiting))
                self._beginning = asyncio.get_running_loop().call_at(first.asked_at + linger, self._next)
        elif not self._crowded:
            self._next()
        elif self._beginning is None:
            self._beginning = asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        if self._beginning:
            self._beginning.cancel()
            self._beginning = None
        goes_on = True
        while goes_on and (self._apart or self._waiting) and len(self._under_way) < self._gathering.lanes:
            self._say([call for call in (self._apart.pop() if self._apart else self._take()) if not call.over])
            goes_on = not self._under_way or self._is_enough
        if not self._under_way:
            self._quiet.set()

    def _say(self, calls: "Calls[Item, Result]") -> None:
        if not calls:
            return
        self._crowded = len(calls) > 1
        lane = next(lane for lane in range(self._gathering.lanes) if lane not in self._under_way)
        try:
            request = calls[0].encode([item for call in calls for item in call.items], lane)
        except Exception as error:
            # None that may pass, and none of the broker's: those who come behind are served.
            _fail(calls, error)
            return
        _note(calls, TimedOut())
        self._under_way[lane] = UnderWay(calls, lane, request)
        self._attempt(self._under_way[lane])

    def _attempt(self, found: UnderWay[Item, Result]) -> None:
        answered = partial(self._answered, found)
        found.pause, found.after = None, self._one_before(found)
        try:
            self._post(found.request.body, found.after and found.after.request.body, answered)
        except QuintetError as error:
            asyncio.get_running_loop().call_soon(answered, error)

    def _one_before(self, found: UnderWay[Item, Result]) -> UnderWay[Item, Result] | None:
        """Where an order is kept, the one that began before it."""
        before = None
        if self._gathering.in_order:
            for one in self._under_way.values():
                if one is found:
                    break
                before = one
        return before

    def _is_under_way(self, found: UnderWay[Item, Result]) -> bool:
        return self._under_way.get(found.lane) is found

    def _answered(self, found: UnderWay[Item, Result], answer: Any) -> None:
        if not self._is_under_way(found):
            return
        if isinstance(answer, OutOfOrder) and found.after is not self._one_before(found):
            # That one has failed for good.
            self._try_again(found)
            return
        if isinstance(answer, RETRIED):
            self._try_again_later(found, answer)
            return
        if isinstance(answer, QueueFull) and found.uncertain:
            # What fills the queue may be this very request, stored before: only a later attempt can tell.
            self._try_again_later(found, None)
            return
        if isinstance(answer, OF_ONE) and len(found.calls) > 1 and not found.uncertain:
            # Nothing of them was kept: in halves, and those in halves, so that only the guilty fail.
            self._recall_behind(found)
            middle = len(found.calls) // 2
            self._apart += [found.calls[middle:], found.calls[:middle]]
        elif isinstance(answer, QuintetError):
            _refuse(found.calls, answer, found.uncertain)
        else:
            _answer(found.calls, found.request, answer)
        self._end(found)

    def _recall_behind(self, found: UnderWay[Item, Result]) -> None:
        """What is to be done behind one that was not done is not done either: it is asked anew, behind its halves."""
        if self._gathering.in_order:
            began = list(self._under_way.values())
            for one in reversed(began[began.index(found) + 1 :]):
                del self._under_way[one.lane]
                self._apart.append(one.calls)

    def _end(self, found: UnderWay[Item, Result]) -> None:
        del self._under_way[found.lane]
        # What was refused because of it need not wait any more.
        if following := next((one for one in self._under_way.values() if one.after is found and one.pause), None):
            self._try_again(following)
        if self._apart or self._waiting:
            self._begin()
        elif not self._under_way:
            self._quiet.set()

    def _try_again_later(self, found: UnderWay[Item, Result], error: QuintetError | None) -> None:
        if error:
            if isinstance(error, UNCERTAIN) or not found.uncertain:
                _note(found.calls, error)
            found.uncertain = found.uncertain or isinstance(error, UNCERTAIN)
        found.pause = asyncio.get_running_loop().call_later(next(found.pauses), self._try_again, found)

    def _try_again(self, found: UnderWay[Item, Result]) -> None:
        if found.pause:
            found.pause.cancel()
        if not self._is_under_way(found):
            return
        if all(call.over for call in found.calls):
            self._end(found)
        else:
            self._attempt(found)


def _answer(calls: "Calls[Any, Any]", request: Request, answer: Any) -> None:
    try:
        if isinstance(answer, Exception):
            raise answer
        results = request.results(answer)
    except Exception as error:
        _fail(calls, error)
        return
    start = 0
    for call in calls:
        end = start + len(call.items)
        if not call.future.done():
            call.future.set_result(results[start:end])
        start = end


def _note(calls: "Calls[Any, Any]", trouble: QuintetError) -> None:
    for call in calls:
        call.trouble = trouble


def _fail(calls: "Calls[Any, Any]", error: Exception) -> None:
    for call in calls:
        if not call.over:
            call.future.set_exception(error)


def _refuse(calls: "Calls[Any, Any]", error: QuintetError, uncertain: bool) -> None:
    detail = f"{error.detail} {EARLIER}" if uncertain else error.detail
    for call in calls:
        if not call.over:
            call.future.set_exception(type(error)(detail, error.status))
