"""Receiving: one open receive of a client, which delivers as long as it has credit."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from quintet_broker.errors import TooManyInFlight
from quintet_broker.protocols.websocket import codec, mapping
from quintet_broker.protocols.websocket.socket import Socket
from quintet_broker.services.messages import Batch, Message
from quintet_broker.services.queue import Queue
from quintet_broker.services.receiving import MAX_RECEIVE, MAX_WAIT
from quintet_broker.services.settling import Handle

Found = Message | Batch

DELIVER_BYTES = 1024 * 1024
"""Of the values in one Deliver, unless there is only one."""
HELD_BYTES = 8 * 1024 * 1024
"""Of what a client was told and has not read. A receive that is given more gives it back, for others who read."""
PAUSE = 0.02
"""Seconds, where a receive was answered before its time with nothing, as brokers do that are about to stop."""


class Receiving:
    """Asks the queue for what there is credit for, and for more only once the client has room for what was sent."""

    def __init__(
        self,
        asked: codec.Receive,
        find: Callable[[], Awaitable[Queue]],
        socket: Socket,
    ) -> None:
        self._asked = asked
        self._find = find
        self._socket = socket
        self._credit = asked.credit
        self._granted = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def grant(self, credit: int) -> None:
        self._credit = min(self._credit + credit, codec.CREDIT_MAX)
        self._granted.set()

    async def run(self) -> None:
        """Until it is over. Raises BrokerError, ConnectionError."""
        while True:
            await self._socket.room()
            while not self._credit:
                self._granted.clear()
                await self._granted.wait()
            queue, found = await self._next()
            if not self._fits(found):
                queue.give_back([_receipt(one) for one in found])
                # It keeps nothing of them while it waits.
                del found
                continue
            over = self._asked.once or not found
            self._deliver(found, over)
            del found
            if over:
                return

    def _fits(self, found: Sequence[Found]) -> bool:
        """Whether the client may be told all that."""
        socket = self._socket
        return socket.is_open and (socket.has_room or socket.unread + sum(map(_size, found)) <= HELD_BYTES)

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

    def _deliver(self, found: list[Found], over: bool) -> None:
        """Raises ConnectionError."""
        self._credit -= sum(map(_count, found))
        parts = list(_parts(found))
        for place, part in enumerate(parts, 1):
            self._socket.write([codec.encode(self._frame(part, place < len(parts) or not over))])

    def _frame(self, part: list[Found], is_open: bool) -> codec.Deliver | codec.DeliverBatches:
        """Of some that are all batches, or none is."""
        batches = [mapping.together(one) for one in part if isinstance(one, Batch)]
        if batches:
            return codec.DeliverBatches(self._asked.id, batches, is_open)
        messages = [mapping.delivered(one) for one in part if isinstance(one, Message)]
        return codec.Deliver(self._asked.id, messages, is_open)


def _parts(found: list[Found]) -> Iterator[list[Found]]:
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
