"""Receiving: one open receive of a client, which delivers as long as it has credit."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterator

from quintet_broker.errors import BrokerError, TooManyInFlight
from quintet_broker.protocols.websocket import codec, mapping
from quintet_broker.services.messages import Batch, Message
from quintet_broker.services.queue import Queue
from quintet_broker.services.receiving import MAX_RECEIVE, MAX_WAIT
from quintet_broker.services.settling import Handle

Found = Message | Batch

DELIVER_BYTES = 1024 * 1024
"""Of the values in one Deliver, unless there is only one."""
HELD_BYTES = 8 * 1024 * 1024
"""Of what all receives of a connection were given. Who is given more gives it back, for others who read."""
PAUSE = 0.02
"""Seconds, where a receive was answered before its time with nothing, as brokers do that are about to stop."""

_UNDER_WAY: set[asyncio.Task[None]] = set()
"""The loop holds its tasks weakly."""


class Room:
    """What the receives of one connection hold, of what they were given and its client has no room for yet."""

    def __init__(self) -> None:
        self._held = 0
        self._freed = asyncio.Event()

    def take(self, size: int) -> bool:
        """Whether so many bytes fit; if nothing is held, whatever their number."""
        if self._held and self._held + size > HELD_BYTES:
            self._freed.clear()
            return False
        self._held += size
        return True

    def free(self, size: int) -> None:
        self._held -= size
        self._freed.set()

    async def some_freed(self) -> None:
        """Since something did not fit."""
        await self._freed.wait()


class Receiving:
    """Asks the queue for what there is credit for, and for more only once the client has room for what was sent."""

    def __init__(
        self,
        asked: codec.Receive,
        find: Callable[[], Awaitable[Queue]],
        send: Callable[[codec.Deliver | codec.DeliverBatches], Awaitable[None]],
        room: Room,
    ) -> None:
        self._asked = asked
        self._room = room
        self._find = find
        self._send = send
        self._credit = asked.credit
        self._granted = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def grant(self, credit: int) -> None:
        self._credit = min(self._credit + credit, codec.CREDIT_MAX)
        self._granted.set()

    async def run(self) -> None:
        """Until it is over. Raises BrokerError, ConnectionError."""
        while True:
            while not self._credit:
                self._granted.clear()
                await self._granted.wait()
            queue, found = await self._next()
            size = sum(map(_size, found))
            if not self._room.take(size):
                await _give_back(queue, found)
                # It holds nothing of them while it waits.
                del found
                await self._room.some_freed()
                continue
            self._credit -= sum(map(_count, found))
            over = self._asked.once or not found
            try:
                await self._deliver(queue, found, over)
            finally:
                self._room.free(size)
            if over:
                return

    async def _next(self) -> tuple[Queue, list[Found]]:
        """No messages, if none came in time."""
        asked = self._asked
        if asked.once:
            queue = await self._find()
            return queue, await self._ask(queue, asked.wait)
        ends_at = None if asked.wait is None else self._loop.time() + asked.wait / 1000
        while True:
            began = self._loop.time()
            left = MAX_WAIT if ends_at is None else min(MAX_WAIT, ends_at - began)
            queue = await self._find()
            try:
                found = await self._ask(queue, max(0, round(left * 1000)))
            except TooManyInFlight:
                found = []
            now = self._loop.time()
            if found or (ends_at is not None and now >= ends_at):
                return queue, found
            if now - began < left - PAUSE:
                await asyncio.sleep(PAUSE)

    async def _ask(self, queue: Queue, wait: int | None) -> list[Found]:
        hidden = self._asked.visibility_timeout
        ask = queue.deliver if self._asked.batches else queue.receive
        return [
            *await ask(
                min(self._credit, MAX_RECEIVE),
                visibility_timeout=None if hidden is None else hidden / 1000,
                wait=None if wait is None else wait / 1000,
                selector=self._asked.selector,
                consumer=self._asked.consumer,
            )
        ]

    async def _deliver(self, queue: Queue, found: list[Found], over: bool) -> None:
        unsent = deque(_frames(found))
        try:
            while unsent:
                await self._send(self._frame(unsent[0], len(unsent) > 1 or not over))
                unsent.popleft()
        finally:
            if left := [one for part in unsent for one in part]:
                await _give_back(queue, left)

    def _frame(self, part: list[Found], is_open: bool) -> codec.Deliver | codec.DeliverBatches:
        """Of some that are all batches, or none is."""
        batches = [mapping.together(one) for one in part if isinstance(one, Batch)]
        if batches:
            return codec.DeliverBatches(self._asked.id, batches, is_open)
        messages = [mapping.delivered(one) for one in part if isinstance(one, Message)]
        return codec.Deliver(self._asked.id, messages, is_open)


async def _give_back(queue: Queue, found: list[Found]) -> None:
    """As if they had not been delivered. What fails to be is visible after its visibility timeout."""

    async def release() -> None:
        with contextlib.suppress(BrokerError):
            await queue.release([_receipt(one) for one in found], delivered=False)

    releasing = asyncio.create_task(release())
    # Goes on where this is cancelled once more.
    _UNDER_WAY.add(releasing)
    releasing.add_done_callback(_UNDER_WAY.discard)
    await asyncio.shield(releasing)


def _frames(found: list[Found]) -> Iterator[list[Found]]:
    """What goes into one frame each; the last of them may be empty."""
    part: list[Found] = []
    size = 0
    for one in found:
        more = _size(one)
        if part and (size + more > DELIVER_BYTES or type(one) is not type(part[0])):
            yield part
            part, size = [], 0
        part.append(one)
        size += more
    yield part


def _size(found: Found) -> int:
    return len(found.data) if isinstance(found, Batch) else len(found.value)


def _count(found: Found) -> int:
    return found.count if isinstance(found, Batch) else 1


def _receipt(found: Found) -> str | Handle:
    return Handle(found.handle, found.count) if isinstance(found, Batch) else found.receipt
