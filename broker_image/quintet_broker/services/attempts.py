"""Attempts: a receive whose answer was lost is tried again under its name, and gets the same messages.

What a receive got is remembered at one broker, the owner of the queue's first shard, so that it does not matter which
one is asked again. It is memory alone: what is forgotten is delivered once the visibility timeout has passed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Unpack

import msgspec

from quintet_broker.engine.engine import Engine
from quintet_broker.errors import BrokerError, NotOwner
from quintet_broker.services.messages import Message
from quintet_broker.services.queue import Queue
from quintet_broker.services.receiving import Options

KEPT = 5 * 60 * 1000
"""Milliseconds for which an attempt is remembered."""
MAX_BYTES = 32 * 1024 * 1024
"""Of what is remembered at a broker; beyond that the oldest is forgotten."""
EACH = 512
"""Bytes that an attempt takes beside its answer: its name, and its place."""
TRIES = 20
TRY_AGAIN_AFTER = 0.05
"""Seconds, where the owner cannot be reached yet."""

Name = tuple[int, str]
"""Number of the queue's first shard, and what the client calls the attempt."""


class Answers:
    """What was answered, by attempt, the oldest first. Pure; `now` is an argument, in milliseconds."""

    def __init__(self, most: int = MAX_BYTES) -> None:
        self._room = most
        self._kept: dict[Name, tuple[int, bytes]] = {}
        """When each was kept, and what it is."""

    def keep(self, name: Name, answer: bytes, now: int) -> None:
        """In place of an earlier one of that name."""
        self._drop(name)
        self._kept[name] = now, answer
        self._room -= EACH + len(answer)
        while self._kept:
            oldest = next(iter(self._kept))
            if self._room >= 0 and self._kept[oldest][0] + KEPT > now:
                break
            self._drop(oldest)

    def find(self, name: Name, now: int) -> bytes | None:
        found = self._kept.get(name)
        return found[1] if found and found[0] + KEPT > now else None

    def _drop(self, name: Name) -> None:
        if name in self._kept:
            self._room += EACH + len(self._kept.pop(name)[1])


class Attempts:
    """Those of a pool, at whichever of its brokers one asks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._answers = Answers()
        self._verbs: dict[str, Callable[[bytes], Awaitable[bytes | None]]] = {
            "find_attempt": self._find,
            "keep_attempt": self._keep,
        }
        for verb, does in self._verbs.items():
            engine.on_call(verb, does)

    async def receive(self, queue: Queue, attempt: str, limit: int, **options: Unpack[Options]) -> list[Message]:
        """As the queue's receive; the messages of an earlier attempt of that name if all of them are still held by it,
        hidden for the whole visibility timeout from now on."""
        name = queue.spread.number, attempt
        if found := await self._at_home(name, "find_attempt", msgspec.msgpack.encode(name)):
            again = msgspec.msgpack.decode(found, type=list[Message])
            hidden = options.get("visibility_timeout")
            if hidden is None:
                hidden = queue.spec.visibility_timeout.total_seconds()
            if not any(await queue.extend([(message.receipt, hidden) for message in again])):
                return again
        messages = await queue.receive(limit, **options)
        if messages:
            kept = msgspec.msgpack.encode((name, msgspec.msgpack.encode(messages)))
            # Above all if the client is gone meanwhile.
            await asyncio.shield(self._at_home(name, "keep_attempt", kept))
        return messages

    async def _at_home(self, name: Name, verb: str, argument: bytes) -> bytes | None:
        """What the owner of the first shard answers; None where it gives no answer, by which time is lost alone."""
        for _ in range(TRIES):
            home = self._engine.owner_of(name[0])
            try:
                if home is None or home == self._engine.me:
                    return await self._verbs[verb](argument)
                found: bytes | None = msgspec.msgpack.decode(await self._engine.call(home, verb, argument))
                return found
            except NotOwner:
                await self._engine.owners_changed(TRY_AGAIN_AFTER)
            except BrokerError:
                break
        return None

    async def _find(self, argument: bytes) -> bytes | None:
        return self._answers.find(msgspec.msgpack.decode(argument, type=Name), self._engine.now())

    async def _keep(self, argument: bytes) -> None:
        name, answer = msgspec.msgpack.decode(argument, type=tuple[Name, bytes])
        self._answers.keep(name, answer, self._engine.now())
