"""Serving: a client's requests, each of which has one answer.

What comes while others of its verb and queue are served is served together next: a client that says one message a frame
costs little more than one that says many.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec import Struct

from quintet_broker.engine.records.sealed import told_count
from quintet_broker.errors import BrokerError, InvalidArgument, MessageTooLarge, Overloaded, QueueFull, Unavailable
from quintet_broker.protocols.admission import Admission
from quintet_broker.protocols.problems import InternalError
from quintet_broker.protocols.websocket import codec, mapping
from quintet_broker.protocols.websocket.order import Order
from quintet_broker.protocols.websocket.socket import Socket
from quintet_broker.services.messages import Producer
from quintet_broker.services.permissions import Verb
from quintet_broker.services.queue import Queue
from quintet_broker.services.sending import MAX_SEND
from quintet_broker.services.settling import Handle

logger = logging.getLogger(__name__)

REQUESTS_MAX = 10_000
"""Under way. More are refused: what is not read could hide a ping."""
MESSAGES_MAX = 100_000
"""That requests under way are about: an answer may say a hundred bytes of each."""
TOGETHER_BYTES = 1024 * 1024
"""What is served together takes no more requests beyond."""

Find = Callable[[str, Verb], Awaitable[Queue]]
"""A queue by its name, for who may do that with it. Raises BrokerError."""
OF_ONE = (InvalidArgument, MessageTooLarge, QueueFull)
"""Refusals of all that one of them may have earned; nothing is stored then."""


class Key(NamedTuple):
    """Of a line: requests that are served one after the other."""

    of: type | int
    """A verb, or a producer."""
    queue: str

    @property
    def joins(self) -> bool:
        """Whether those that wait may be served together. Sends of a producer may not."""
        return isinstance(self.of, type)


class Serving:
    """The requests of one connection that are under way."""

    def __init__(self, find: Find, socket: Socket, admission: Admission) -> None:
        self._find = find
        self._socket = socket
        self._admission = admission
        self._under_way = 0
        self._messages = 0
        """That these are about."""
        self._lines: dict[Key, deque[Joined]] = {}
        """What waits until what came before is answered, and more may join."""
        self._order = Order()
        self.tasks: set[asyncio.Task[None]] = set()

    def take(self, frames: Sequence[codec.Request], bodies: Sequence[bytes]) -> None:
        """Begin to serve requests of one verb that came together, and what each was read from."""
        at = 0
        for queue, some in groupby(frames, attrgetter("queue")):
            run = list(some)
            sizes = list(map(len, bodies[at : at + len(run)]))
            at += len(run)
            if _join(run):
                self._accept(Joined(run, sum(sizes), Key(type(run[0]), queue)))
            else:
                for frame, size in zip(run, sizes, strict=True):
                    self._accept(Joined([frame], size, _line_of(frame)))

    def _accept(self, run: "Joined") -> None:
        """Begin to serve requests; from the first one on for which there is no room, they are refused."""
        try:
            self._enter(run)
        except Overloaded as error:
            late = run.frames[self._accept_first(run) :]
            self._socket.answer(codec.encode_all([mapping.refused(frame.id, error) for frame in late]))
        else:
            self._line_up(run)

    def _accept_first(self, run: "Joined") -> int:
        """Of those that find no room together, as many as there is room for; how many."""
        size = run.size // len(run.frames)
        for place, frame in enumerate(run.frames):
            one = Joined([frame], size, run.key)
            try:
                self._enter(one)
            except Overloaded:
                return place
            self._line_up(one)
        return len(run.frames)

    def _line_up(self, run: "Joined") -> None:
        """Behind others of its verb and queue, if they may be served together, or of its producer."""
        key = run.key
        if key is None:
            self._start(deque([run]))
            return
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = deque()
            self._start(line, key)
        if line and key.joins and line[-1].has_room(run):
            line[-1].add(run)
        else:
            line.append(run)

    def _enter(self, run: "Joined") -> None:
        """Raises Overloaded."""
        run.messages = _COUNTS[type(run.frames[0])](run.frames)
        if self._under_way + len(run.frames) > REQUESTS_MAX:
            raise Overloaded
        if self._under_way + len(run.frames) > 1 and self._messages + run.messages > MESSAGES_MAX:
            raise Overloaded
        self._admission.take(run.size)
        self._under_way += len(run.frames)
        self._messages += run.messages

    def _start(self, line: "deque[Joined]", key: Key | None = None) -> None:
        task = asyncio.create_task(self._serve_line(line, key))
        self.tasks.add(task)
        task.add_done_callback(partial(self._ended, line))

    def _ended(self, line: "deque[Joined]", task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        # What it was cancelled before.
        for joined in line:
            self._admission.give_back(joined.size)

    async def _serve_line(self, line: "deque[Joined]", key: Key | None) -> None:
        """One after the other, so that what is sent in order is stored in order."""
        try:
            while line:
                await self._serve(line.popleft())
        finally:
            if key:
                del self._lines[key]

    async def _serve(self, joined: "Joined") -> None:
        count = len(joined.frames)
        try:
            try:
                answers = await self._answers(joined.frames)
            finally:
                # Who does not read answers takes no room of others.
                self._admission.give_back(joined.size)
                joined.frames.clear()
            self._socket.write(codec.encode_all(answers))
            await self._socket.room()
        except ConnectionError:
            logger.debug("a client went before it was answered")
        finally:
            self._under_way -= count
            self._messages -= joined.messages

    async def _answers(self, frames: Sequence[Any]) -> list[Any]:
        """One for each."""
        try:
            answers: list[Any] = await SERVED[type(frames[0])](self, frames)
            return answers
        except OF_ONE as error:
            if len(frames) > 1:
                return [answer for frame in frames for answer in await self._answers([frame])]
            return [mapping.refused(frames[0].id, error)]
        except BrokerError as error:
            return [mapping.refused(frame.id, error) for frame in frames]
        except ConnectionError:
            raise
        except Exception:
            logger.exception("%s failed", type(frames[0]).__name__)
            return [mapping.refused(frame.id, InternalError()) for frame in frames]

    async def _store(self, frames: Sequence[codec.Send]) -> list[codec.Confirm]:
        first = frames[0]
        self._order.check(first)
        queue = await self._find(first.queue, "send")
        if len(frames) > 1 and not queue.stores_whole:
            return [answer for frame in frames for answer in await self._store([frame])]
        messages = [mapping.new_message(record) for frame in frames for record in frame.records]
        try:
            sent = await queue.send(messages, _producer(first))
        except QueueFull:
            if len(frames) > 1 and not queue.stores_whole:
                # It grew meanwhile, and some shards have room and some not.
                raise Unavailable from None
            raise
        self._order.stored(first)
        ids = iter([one.id for one in sent])
        return [codec.Confirm(frame.id, list(islice(ids, len(frame.records)))) for frame in frames]

    async def _store_batch(self, frames: Sequence[codec.SendBatch]) -> list[codec.Stored | codec.Confirm]:
        [frame] = frames
        self._order.check(frame)
        queue = await self._find(frame.queue, "send")
        stored = await queue.send_batch(frame.batch, _producer(frame))
        self._order.stored(frame)
        if isinstance(stored, int):
            return [codec.Stored(frame.id, stored.to_bytes(16))]
        return [codec.Confirm(frame.id, [sent.id for sent in stored])]

    async def _acknowledge(self, frames: Sequence[codec.Acknowledge]) -> list[codec.Settled]:
        queue = await self._find(frames[0].queue, "acknowledge")
        results = await queue.acknowledge([receipt for frame in frames for receipt in frame.receipts])
        if not any(results):
            return [codec.Settled(frame.id, []) for frame in frames]
        of_each = iter(results)
        counts = [_COUNTS[codec.Acknowledge]([frame]) for frame in frames]
        return [
            codec.Settled(frame.id, mapping.results(list(islice(of_each, count))))
            for frame, count in zip(frames, counts, strict=True)
        ]

    async def _release(self, frames: Sequence[codec.Release]) -> list[codec.Settled]:
        [frame] = frames
        queue = await self._find(frame.queue, "extend")
        released = await queue.release(frame.receipts, delivered=frame.delivered)
        return [codec.Settled(frame.id, mapping.results(released))]

    async def _extend(self, frames: Sequence[codec.Extend]) -> list[codec.Settled]:
        [frame] = frames
        queue = await self._find(frame.queue, "extend")
        wanted = [(receipt, milliseconds / 1000) for receipt, milliseconds in frame.extensions]
        return [codec.Settled(frame.id, mapping.results(await queue.extend(wanted)))]


class Joined(Struct):
    """Requests of one verb and queue that are served as one."""

    frames: list[Any]
    size: int
    """Bytes of their frames."""
    key: Key | None = None
    """Of the line in which they wait for others; None where they wait for nothing."""
    messages: int = 0
    """That they are about."""

    def has_room(self, more: "Joined") -> bool:
        return self.size + more.size <= TOGETHER_BYTES and self.messages + more.messages <= MAX_SEND

    def add(self, more: "Joined") -> None:
        self.frames += more.frames
        self.size += more.size
        self.messages += more.messages


SERVED: dict[type, Callable[[Serving, Any], Awaitable[Any]]] = {
    codec.Send: Serving._store,
    codec.SendBatch: Serving._store_batch,
    codec.Acknowledge: Serving._acknowledge,
    codec.Release: Serving._release,
    codec.Extend: Serving._extend,
}
"""From requests to their answers."""


_COUNTS: dict[type, Callable[[Sequence[Any]], int]] = {
    codec.Send: lambda frames: sum([len(frame.records) for frame in frames]),
    codec.SendBatch: lambda frames: sum([max(0, min(told_count(frame.batch), MAX_SEND)) for frame in frames]),
    codec.Acknowledge: lambda frames: sum([_count(one) for frame in frames for one in frame.receipts]),
    codec.Release: lambda frames: sum([_count(one) for frame in frames for one in frame.receipts]),
    codec.Extend: lambda frames: sum([len(frame.extensions) for frame in frames]),
}
"""How many messages requests are about, as they say."""


def _count(receipt: str | Handle) -> int:
    return 1 if isinstance(receipt, str) else receipt.count


def _join(frames: Sequence[Any]) -> bool:
    """Whether these of one verb and queue may be served together. Numbered sends are stored one by one."""
    if isinstance(frames[0], codec.Send):
        # One without records is refused by itself.
        return all(frame.producer is None and frame.records for frame in frames)
    return isinstance(frames[0], codec.Acknowledge)


def _line_of(frame: codec.Request) -> Key | None:
    """Where one waits that came among others with which it may not be served together."""
    if isinstance(frame, codec.Send | codec.SendBatch) and frame.producer is not None:
        return Key(frame.producer, frame.queue)
    return Key(type(frame), frame.queue) if _join([frame]) else None


def _producer(frame: codec.Send | codec.SendBatch) -> Producer | None:
    return None if frame.producer is None else Producer(frame.producer, frame.sequence)
