"""Coalescer: gathers what is asked while a request is under way into the next one.

One request at a time, so that the broker sees a producer's sequences in their order. A request whose answer was lost
is sent again as it is, until nobody waits for it any more. Its content is never used for anything else: what the
broker keeps of it, it keeps once, however often and however late it arrives.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from quintet.errors import RETRIED, UNCERTAIN, InvalidArgument, MessageTooLarge, QueueFull, QuintetError, TimedOut
from quintet.retry import pauses

Item = TypeVar("Item")
Body = TypeVar("Body")
Result = TypeVar("Result")

REQUEST_ITEMS = 1000
REQUEST_BYTES = 1024 * 1024
"""A request takes no further call beyond these; a single call may be larger."""
WAITING_ITEMS = 10_000
WAITING_BYTES = 8 * 1024 * 1024
"""Beyond these a call waits before it is gathered."""

OF_ONE = (InvalidArgument, MessageTooLarge, QueueFull)
"""Refusals of a whole request that a part of it may have earned."""
EARLIER = "(An earlier attempt was not answered: it may have been stored.)"


class Call(Generic[Item, Result]):
    """One caller's items: all of them go into one request."""

    def __init__(self, items: Sequence[Item], size: int, ends_at: float) -> None:
        self.items = items
        self.size = size
        """Bytes, about."""
        self.ends_at = ends_at
        """By the loop's clock."""
        self.future: asyncio.Future[Sequence[Result]] = asyncio.get_running_loop().create_future()
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


class Coalescer(Generic[Item, Body, Result]):
    """The calls of one verb on one queue.

    `encode` makes the body of a request, once for each; `post` makes one attempt and returns a result for each item.
    """

    def __init__(
        self, encode: Callable[[Sequence[Item]], Body], post: Callable[[Body], Awaitable[Sequence[Result]]]
    ) -> None:
        self._encode = encode
        self._post = post
        self._waiting: dict[Call[Item, Result], None] = {}
        self._items = 0
        self._bytes = 0
        self._room = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._unanswered: set[Call[Item, Result]] = set()
        self._alarm: asyncio.TimerHandle | None = None
        """For the first of them whose time is over: one timer for all, as most are answered long before."""

    async def ask(self, items: Sequence[Item], size: int, within: float) -> Sequence[Result]:
        """A result for each item, within so many seconds.

        Cancelling takes back what no request took yet. Raises QuintetError: the refusal, or why the last attempt
        failed, or TimedOut where there was none.
        """
        call: Call[Item, Result] = Call(items, size, asyncio.get_running_loop().time() + within)
        if self._is_full:
            await self._wait_for_room(call)
        self._put(call)
        try:
            return await call.future
        finally:
            self._remove(call)
            self._unanswered.discard(call)

    async def _wait_for_room(self, call: Call[Item, Result]) -> None:
        try:
            async with asyncio.timeout_at(call.ends_at):
                while self._is_full:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            raise call.late from None

    async def idle(self) -> None:
        """Until nothing waits and no request is under way."""
        while self._running and not self._running.done():
            await asyncio.wait([self._running])

    @property
    def _is_full(self) -> bool:
        return self._items >= WAITING_ITEMS or self._bytes >= WAITING_BYTES

    def _put(self, call: Call[Item, Result]) -> None:
        self._waiting[call] = None
        self._items += len(call.items)
        self._bytes += call.size
        self._unanswered.add(call)
        if self._alarm is None or call.ends_at < self._alarm.when():
            self._set_alarm(call.ends_at)
        if self._running is None or self._running.done():
            # Begins in the loop's next turn: all that is asked in this one goes together.
            self._running = asyncio.create_task(self._run())

    def _remove(self, call: Call[Item, Result]) -> None:
        if call in self._waiting:
            del self._waiting[call]
            self._items -= len(call.items)
            self._bytes -= call.size
            self._room.set()

    def _set_alarm(self, at: float) -> None:
        if self._alarm:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_at(at, self._end_late_ones)

    def _end_late_ones(self) -> None:
        assert self._alarm
        # The loop's clock may stand a little before the time at which it rings.
        now, self._alarm = self._alarm.when(), None
        for call in self._unanswered:
            if call.ends_at <= now and not call.over:
                call.future.set_exception(call.late)
        ends = [call.ends_at for call in self._unanswered if not call.over]
        if ends:
            self._set_alarm(min(ends))

    async def _run(self) -> None:
        while calls := self._take():
            try:
                await self._serve(calls)
            except Exception as error:
                # None that may pass, and none of the broker's: those who come behind are served.
                _fail(calls, error)

    def _take(self) -> list[Call[Item, Result]]:
        """The calls of the next request."""
        taken: list[Call[Item, Result]] = []
        items = size = 0
        for call in self._waiting:
            items += len(call.items)
            size += call.size
            if taken and (items > REQUEST_ITEMS or size > REQUEST_BYTES):
                break
            taken.append(call)
        for call in taken:
            self._remove(call)
        return taken

    async def _serve(self, calls: list[Call[Item, Result]]) -> None:
        """One request for those who still wait, until it is answered or they all have gone."""
        calls = [call for call in calls if not call.over]
        if not calls:
            return
        body = self._encode([item for call in calls for item in call.items])
        uncertain = False
        _note(calls, TimedOut())
        for pause in pauses():
            try:
                results = await self._post(body)
            except RETRIED as error:
                if isinstance(error, UNCERTAIN) or not uncertain:
                    _note(calls, error)
                uncertain = uncertain or isinstance(error, UNCERTAIN)
            except QuintetError as error:
                if isinstance(error, OF_ONE) and len(calls) > 1 and not uncertain:
                    await self._serve_apart(calls)
                    return
                # What fills the queue may be this very request, stored before: only a later attempt can tell.
                if not (isinstance(error, QueueFull) and uncertain):
                    _refuse(calls, error, uncertain)
                    return
            else:
                _answer(calls, results)
                return
            await asyncio.sleep(pause)
            if all(call.over for call in calls):
                return

    async def _serve_apart(self, calls: list[Call[Item, Result]]) -> None:
        """Nothing of them was kept: in halves, and those in halves, so that only the guilty fail."""
        middle = len(calls) // 2
        await self._serve(calls[:middle])
        await self._serve(calls[middle:])


def _answer(calls: list[Call[Item, Result]], results: Sequence[Result]) -> None:
    start = 0
    for call in calls:
        end = start + len(call.items)
        if not call.over:
            # None at all where there is nothing to tell of any.
            call.future.set_result(results[start:end] or [None] * len(call.items))  # type: ignore[list-item]
        start = end


def _note(calls: list[Call[Item, Result]], trouble: QuintetError) -> None:
    for call in calls:
        call.trouble = trouble


def _fail(calls: list[Call[Item, Result]], error: Exception) -> None:
    for call in calls:
        if not call.over:
            call.future.set_exception(error)


def _refuse(calls: list[Call[Item, Result]], error: QuintetError, uncertain: bool) -> None:
    detail = f"{error.detail} {EARLIER}" if uncertain else error.detail
    for call in calls:
        if not call.over:
            call.future.set_exception(type(error)(detail, error.status))
