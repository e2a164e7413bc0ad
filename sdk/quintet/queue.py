"""A queue's verbs."""

import itertools
import secrets
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, ClassVar

from msgspec import Raw

from quintet import frames, looking, wire
from quintet.ahead import Ahead
from quintet.coalescer import Request
from quintet.connection import Connection
from quintet.errors import InvalidArgument
from quintet.message import Content, Message, NewMessage, Plain
from quintet.receive import Receive
from quintet.receiver import Receiver
from quintet.retry import ATTEMPT, retried
from quintet.settling import Settling

MAX_PRODUCER = 2**53 - 1
MAX_RECEIVE = 1000
"""Messages of one answer."""
MAX_WAIT = 20.0
"""Seconds for which the broker lets a receive wait."""
LANES = 2
"""Sends under way at a time: while brokers store one, the next is on its way."""
WORTH_A_BATCH = 10
"""Messages; brokers store fewer of them in one batch with others'."""


class Producer:
    """Numbers sends, which are stored in that order, so that each is stored once."""

    def __init__(self) -> None:
        self._id = 1 + secrets.randbelow(MAX_PRODUCER)
        self._sequence = itertools.count()

    def next(self) -> tuple[int, int]:
        """Its id and the next sequence."""
        return self._id, next(self._sequence)


