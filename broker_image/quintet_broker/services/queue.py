"""A queue's verbs, as every protocol face calls them."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Literal, TypeVar

from quintet_api.queue import QueueSpec
from quintet_broker.engine.deduplication import HASH_BYTES
from quintet_broker.engine.gather import gather
from quintet_broker.engine.headers import OWN
from quintet_broker.engine.policy import Policy
from quintet_broker.engine.redrive import all_together, shares, together
from quintet_broker.engine.requests import (
    Acknowledge,
    Append,
    CloseConsumer,
    Count,
    Counts,
    Delivery,
    Extend,
    GiveBack,
    Peek,
    Progress,
    Purge,
    Receive,
    Request,
    StartRedrive,
    StopRedrive,
    Tail,
    TellConsumer,
    TellRedrives,
    sum_of,
)
from quintet_broker.engine.sealed import MOST_HEADERS, MOST_RECORDS, NotABatch, Sealed, seal
from quintet_broker.engine.selector import compiled
from quintet_broker.engine.spread import Spread
from quintet_broker.engine.work import Totals
from quintet_broker.errors import BrokerError, InvalidArgument, MessageTooLarge
from quintet_broker.services import receipts
from quintet_broker.services.extras import Extras
from quintet_broker.services.messages import (
    Batch,
    Content,
    Message,
    NewMessage,
    Peeked,
    Producer,
    Sent,
    Tailed,
    batch_names,
    id_text,
    message_of,
    new_ids,
    record_of,
)
from quintet_broker.services.receipts import MAX_SETTLE, Handle, Held

Answer = TypeVar("Answer")
Delivered = tuple[int, Delivery]
"""Records that were delivered together, and the number of their shard."""

MAX_RECEIVE = 1000
MAX_SEND = MOST_RECORDS
MAX_HEADERS = MOST_HEADERS
"""Of one message."""
FEW = 4
"""Messages that are sooner stored together with others, than as a batch of their own."""
MAX_DELAY = 15 * 60
MAX_VISIBILITY = 12 * 60 * 60
MAX_WAIT = 20
MAX_PRIORITY = 10
MAX_RATE = 1_000_000
MAX_EXPIRY = 14 * 24 * 60 * 60
MAX_PRODUCER = 2**53 - 1

_DEDUPLICATION_ID_TEXT = re.compile("[!-~]{1,128}")
_CONSUMER_TEXT = re.compile("[!-~]{1,128}")


class Queue:
    """One queue: its spec and its verbs.

    Verbs over several receipts answer with a list in their order: None, or why that one was refused.
    Any verb may raise Unavailable or Overloaded, which are worth a retry.
    """

    def __init__(
        self,
        name: str,
        uid: str,
        spec: QueueSpec,
        origin: Literal["Declared", "Runtime"],
        created_at: int,
        modified_at: int,
        spread: Spread,
        now: Callable[[], int],
    ) -> None:
        self.name = name
        self.uid = uid
        self.spec = spec
        self.origin = origin
        self.created_at = created_at
        """Seconds since 1970."""
        self.modified_at = modified_at
        """Seconds since 1970."""
        self.extras = Extras()
        self.spread = spread
        """The way to its shards."""
        self._now = now

    @property
    def totals(self) -> Totals:
        """What went through at this broker since it opened the queue."""
        totals = Totals()
        for route in self.spread.routes:
            totals.add(route.totals)
        return totals

    @property
    def held(self) -> dict[int, Counts]:
        """What those of its shards hold that this broker owns, by their numbers."""
        shards = (route.shard for route in self.spread.routes)
        return {shard.number: shard.counts for shard in shards if shard and shard.taken}

    async def send(self, messages: Sequence[NewMessage], producer: Producer | None = None) -> list[Sent]:
        """Store all messages or none; return once the pool's durability holds.

        In a Fifo queue each has a key, its group, and duplicates are confirmed and not stored. Where the queue has
        several shards, messages of several keys may be stored in part when it raises.

        Raises MessageTooLarge, InvalidArgument, QueueFull, PoolFull.
        """
        self._check_producer(producer)
        self._check(messages)
        return await self._store(messages, new_ids(len(messages), self.spread.number, producer), producer)

    async def send_batch(self, batch: bytes, producer: Producer | None = None) -> int | list[Sent]:
        """As `send`, of messages that a client encoded as a RecordBatch v2 of keys, values and headers.

        Answers with the id of the first message as a number, and those of the others are the next ones; or, where the
        queue looks at each message by itself, as `send`.
        """
        self._check_producer(producer)
        now = self._now()
        try:
            sealed, records = seal(batch, batch_names(self.spread.number, producer), now)
        except NotABatch as error:
            raise InvalidArgument(f"This is no batch: {error}.") from error
        if sealed.count >= FEW and self._takes_batches and all(record.key is None for record in records):
            self._check_contents(records)
            number, sequence = (producer.id, producer.sequence) if producer else (None, 0)
            await self.spread.append(Append.of_batch(now, sealed, number, sequence))
            return sealed.first_id
        messages = [NewMessage(one.value or b"", one.key, tuple(one.headers)) for one in records]
        self._check(messages)
        ids = [(sealed.first_id + place).to_bytes(16) for place in range(sealed.count)]
        return await self._store(messages, ids, producer)

    @property
    def stores_whole(self) -> bool:
        """Whether a send is stored whole or not at all, whatever its keys are."""
        return len(self.spread.routes) == 1

    @property
    def _takes_batches(self) -> bool:
        """Whether messages without keys may be stored as they come together."""
        return self.spec.ordering == "Standard" and not self.spec.delivery_delay and self.stores_whole

    async def _store(self, messages: Sequence[NewMessage], ids: list[bytes], producer: Producer | None) -> list[Sent]:
        now = self._now()
        texts = [self._deduplication_id(message) for message in messages]
        append = Append(
            now,
            [
                record_of(message, message_id, text, now)
                for message, message_id, text in zip(messages, ids, texts, strict=True)
            ],
            [self._due(message, now) for message in messages],
            producer.id if producer else None,
            [producer.sequence] * len(messages) if producer else None,
            [self._hash(message, text) for message, text in zip(messages, texts, strict=True)],
        )
        stored = await self.spread.append(append)
        if stored is None:
            return [Sent(id_text(message_id), None) for message_id in ids]
        return [Sent(id_text(sent.id), sent.sequence) for sent in stored]

    def _deduplication_id(self, message: NewMessage) -> str | None:
        by_content = self.spec.ordering == "Fifo" and self.spec.deduplication.content_based
        if message.deduplication_id is None and by_content:
            return hashlib.sha256(message.value).hexdigest()
        return message.deduplication_id

    def _hash(self, message: NewMessage, deduplication_id: str | None) -> bytes | None:
        """Of what duplicates have in common."""
        if deduplication_id is None:
            return None
        hashed = hashlib.blake2b(deduplication_id.encode(), digest_size=HASH_BYTES)
        if self.spec.deduplication.scope == "Group":
            hashed.update(b" " + (message.key or b""))
        return hashed.digest()

    @staticmethod
    def _check_producer(producer: Producer | None) -> None:
        if producer and not (0 < producer.id <= MAX_PRODUCER and 0 <= producer.sequence <= MAX_PRODUCER):
            raise InvalidArgument("A producer's id is 1 to 2^53 - 1, its sequence 0 to 2^53 - 1.")

    def _check(self, messages: Sequence[NewMessage]) -> None:
        self._check_contents(messages)
        for message in messages:
            if message.delay is not None and not 0 <= message.delay <= MAX_DELAY:
                raise InvalidArgument(f"A delay is 0 to {MAX_DELAY} seconds.")
            if message.expiry is not None and not 0.001 <= message.expiry <= MAX_EXPIRY:
                raise InvalidArgument(f"An expiry is 0.001 to {MAX_EXPIRY} seconds.")
            if message.priority is not None and not 1 <= message.priority <= MAX_PRIORITY:
                raise InvalidArgument(f"A priority is 1 to {MAX_PRIORITY}.")
            self._check_ordering(message)

    def _check_contents(self, messages: Sequence[Content]) -> None:
        if not 1 <= len(messages) <= MAX_SEND:
            raise InvalidArgument(f"A send takes 1 to {MAX_SEND} messages.")
        most = self.spec.max_message_size
        for message in messages:
            size = len(message.value or b"")
            if len(message.headers) > MAX_HEADERS:
                raise InvalidArgument(f"A message has {MAX_HEADERS} headers at most.")
            for name, value in message.headers:
                if name.startswith(OWN):
                    raise InvalidArgument(f"Header names that begin with {OWN!r} are reserved.")
                size += (len(name) if name.isascii() else len(name.encode())) + len(value)
            if size > most:
                raise MessageTooLarge(f"The message has {size} bytes; the queue takes at most {most}.")

    def _check_ordering(self, message: NewMessage) -> None:
        if self.spec.ordering == "Standard":
            if message.deduplication_id is not None:
                raise InvalidArgument("A deduplication id is for Fifo queues.")
            return
        if message.key is None:
            raise InvalidArgument("In a Fifo queue each message has a key, which is its message group.")
        if message.priority is not None:
            raise InvalidArgument("In a Fifo queue messages have no priority.")
        if message.delay:
            raise InvalidArgument(
                "In a Fifo queue messages have no delay of their own; the queue's deliveryDelay holds."
            )
        if message.deduplication_id is not None and not _DEDUPLICATION_ID_TEXT.fullmatch(message.deduplication_id):
            raise InvalidArgument("A deduplication id has 1 to 128 letters, digits and punctuation marks of ASCII.")

    def _due(self, message: NewMessage, now: int) -> int | None:
        delay = message.delay
        if delay is None or self.spec.ordering == "Fifo":
            delay = self.spec.delivery_delay.total_seconds()
        return now + round(delay * 1000) if delay else None

    async def receive(
        self,
        limit: int,
        *,
        visibility_timeout: float | None = None,
        wait: float | None = None,
        selector: str | None = None,
        consumer: str | None = None,
    ) -> list[Message]:
        """As `deliver`, message by message."""
        delivered = await self._deliver(limit, visibility_timeout, wait, selector, consumer)
        return [message for one in delivered for message in messages_of(*one)]

    async def deliver(
        self,
        limit: int,
        *,
        visibility_timeout: float | None = None,
        wait: float | None = None,
        selector: str | None = None,
        consumer: str | None = None,
    ) -> list[Message | Batch]:
        """Deliver up to `limit` (1 - 1000) messages, waiting up to `wait` (0 - 20) seconds for the first.

        None takes the queue's visibilityTimeout and receiveWaitTime. `selector` is CEL: only messages for which it is
        true are delivered. `consumer` is who asks, needed where the queue's consumers are not Shared. Cancelling gives
        back what was claimed.
        What came as a batch, and is plain, is delivered as one. Raises TooManyInFlight, QueueInUse, InvalidArgument.
        """
        found: list[Message | Batch] = []
        for shard, delivery in await self._deliver(limit, visibility_timeout, wait, selector, consumer):
            batch = batch_of(shard, delivery)
            found += messages_of(shard, delivery) if batch is None else [batch]
        return found

    async def _deliver(
        self,
        limit: int,
        visibility_timeout: float | None,
        wait: float | None,
        selector: str | None,
        consumer: str | None,
    ) -> list[Delivered]:
        visible_after = self._or_default(visibility_timeout, self.spec.visibility_timeout.total_seconds())
        waiting = self._or_default(wait, self.spec.receive_wait_time.total_seconds())
        if not 1 <= limit <= MAX_RECEIVE:
            raise InvalidArgument(f"A receive takes 1 to {MAX_RECEIVE} messages.")
        if not 0 <= visible_after <= MAX_VISIBILITY:
            raise InvalidArgument(f"A visibility timeout is 0 to {MAX_VISIBILITY} seconds.")
        if not 0 <= waiting <= MAX_WAIT:
            raise InvalidArgument(f"A receive waits 0 to {MAX_WAIT} seconds.")
        if selector is not None:
            compiled(selector).check()
        if consumer is not None:
            self._check_consumer(consumer)
        now = self._now()
        request = Receive(now, limit, round(visible_after * 1000), now + round(waiting * 1000), selector, consumer)
        delivered = await self._receive(request)
        # A broker may have stood still, and on waking finds here what others got since.
        now = self._now()
        return [one for one in delivered if now < one[1].deadline or not visible_after]

    @staticmethod
    def _check_consumer(consumer: str) -> None:
        if not _CONSUMER_TEXT.fullmatch(consumer):
            raise InvalidArgument("consumer: has 1 to 128 letters, digits and punctuation marks of ASCII.")

    async def _receive(self, request: Receive) -> list[Delivered]:
        if len(self.spread.routes) == 1:
            return [(self.spread.number, delivery) for delivery in await self.spread.routes[0].serve(request)]
        return [(route.number, delivery) for route, delivery in await gather(self.spread.in_turn(), request)]

    async def close_consumer(self, consumer: str) -> None:
        """A consumer asks for nothing more: its receives end with nothing and, once nothing is in flight, another may
        become active. Raises InvalidArgument."""
        self._check_consumer(consumer)
        await self._ask_all(lambda at: CloseConsumer(at, consumer))

    async def active_consumer(self) -> str | None:
        """Which consumer is active; None where all are served at the same time, and where none asks."""
        if self.spec.consumers == "Shared":
            return None
        # Such a queue has one shard.
        [active] = await self._ask_all(TellConsumer)
        return active

    async def peek(self, limit: int, start: str | None = None) -> Peeked:
        """Up to `limit` (1 - 1000) messages that are visible or in flight, which change nothing by it, oldest first.

        Fewer, or none, may come though there are more: `next` tells, and where to start then.
        Raises InvalidArgument.
        """
        if not 1 <= limit <= MAX_RECEIVE:
            raise InvalidArgument(f"A peek takes 1 to {MAX_RECEIVE} messages.")
        numbers = [route.number for route in self.spread.routes]
        shard, place = receipts.opened_place(numbers, start) if start else (numbers[0], receipts.BEGINNING)
        seen: list[Message] = []
        for route in self.spread.routes[numbers.index(shard) :]:
            if len(seen) >= limit:
                return Peeked(seen, receipts.place(route.number, receipts.BEGINNING))
            found = await route.serve(Peek(self._now(), limit - len(seen), place))
            seen += [
                message_of(one.record, "", one.deliveries, one.first_received, one.is_in_flight) for one in found.seen
            ]
            if found.next:
                return Peeked(seen, receipts.place(route.number, found.next))
            place = receipts.BEGINNING
        return Peeked(seen, None)

    async def tail(self, limit: int, start: str | None = None, since: int | None = None) -> Tailed:
        """Up to `limit` (1 - 1000) messages that came after the look that ended at `start`, in order of their time.

        Without `start`: those that came `since` (milliseconds since 1970), else only where the end is. Settled ones are
        among them as long as they are stored. Raises InvalidArgument.
        """
        if not 1 <= limit <= MAX_RECEIVE:
            raise InvalidArgument(f"A tail takes 1 to {MAX_RECEIVE} messages.")
        numbers = [route.number for route in self.spread.routes]
        known, earliest = receipts.opened_ends(numbers, start) if start else (None, since or 0)
        found: list[Message] = []
        ends: dict[int, dict[int, int]] = {}
        missed = 0
        for route in self.spread.routes:
            # A shard that nobody knew of then has begun since.
            places = None if known is None else known.get(route.number, {})
            tailed = await route.serve(Tail(self._now(), limit - len(found), places, earliest))
            found += [message_of(record, "", 0, 0, is_in_flight=False) for record in tailed.records]
            ends[route.number] = tailed.places
            missed += tailed.missed
        found.sort(key=lambda message: message.sent_at)
        return Tailed(found, receipts.ends(ends, earliest), missed)

    @staticmethod
    def _or_default(value: float | None, default: float) -> float:
        return default if value is None else value

    async def acknowledge(self, held: Sequence[str | Handle]) -> list[BrokerError | None]:
        """Settle messages for good, by their receipts. Acknowledging twice is fine."""
        return await self._settle(held, lambda some: Acknowledge(self._now(), some.receipts))

    async def release(self, held: Sequence[str | Handle], *, delivered: bool = True) -> list[BrokerError | None]:
        """Make messages visible again now, by their receipts.

        With `delivered` False no consumer saw them: their delivery does not count, and one that is settled since is
        no error.
        """
        if delivered:
            return await self.extend([(receipt, 0) for receipt in held])
        return await self._settle(held, lambda some: GiveBack(self._now(), some.receipts))

    async def extend(self, held: Sequence[tuple[str | Handle, float]]) -> list[BrokerError | None]:
        """Hide messages, by their receipts, for so many seconds (0 - 43200) from now."""
        if any(not 0 <= seconds <= MAX_VISIBILITY for _, seconds in held):
            raise InvalidArgument(f"A visibility timeout is 0 to {MAX_VISIBILITY} seconds.")
        hidden = [round(seconds * 1000) for _, seconds in held]
        return await self._settle(
            [receipt for receipt, _ in held],
            lambda some: Extend(
                self._now(), [(one, hidden[place]) for one, place in zip(some.receipts, some.given, strict=True)]
            ),
        )

    async def _settle(
        self,
        held: Sequence[str | Handle],
        make: Callable[[Held], Request[list[BrokerError | None]] | Request[None]],
    ) -> list[BrokerError | None]:
        """Have each shard settle what it gave the receipts of; a result for each message."""
        if sum([1 if isinstance(one, str) else one.count for one in held]) > MAX_SETTLE:
            raise InvalidArgument(f"One request settles {MAX_SETTLE} messages at most.")
        routes = {route.number: route for route in self.spread.routes}
        by_shard, results = receipts.by_shard(routes, held)
        answers = await _all([routes[shard].serve(make(some)) for shard, some in by_shard.items()])
        for some, answer in zip(by_shard.values(), answers, strict=True):
            if answer:
                some.spread(answer, results)
        return results

    async def redrive(
        self, target: "Queue | None" = None, *, rate: float | None = None, limit: int | None = None
    ) -> Progress:
        """Bring back messages that are visible now: up to `limit`, up to `rate` a second, to the queues that they came
        from, or all of them to `target`. In place of the redrive that is under way.

        A message that came from no queue stays. Raises InvalidArgument.
        """
        if target is self:
            raise InvalidArgument("target: is the queue itself.")
        if target and target.spec.ordering != self.spec.ordering:
            raise InvalidArgument(f"target: its ordering is {target.spec.ordering}, not {self.spec.ordering}.")
        if rate is not None and not 0 < rate <= MAX_RATE:
            raise InvalidArgument(f"rate: is more than 0 and at most {MAX_RATE}.")
        if limit is not None and limit < 1:
            raise InvalidArgument("limit: is at least 1.")
        number = target.spread.number if target else None
        routes = self.spread.routes
        limits = [limit]
        if len(routes) > 1:
            limits = shares(limit, [counts.visible for counts in await self._ask_all(Count)])
        now, part = self._now(), None if rate is None else rate / len(routes)
        asked = [StartRedrive(now, number, part, some) for some in limits]
        return together(await _all([route.serve(one) for route, one in zip(routes, asked, strict=True)]))

    async def stop_redrive(self) -> Progress:
        """Let no more messages go; those on their way arrive."""
        return together(await self._ask_all(StopRedrive))

    async def redrive_progress(self) -> Progress:
        """Of the redrive that was started last."""
        return next(iter(await self.redrives()), Progress())

    async def redrives(self) -> list[Progress]:
        """The last ten, the newest first."""
        told: list[list[Progress]] = await self._ask_all(TellRedrives)
        return all_together(told)

    async def purge(self) -> None:
        """Drop every message that was confirmed before this call: visible, in flight and delayed."""
        await self._ask_all(Purge)

    async def counts(self) -> Counts:
        """What it holds, as the owners of its shards know it."""
        return sum_of(await self._ask_all(Count))

    async def _ask_all(self, kind: Callable[[int], Request[Answer]]) -> list[Answer]:
        """The answers of all shards."""
        now = self._now()
        return await _all([route.serve(kind(now)) for route in self.spread.routes])


def messages_of(shard: int, delivery: Delivery) -> list[Message]:
    """What a consumer gets of a delivery."""
    return [
        message_of(
            record,
            receipts.receipt(shard, delivery.receipt, place),
            delivery.deliveries,
            delivery.first_received,
            is_in_flight=True,
        )
        for place, record in enumerate(delivery.records)
    ]


def batch_of(shard: int, delivery: Delivery) -> Batch | None:
    """The same as one batch, if it is sealed."""
    if delivery.batch is None:
        return None
    sealed = Sealed(delivery.batch)
    return Batch(
        receipts.handle(shard, delivery.receipt),
        sealed.first_id,
        delivery.count,
        sealed.timestamp,
        delivery.first_received,
        delivery.deliveries,
        delivery.batch,
    )


async def _all(asked: Sequence[Coroutine[Any, Any, Answer]]) -> list[Answer]:
    """All their answers; one alone takes no task."""
    return [await asked[0]] if len(asked) == 1 else await asyncio.gather(*asked)


def policy(name: str, spec: QueueSpec, dead_letter: int | None) -> Policy:
    """How the queue treats its records; `dead_letter` is the first shard of its dead-letter queue."""
    return Policy(
        name=name,
        retention=round(spec.message_retention.total_seconds() * 1000),
        in_flight=spec.limits.in_flight,
        messages=spec.limits.messages,
        bytes=spec.limits.bytes,
        ordered=spec.ordering == "Fifo",
        consumers=spec.consumers,
        paused=spec.paused,
        max_receives=spec.dead_letter.max_receives if spec.dead_letter else 0,
        dead_letter=dead_letter,
        expired_to=dead_letter if spec.dead_letter and spec.dead_letter.expired else None,
        overflow=spec.limits.overflow,
    )
