"""A queue's verbs, as every protocol face calls them."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Unpack

from quintet_api.queue import QueueSpec
from quintet_broker.engine import requests
from quintet_broker.engine.pool.route import Route, serve_all
from quintet_broker.engine.pool.spread import Spread
from quintet_broker.engine.records.sealed import first_id
from quintet_broker.engine.requests import (
    Acknowledge,
    CloseConsumer,
    Count,
    Counts,
    Delivery,
    Extend,
    GiveBack,
    Progress,
    Purge,
    Request,
    StartRedrive,
    StopRedrive,
    TellConsumer,
    TellRedrives,
    sum_of,
)
from quintet_broker.engine.shards.work import Totals
from quintet_broker.engine.state.redrive import all_together, shares, together
from quintet_broker.errors import InvalidArgument
from quintet_broker.services import looking, receiving, sending, settling
from quintet_broker.services.extras import Extras
from quintet_broker.services.messages import (
    Batch,
    Message,
    NewMessage,
    Peeked,
    Producer,
    Sent,
    Tailed,
    id_text,
    id_texts,
    ids_from,
    new_names,
)
from quintet_broker.services.settling import Handle, Held, Results

MAX_RATE = 1_000_000
"""Messages a second that a redrive brings."""


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

    # Sending

    async def send(self, messages: Sequence[NewMessage], producer: Producer | None = None) -> list[Sent]:
        """Store all messages or none; return once the pool's durability holds.

        In a Fifo queue each has a key, its group, and duplicates are confirmed and not stored. Where the queue has
        several shards, messages of several keys may be stored in part when it raises.

        Raises MessageTooLarge, InvalidArgument, QueueFull, PoolFull.
        """
        if producer:
            sending.check_producer(producer)
        names = new_names(self.spread.number, producer)
        first = first_id(*names)
        if sending.are_plain(self.spec, messages, self.stores_whole):
            batch = sending.sealed(messages, names, self._now())
            append = sending.append_of_plain(self.spec, batch, messages, producer)
        else:
            ids = ids_from(first, len(messages))
            append = sending.append(self.spec, messages, ids, producer, self._now())
        stored = await self.spread.append(append)
        if stored is None:
            return [Sent(text, None) for text in id_texts(first, len(messages))]
        return [_sent(one) for one in stored]

    async def send_batch(self, batch: bytes, producer: Producer | None = None) -> int | list[Sent]:
        """As `send`, of messages that a client encoded as a RecordBatch v2 of keys, values and headers.

        Answers with the id of the first message as a number, and those of the others are the next ones; or, where
        some may be duplicates, as `send`. Raises what `send` does.
        """
        if producer:
            sending.check_producer(producer)
        sealed, records = sending.opened(batch, self.spread.number, producer, self._now())
        stored = await self.spread.append(
            sending.append_of_batch(self.spec, sealed, records, producer, self.stores_whole)
        )
        return sealed.first_id if stored is None else [_sent(one) for one in stored]

    @property
    def stores_whole(self) -> bool:
        """Whether a send is stored whole or not at all, whatever its keys are."""
        return len(self.spread.routes) == 1

    # Receiving

    async def receive(self, limit: int, **options: Unpack[receiving.Options]) -> list[Message]:
        """As `deliver`, message by message."""
        found: list[Message] = []
        for shard, delivery in await self._deliver(limit, options):
            found += receiving.messages_of(shard, delivery)
        return found

    async def deliver(self, limit: int, **options: Unpack[receiving.Options]) -> list[Message | Batch]:
        """Deliver up to `limit` (1 - 1000) messages, waiting for the first. Cancelling gives back what was claimed.

        What came as a batch, and is plain, is delivered as one. Raises TooManyInFlight, QueueInUse, InvalidArgument.
        """
        found: list[Message | Batch] = []
        for shard, delivery in await self._deliver(limit, options):
            batch = receiving.batch_of(shard, delivery)
            found += receiving.messages_of(shard, delivery) if batch is None else [batch]
        return found

    async def _deliver(self, limit: int, options: receiving.Options) -> list[tuple[int, Delivery]]:
        """Deliveries, and the numbers of their shards."""
        request = receiving.receive(self.spec, limit, self._now(), **options)
        delivered = await self.spread.receive(request)
        # A broker may have stood still, and on waking finds here what others got since.
        now = self._now()
        return [(route.number, one) for route, one in delivered if now < one.deadline or not request.visibility]

    async def close_consumer(self, consumer: str) -> None:
        """A consumer asks for nothing more: its receives end with nothing and, once nothing is in flight, another may
        become active. Raises InvalidArgument."""
        receiving.check_consumer(consumer)
        await self.spread.ask_all(lambda now: CloseConsumer(now, consumer))

    async def active_consumer(self) -> str | None:
        """Which consumer is active; None where all are served at the same time, and where none asks."""
        if self.spec.consumers == "Shared":
            return None
        # Such a queue has one shard.
        [active] = await self.spread.ask_all(TellConsumer)
        return active

    # Looking

    async def peek(self, limit: int, start: str | None = None) -> Peeked:
        """Up to `limit` (1 - 1000) messages that are visible or in flight, which change nothing by it, oldest first.

        Fewer, or none, may come though there are more: `next` tells, and where to start then.
        Raises InvalidArgument.
        """
        return await looking.peek(self.spread.routes, limit, start, self._now)

    async def tail(self, limit: int, start: str | None = None, since: int | None = None) -> Tailed:
        """Up to `limit` (1 - 1000) messages that came after the look that ended at `start`, in order of their time.

        Without `start`: those that came `since` (milliseconds since 1970), else only where the end is. Settled ones are
        among them as long as they are stored. Raises InvalidArgument.
        """
        return await looking.tail(self.spread.routes, limit, start, since or 0, self._now)

    # Settling

    async def acknowledge(self, given: Sequence[str | Handle]) -> Results:
        """Settle messages for good, by their receipts. Acknowledging twice is fine."""
        return await self._settle(given, lambda now, held: Acknowledge(now, held.receipts))

    async def release(self, given: Sequence[str | Handle], *, delivered: bool = True) -> Results:
        """Make messages visible again now, by their receipts.

        With `delivered` False no consumer saw them: their delivery does not count, and one that is settled since is
        no error.
        """
        if delivered:
            return await self.extend([(one, 0) for one in given])
        return await self._settle(given, lambda now, held: GiveBack(now, held.receipts))

    def give_back(self, given: Sequence[str | Handle]) -> None:
        """Release what no consumer saw, without waiting for it. Should it fail, it is visible after its timeout."""
        routes = self._routes
        for shard, held in settling.named(routes, given).by_shard.items():
            routes[shard].give_back_named(held.receipts)

    async def extend(self, given: Sequence[tuple[str | Handle, float]]) -> Results:
        """Hide messages, by their receipts, for so many seconds (0 - 43200) from now."""
        for _, seconds in given:
            settling.check_visibility(seconds)
        hidden = [round(seconds * 1000) for _, seconds in given]
        return await self._settle(
            [one for one, _ in given],
            lambda now, held: Extend(
                now, [(one, hidden[number]) for one, number in zip(held.receipts, held.given, strict=True)]
            ),
        )

    async def _settle(self, given: Sequence[str | Handle], make: Callable[[int, Held], Request[Any]]) -> Results:
        """Have each shard settle what it gave the receipts of."""
        routes = self._routes
        named = settling.named(routes, given)
        now = self._now()
        answers = await serve_all([(routes[shard], make(now, held)) for shard, held in named.by_shard.items()])
        for held, answer in zip(named.by_shard.values(), answers, strict=True):
            # What is given back is not answered one by one.
            if answer:
                held.spread(answer, named.places, named.results)
        return named.results

    @property
    def _routes(self) -> dict[int, Route]:
        """By the numbers of their shards."""
        return {route.number: route for route in self.spread.routes}

    async def purge(self) -> None:
        """Drop every message that was confirmed before this call: visible, in flight and delayed."""
        await self.spread.ask_all(Purge)

    async def counts(self) -> Counts:
        """What it holds, as the owners of its shards know it."""
        return sum_of(await self.spread.ask_all(Count))

    # Redriving

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
            limits = shares(limit, [counts.visible for counts in await self.spread.ask_all(Count)])
        now, part = self._now(), None if rate is None else rate / len(routes)
        asked = [StartRedrive(now, number, part, some) for some in limits]
        return together(await serve_all(list(zip(routes, asked, strict=True))))

    async def stop_redrive(self) -> Progress:
        """Let no more messages go; those on their way arrive."""
        return together(await self.spread.ask_all(StopRedrive))

    async def redrive_progress(self) -> Progress:
        """Of the redrive that was started last."""
        return next(iter(await self.redrives()), Progress())

    async def redrives(self) -> list[Progress]:
        """The last ten, the newest first."""
        told: list[list[Progress]] = await self.spread.ask_all(TellRedrives)
        return all_together(told)


def _sent(stored: requests.Sent) -> Sent:
    return Sent(id_text(stored.id), stored.sequence)