class Queue:
    """One queue, made by `Client.queue`. Any verb may raise QuintetError; each names those of its own.

    What fails in passing (the connection, a broker that restarts, a full pool) is tried again until the client's
    timeout, then raised: ConnectionLost, TimedOut, Unavailable, Overloaded, PoolFull, OutOfOrder.
    """

    _receiver: ClassVar[type[Receiver]] = Receiver

    def __init__(self, name: str, connection: Connection) -> None:
        self.name = name
        self._path = wire.path(name)
        self._connection = connection
        self._producer = Producer()
        self._keyless_producers = [Producer() for _ in range(LANES)]
        self._sends = connection.sends(name, LANES, in_order=True)
        self._keyless_sends = connection.sends(name, LANES, in_order=False)
        self._settling = Settling(connection, name)
        self._ahead = Ahead(self, connection, self._settling)
        connection.receivers.add(self._ahead)

    # Sending

    async def send(
        self,
        value: str | bytes,
        *,
        key: str | bytes | None = None,
        headers: Mapping[str, str | bytes] | None = None,
        delay: float | None = None,
        priority: int | None = None,
        expiry: float | None = None,
        deduplication_id: str | None = None,
    ) -> str:
        """Store a message and return its id, a UUID, once the pool's durability holds.

        It is stored once, however often the client had to ask. Sends that run at the same time go together in one
        request. `delay`: seconds (0 - 900) until it can be received; None takes the queue's deliveryDelay.
        `priority`: 1 - 10, higher ones are delivered first, those without one last. `expiry`: seconds (up to 14 days)
        after which it is not delivered any more.
        In a Fifo queue, which has neither delays by message nor priorities, `key` is needed: it is the message group.
        There `deduplication_id` makes duplicates of what was sent under it within 5 minutes: they get its id.
        Raises MessageTooLarge, QueueFull, InvalidArgument, QueueNotFound; TypeError for what is no text or bytes.
        After ConnectionLost, TimedOut and Unavailable, or if the caller was cancelled, it may have been stored.
        """
        if delay is None and priority is None and expiry is None:
            asked = self._ask_plain([frames.content(value, key, headers, deduplication_id)])
        else:
            asked = self._ask_encoded(
                [NewMessage(value, key, headers or {}, delay, priority, expiry, deduplication_id)]
            )
        return (await asked)[0]

    async def send_batch(self, messages: Sequence[NewMessage | str | bytes]) -> list[str]:
        """Store all messages (1 - 10,000, 16 MiB together) or none; return their ids, in order. Else as `send`.

        Text and bytes are messages of that value.
        """
        if not messages:
            raise InvalidArgument("A send takes 1 to 10000 messages.")
        records = [frames.plain(message) for message in messages]
        plain = [record for record in records if record is not None]
        if len(plain) == len(records):
            return list(await self._ask_plain(plain))
        return list(await self._ask_encoded(messages))

    def _ask_plain(self, records: Sequence[Plain]) -> Awaitable[Sequence[str]]:
        is_keyless = all(key is None for _, key, _ in records)
        sends, encode = (self._keyless_sends, self._send_keyless) if is_keyless else (self._sends, self._send_plain)
        return sends.ask(encode, records, frames.size(records), self._connection.timeout)

    def _ask_encoded(self, messages: Sequence[NewMessage | str | bytes]) -> Awaitable[Sequence[str]]:
        records = [frames.new_record(message) for message in messages]
        size = sum([len(record) for record in records])
        return self._sends.ask(self._send_encoded, records, size, self._connection.timeout)

    def _send_keyless(self, records: Sequence[Plain], lane: int) -> Request:
        return self._as_batch(records, self._keyless_producers[lane])

    def _send_plain(self, records: Sequence[Plain], _: int) -> Request:
        return self._as_batch(records, self._producer)

    def _send_encoded(self, records: Sequence[bytes], _: int) -> Request:
        return self._as_records([Raw(record) for record in records], self._producer)

    def _as_batch(self, records: Sequence[Plain], producer: Producer) -> Request:
        if len(records) < WORTH_A_BATCH:
            return self._as_records([frames.record(record) for record in records], producer)
        # Takes long to import, and is not needed by every client.
        from quintet import batches

        body = frames.SendBatch(0, self.name, *producer.next(), batches.encode(records))
        return Request(body, lambda answer: answer.ids(len(records)))

    def _as_records(self, records: Sequence[Any], producer: Producer) -> Request:
        body = frames.Send(0, self.name, *producer.next(), records)
        return Request(body, lambda answer: answer.ids(len(records)))

    # Receiving

    def receive(
        self,
        *,
        visibility_timeout: float | None = None,
        wait: float | None = None,
        ahead: int | None = None,
        selector: str | None = None,
        consumer: str | None = None,
    ) -> Receiver:
        """The queue's messages, to be read by `async for`; see Receiver.

        `visibility_timeout`: seconds (0 - 43200) for which a message stays hidden from others; None takes the queue's.
        `wait`: it ends after so many seconds in which nothing came; None never ends.
        `ahead`: how many messages (1 - 1000) are held here, at most, before they are read; None: 100, or as many as are
        read in 0.05 s.
        `selector`: CEL on `headers`, `key`, `value`, `body` and more: only messages for which it is true are received.
        `consumer`: its name where the queue's consumers are not Shared; None takes a random one.
        """
        receiver = self._receiver(
            self, self._connection, self._settling, visibility_timeout, wait, ahead, selector, consumer
        )
        self._connection.receivers.add(receiver)
        return receiver

    async def receive_batch(
        self,
        limit: int = 10,
        *,
        wait: float | None = None,
        visibility_timeout: float | None = None,
        selector: str | None = None,
        consumer: str | None = None,
    ) -> list[Message]:
        """Up to `limit` (1 - 1000) messages, none if there were none within `wait` seconds (0 - 20).

        None takes the queue's receiveWaitTime and visibilityTimeout. `selector`: see `receive`. If an answer is lost,
        or the caller is cancelled just then, its messages stay hidden until their visibility timeout. `consumer`: who
        asks (1 - 128 visible ASCII characters), needed where the queue's consumers are not Shared. Calls that follow
        each other at once get what came ahead of them: see Ahead. Raises TooManyInFlight, QueueInUse, InvalidArgument,
        QueueNotFound.
        """
        if limit > MAX_RECEIVE:
            raise InvalidArgument(f"A receive takes 1 to {MAX_RECEIVE} messages.")
        if wait is None or not 0 < wait <= MAX_WAIT or limit < 1 or selector is not None or consumer is not None:
            # What is there may be none of what is held.
            await self._ahead.close()
            return await self._receive_once(limit, wait, visibility_timeout, selector, consumer)
        messages, wait = await self._ahead.take(limit, wait, visibility_timeout)
        if not messages and wait:
            messages = await self._receive_once(limit, wait, visibility_timeout)
            self._ahead.received(messages, limit, visibility_timeout)
        return messages

    async def _receive_once(
        self,
        limit: int,
        wait: float | None,
        visibility_timeout: float | None,
        selector: str | None = None,
        consumer: str | None = None,
    ) -> list[Message]:
        longest = MAX_WAIT if wait is None else wait

        async def attempt(left: float) -> list[Message]:
            asked = frames.Receive(
                0,
                self.name,
                limit,
                True,
                frames.milliseconds_or_none(wait),
                frames.milliseconds_or_none(visibility_timeout),
                selector,
                consumer,
            )
            receive = Receive(asked, self)
            try:
                async with self._connection.links.attempt(self.name, min(left, longest + ATTEMPT)) as link:
                    receive.open(link)
                    await receive.ended()
            except BaseException:
                # What came though nobody waits for it any more is for others.
                self._settling.finish_later(receive, receive.inbox)
                raise
            if receive.error:
                raise receive.error
            return [message for _, message in receive.inbox]

        return await retried(attempt, self._connection.timeout + longest)

    async def close_consumer(self, consumer: str) -> None:
        """A consumer asks for nothing more: its receives end with nothing and, once it holds no message, another may
        become active. A Receiver does it by itself. Raises QueueNotFound, InvalidArgument."""
        await self._connection.transport.call("DELETE", wire.consumer_path(self._path, consumer))

    # Settling: each takes messages that were delivered, or their receipts

    async def acknowledge(self, message: Content | str) -> None:
        """Settle a message for good. Again is fine. Raises ReceiptStale, ReceiptInvalid."""
        await self._settling.acknowledge(message)

    async def acknowledge_batch(self, messages: Sequence[Content | str]) -> None:
        """Settle messages (up to 10,000) for good, in one request.

        Raises NotSettled where some were refused: its `failed` tells which, and why. All others are settled.
        """
        await self._settling.acknowledge_batch(messages)

    async def release(self, message: Content | str, *, delivered: bool = True) -> None:
        """Make a message visible again now. Raises ReceiptStale, ReceiptInvalid.

        `delivered`: False where nobody saw it, so that this delivery does not count for the queue's maxReceives.
        """
        await self._settling.release(message, delivered)

    async def release_batch(self, messages: Sequence[Content | str]) -> None:
        """Make messages (up to 10,000) visible again now, in one request. Raises NotSettled."""
        await self._settling.release_batch(messages)

    async def extend(self, message: Content | str, seconds: float) -> None:
        """Hide a message for so many seconds (0 - 43200) from now. Raises ReceiptStale, ReceiptInvalid."""
        await self._settling.extend(message, seconds)

    # Looking

    async def peek(self, limit: int = 10, *, start: str | None = None) -> looking.Peeked:
        """Up to `limit` (1 - 1000) messages that wait or are in flight, which change nothing by it.

        Those of the highest priority first, then the oldest; fewer may come though there are more. `start`: where the
        look before ended, its `next`. Raises QueueNotFound, InvalidArgument.
        """
        asked = looking.request(**{"limit": limit, "from": start})
        return looking.peeked(await self._connection.transport.call("POST", f"{self._path}/messages:peek", asked))

    async def tail(self, limit: int = 100, *, start: str | None = None, since: int | None = None) -> looking.Tailed:
        """Up to `limit` (1 - 1000) messages that came since the look before, whoever received them.

        `start`: where that one ended, its `next`. Without it: those that came `since` (milliseconds since 1970), or
        none, and where the end is. Raises QueueNotFound, InvalidArgument.
        """
        asked = looking.request(**{"limit": limit, "from": start, "since": None if start else since})
        return looking.tailed(await self._connection.transport.call("POST", f"{self._path}/messages:tail", asked))

    # The queue itself

    async def purge(self) -> None:
        """Drop every message that was confirmed before: visible, in flight and delayed. Raises QueueNotFound."""
        await self._connection.transport.call("POST", f"{self._path}:purge")

    async def redrive(
        self, to: str | None = None, *, rate: float | None = None, limit: int | None = None
    ) -> wire.Redrive:
        """Bring messages of a dead-letter queue back to the queues that they came from, or all of them to one.

        Up to `limit` of the messages that are visible now go, up to `rate` a second. The broker goes on with it by
        itself; it takes the place of a redrive that is under way. Raises QueueNotFound, InvalidArgument.
        """
        body: dict[str, Any] = {"target": to, "rate": rate, "limit": limit}
        asked = wire.encode({name: value for name, value in body.items() if value is not None})
        return wire.decode(await self._connection.transport.call("POST", f"{self._path}:redrive", asked), wire.Redrive)

    async def redrive_progress(self) -> wire.Redrive:
        """How far the redrive has come that was started last."""
        return wire.decode(await self._connection.transport.call("GET", f"{self._path}:redrive"), wire.Redrive)

    async def stop_redrive(self) -> wire.Redrive:
        """Bring no more messages back; those on their way arrive."""
        return wire.decode(await self._connection.transport.call("DELETE", f"{self._path}:redrive"), wire.Redrive)

    async def info(self) -> wire.QueueInfo:
        """What the queue is and how much it holds. Raises QueueNotFound."""
        return wire.decode(await self._connection.transport.call("GET", self._path), wire.QueueInfo)
