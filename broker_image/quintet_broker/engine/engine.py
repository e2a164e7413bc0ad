"""Engine: the shards of a pool, as one of its brokers serves them over one store."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from msgspec import Raw, Struct

from quintet_broker.engine.peers.peers import Peers
from quintet_broker.engine.pool.joiner import join
from quintet_broker.engine.pool.lease import Found, Lease
from quintet_broker.engine.pool.mover import Movers
from quintet_broker.engine.pool.owners import Member, Owners
from quintet_broker.engine.pool.route import Route
from quintet_broker.engine.pool.spread import Grown, Spread
from quintet_broker.engine.pool.ticker import REMEMBERED_BYTES, Ticker
from quintet_broker.engine.requests import Request
from quintet_broker.engine.shards.shard import Shard
from quintet_broker.engine.state.policy import Policy
from quintet_broker.errors import BrokerError, NotOwner
from quintet_broker.store.keys import POOL
from quintet_broker.store.members import Members
from quintet_broker.store.redis import Store

CANCEL_EVERY = 0.1
"""Seconds."""
LEAVES_WITHIN = 2.0
"""Seconds for the store to take the broker out of its pool, and what is being written."""
SETTLES_WITHIN = 2.0
"""Seconds for others to answer what they were asked."""


class Membership(Struct, frozen=True):
    """As which one of its pool a broker runs."""

    me: Member
    members: Callable[[], Members]
    lease: float
    """Seconds."""
    secret: bytes
    """Of the pool: who knows it is one of its brokers."""


class Engine:
    """Opens and closes the routes to shards, owns those that are this broker's, and runs what moves between them.

    Without a membership it is alone in its pool, and owns all.
    """

    def __init__(
        self, store: Store, membership: Membership | None = None, most_remembered: int = REMEMBERED_BYTES
    ) -> None:
        """`most_remembered`: bytes of deduplication ids, about."""
        self.store = store
        self.me = membership.me if membership else Member("broker-0", 0)
        self.owners = Owners() if membership else Owners(0, (self.me,))
        self.version = 0
        """Of what exists in the pool, as heard last."""
        self.on_moved: Callable[[], Awaitable[None]] = _nothing
        """Called where a queue seems to have come or grown: it brings what exists in the pool by now. May raise
        Unavailable."""
        self.draining = False
        self._routes: dict[int, Route] = {}
        self._spreads: dict[int, Spread] = {}
        """By their first shards' numbers."""
        self._joining: dict[Shard, asyncio.Task[None]] = {}
        self._movers = Movers(self._spreads.get, store.now, self.start_beside)
        self._ticker = Ticker(
            store, self._movers.move, self.me.name, self._stale, self._holds, self._join, most_remembered
        )
        self._changed = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._finishing: set[asyncio.Task[None]] = set()
        """What `stop` lets end."""
        self._running: asyncio.Task[None] | None = None
        self._lease: Lease | None = None
        self._peers: Peers | None = None
        if membership:
            self._lease = Lease(membership.members, self.me, membership.lease, self._find)
            self._peers = Peers(self.me, membership.secret, self._serve, self._hear)

    @property
    def connected(self) -> bool:
        """Whether the store is there, and this broker is one of the pool."""
        return self._ticker.connected and self.me.name in self.owners.members

    def start(self) -> asyncio.Task[None]:
        """What runs until `stop`; if it ends before, the engine serves nobody any more."""
        self._running = asyncio.create_task(self._run())
        return self._running

    async def _run(self) -> None:
        await asyncio.gather(self._ticker.run(), *([self._lease.start()] if self._lease else []))

    async def listen(self, host: str, port: int) -> None:
        """Serve the other brokers. Raises OSError."""
        if self._peers:
            await self._peers.listen(host, port)

    async def drain(self) -> None:
        """Before `stop`: shards go to the other brokers, if there are any, and receives answer at once with what is
        there, so that all requests end soon."""
        self.draining = True
        self._ticker.end_waits()
        if self._peers:
            self._peers.end_waits()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVES_WITHIN):
                if self._lease:
                    await self._lease.leave()
                # What is being delivered has to be told those who wait for it, as long as they are heard.
                await self._ticker.turned()

    async def stop(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLES_WITHIN):
                await self._settle()
        if self._lease:
            await self._lease.stop()
        if self._peers:
            await self._peers.stop()
        while self._running and not self._running.done():
            # More than once: redis-py may take a cancellation that comes while it connects for its own.
            self._running.cancel()
            await asyncio.wait([self._running], timeout=CANCEL_EVERY)
        await self.store.close()

    async def _settle(self) -> None:
        """Until all that was asked is answered, and given back what nobody waited for any more."""
        await self._ticker.turned()
        while True:
            if self._peers:
                await self._peers.settled()
            if not self._finishing:
                return
            await asyncio.wait(self._finishing)

    # Shards

    def open(self, numbers: Sequence[int], policy: Policy, grown: Grown | None = None) -> Spread:
        """The way to a queue, by the numbers of its shards, the oldest first."""
        spread = self._spreads[numbers[0]] = Spread(self)
        self.change(spread, numbers, policy, grown)
        return spread

    def change(self, spread: Spread, numbers: Sequence[int], policy: Policy, grown: Grown | None = None) -> None:
        """The queue has that policy from now on, and more shards if there are more numbers."""
        spread.policy, spread.grown = policy, grown
        for place, number in enumerate(numbers):
            of_shard = policy.of_shard(numbers, place)
            if place == len(spread.routes):
                route = self._routes[number] = Route(number, of_shard, self)
                spread.routes.append(route)
                self._place(route)
            elif of_shard != spread.routes[place].policy:
                spread.routes[place].set_policy(of_shard)

    def close(self, spread: Spread, error: BrokerError) -> None:
        """Stop serving a queue: what is asked of it is refused with `error`."""
        del self._spreads[spread.number]
        for route in spread.routes:
            del self._routes[route.number]
            if route.shard:
                self._release(route.shard)
            route.close(error)

    def _place(self, route: Route) -> None:
        """Own a shard, or no longer, as the table says."""
        mine = self.owners.of(route.number) == self.me
        if mine and route.shard is None:
            route.shard = Shard(route.number, route.policy, self.store, self._ticker, route.totals)
            self._ticker.add(route.shard)
        elif not mine and route.shard:
            shard, route.shard = route.shard, None
            self._release(shard)
            shard.give_up()

    def _release(self, shard: Shard) -> None:
        self._ticker.remove(shard)
        self._movers.stop(shard)
        if task := self._joining.get(shard):
            task.cancel()

    def _join(self, shard: Shard) -> None:
        if shard not in self._joining:
            task = self._ticker.start(join(shard, self._routes.get, self.store.now))
            self._joining[shard] = task
            task.add_done_callback(lambda _: self._joining.pop(shard))

    # The pool that routes see

    def now(self) -> int:
        return self.store.now()

    def owner_of(self, shard: int) -> Member | None:
        """The broker that owns a shard now."""
        return self.owners.of(shard)

    def ask_owner(self, shard: int, request: Request[Any]) -> None:
        """Raises NotOwner where the shard's owner cannot be asked, Overloaded."""
        owner = self.owners.of(shard)
        if owner is None or self._peers is None:
            raise NotOwner
        self._peers.ask(owner, shard, request)

    async def owners_changed(self, within: float) -> None:
        """Until another table of owners is known, or so many seconds have passed."""
        changed = self._changed
        try:
            async with asyncio.timeout(within):
                await changed.wait()
        except TimeoutError:
            self._hurry()

    async def look(self) -> None:
        """Know what exists in the pool by now. Raises Unavailable."""
        await self.on_moved()

    def finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that is to end before the broker does."""
        task = self.start_beside(work)
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)

    def start_beside(self, work: Any) -> asyncio.Task[None]:
        """Run something beside the ticks."""
        return self._ticker.start(work)

    # Other brokers

    @property
    def keeper(self) -> Member | None:
        """The owner of the pool itself, who alone changes what exists in it."""
        return self.owners.of(POOL)

    async def call(self, member: Member, verb: str, argument: bytes) -> Raw:
        """Another broker's answer to a verb. Raises BrokerError, NotOwner where it cannot be asked."""
        if self._peers is None:
            raise NotOwner
        return await self._peers.call(member, verb, argument)

    async def call_all(self, verb: str, argument: bytes, within: float) -> dict[str, Raw]:
        """The answers, by name, of the other brokers that give one within so many seconds."""
        return await self._peers.call_all(verb, argument, within) if self._peers else {}

    def on_call(self, verb: str, handler: Callable[[bytes], Awaitable[Any]]) -> None:
        """Have what other brokers call a verb served."""
        if self._peers:
            self._peers.serve(verb, handler)

    def _serve(self, shard: int, request: Request[Any]) -> None:
        route = self._routes.get(shard)
        if route is None:
            # Another broker may know it already. Asked again, this one does too.
            self._look_soon()
        if route is None or route.shard is None:
            raise NotOwner
        route.ask(request)

    def _look_soon(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = self.start_beside(self.look())

    # The table of owners

    def _find(self, found: Found) -> None:
        self.version = max(self.version, found.version)
        if found.owners.generation != self.owners.generation:
            self._follow(found.owners)

    def _follow(self, owners: Owners) -> None:
        self.owners = owners
        self._ticker.generation = owners.generation
        if self._peers:
            self._peers.follow(owners)
            self._peers.tell_generation()
        for route in self._routes.values():
            self._place(route)
        self._ticker.wake_untaken()
        self._changed.set()
        self._changed = asyncio.Event()

    def _hear(self, generation: int) -> None:
        if generation > self.owners.generation:
            self._hurry(generation)

    def _stale(self, error: NotOwner) -> None:
        self._hurry(error.generation)

    def _hurry(self, generation: int = 0) -> None:
        if self._lease:
            self._lease.hurry(generation)

    def _holds(self) -> bool:
        return self._lease is None or self._lease.holds


async def _nothing() -> None:
    """What is done where nobody knows of queues."""
