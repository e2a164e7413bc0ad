"""Route: one shard of the pool as this broker serves it: owned here, or reached through its owner."""

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from quintet_broker.engine.pool.owners import Member
from quintet_broker.engine.requests import Delivery, GiveBack, Receipt, Receive, Request
from quintet_broker.engine.shards.shard import Shard
from quintet_broker.engine.shards.work import Totals
from quintet_broker.engine.state.policy import Policy
from quintet_broker.errors import BrokerError, NotOwner, Unavailable

Answer = TypeVar("Answer")

PATIENCE = 10_000
"""Milliseconds for which a request is asked again where nobody owns its shard."""
ASK_AGAIN_AFTER = 0.05
"""Seconds, unless it is known before who owns the shard."""


class Pool(Protocol):
    """What a route needs of the broker that it belongs to."""

    draining: bool
    """Whether no receive waits any more."""

    def now(self) -> int:
        """Milliseconds since 1970."""

    def owner_of(self, shard: int) -> Member | None:
        """The broker that owns a shard now."""

    def ask_owner(self, shard: int, request: Request[Any]) -> None:
        """Raises NotOwner where the shard's owner cannot be asked, Overloaded."""

    async def owners_changed(self, within: float) -> None:
        """Until another table of owners is known, or so many seconds have passed."""

    async def look(self) -> None:
        """Know what exists in the pool by now. Raises Unavailable."""

    def finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that is to end before the broker does."""


class Route:
    """Not thread-safe: it belongs to one event loop."""

    def __init__(self, number: int, policy: Policy, pool: Pool) -> None:
        self.number = number
        self.policy = policy
        self.shard: Shard | None = None
        """While it is owned here."""
        self.totals = Totals()
        """What went through here; other brokers count what went through them."""
        self._pool = pool
        self._closed: BrokerError | None = None

    @property
    def owner(self) -> Member | None:
        """Who owns the shard now; None where no broker does."""
        return self._pool.owner_of(self.number)

    def set_policy(self, policy: Policy) -> None:
        self.policy = policy
        if self.shard:
            self.shard.set_policy(policy)

    def close(self, error: BrokerError) -> None:
        """Refuse what is and will be asked."""
        self._closed = error
        if self.shard:
            self.shard.close(error)

    async def serve(self, request: Request[Answer], *, asks_again: bool = True) -> Answer:
        """The owner's answer, asked again for as long as owners change.

        Cancelling takes back what was asked; records that were delivered meanwhile are given back.
        Raises BrokerError; NotOwner only where it is not to be asked again.
        """
        while True:
            try:
                self.ask(request)
                return await request.future
            except NotOwner as error:
                if not asks_again:
                    raise
                if request.owed_at + PATIENCE < self._pool.now():
                    raise Unavailable from error
            except asyncio.CancelledError:
                if isinstance(request, Receive) and not request.future.cancelled() and not request.future.exception():
                    # Answered, and nobody heard it any more.
                    self.give_back(request.future.result())
                raise
            await self._pool.owners_changed(ASK_AGAIN_AFTER)
            request = request.again()

    def ask(self, request: Request[Any]) -> None:
        """Raises NotOwner, Overloaded, or why it was closed."""
        if self._closed:
            raise self._closed
        if isinstance(request, Receive):
            request.unheard = self.give_back
            if self._pool.draining:
                request.until = request.at
        if self.shard:
            self.shard.ask(request)
        else:
            self._pool.ask_owner(self.number, request)

    def give_back(self, deliveries: list[Delivery]) -> None:
        """Undo deliveries that no consumer saw. Should it fail, they come again after their visibility timeout."""
        if deliveries:
            self.give_back_named([delivery.receipt for delivery in deliveries])

    def give_back_named(self, receipts: list[Receipt]) -> None:
        """The same, by their receipts."""
        self._pool.finish(self._quietly(GiveBack(self._pool.now(), receipts)))

    async def _quietly(self, request: Request[Any]) -> None:
        with contextlib.suppress(BrokerError):
            await self.serve(request)


async def serve_all(asked: Sequence[tuple[Route, Request[Answer]]]) -> list[Answer]:
    """All their answers; one alone takes no task."""
    if len(asked) == 1:
        [(route, request)] = asked
        return [await route.serve(request)]
    return await asyncio.gather(*[route.serve(request) for route, request in asked])
