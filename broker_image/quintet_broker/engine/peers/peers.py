"""Peers: the other live brokers of the pool, and the ways to and from them."""

import asyncio
from collections.abc import Callable
from typing import Any

from msgspec import Raw

from quintet_broker.engine.peers.link import Link
from quintet_broker.engine.peers.listener import Listener, Verb
from quintet_broker.engine.pool.owners import Member, Owners
from quintet_broker.engine.requests import Request
from quintet_broker.errors import BrokerError, NotOwner


class Peers:
    """Linked to those who are there, as `follow` says."""

    def __init__(
        self,
        me: Member,
        secret: bytes,
        serve: Callable[[int, Request[Any]], None],
        heard: Callable[[int], None],
    ) -> None:
        """`serve` and `heard` as Listener and Link want them."""
        self.me = me
        self._secret = secret
        self._heard = heard
        self._owners = Owners()
        self._links: dict[str, Link] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        """Links to those who have left, until they are closed."""
        self._listener = Listener(secret, serve, self._generation, heard)

    async def listen(self, host: str, port: int) -> None:
        """Raises OSError."""
        await self._listener.start(host, port)

    def serve(self, verb: str, handler: Verb) -> None:
        """Have what others call a verb served."""
        self._listener.verbs[verb] = handler

    def follow(self, owners: Owners) -> None:
        """Link to those who are there now, and to no others."""
        self._owners = owners
        for name, link in list(self._links.items()):
            if owners.members.get(name) != link.member:
                del self._links[name]
                retiring = asyncio.create_task(link.retire())
                self._retiring.add(retiring)
                retiring.add_done_callback(self._retiring.discard)
        for name, member in owners.members.items():
            if name != self.me.name and name not in self._links:
                self._links[name] = Link(member, self._secret, self._generation, self._heard)

    def tell_generation(self) -> None:
        """That others learn of a change at once."""
        for link in self._links.values():
            link.poke()

    def ask(self, member: Member, shard: int, request: Request[Any]) -> None:
        """Raises NotOwner where it cannot be asked, Overloaded."""
        self._link(member).ask(shard, request)

    async def call(self, member: Member, verb: str, argument: bytes) -> Raw:
        """A broker's answer to a verb. Raises BrokerError, NotOwner where it cannot be asked."""
        return await self._link(member).call(verb, argument)

    async def call_all(self, verb: str, argument: bytes, within: float) -> dict[str, Raw]:
        """The answers, by name, of the other brokers that give one within so many seconds."""

        async def one(link: Link) -> Raw | None:
            try:
                async with asyncio.timeout(within):
                    return await link.call(verb, argument)
            except (BrokerError, TimeoutError):
                return None

        names = list(self._links)
        answers = await asyncio.gather(*(one(self._links[name]) for name in names))
        return {name: answer for name, answer in zip(names, answers, strict=True) if answer is not None}

    def end_waits(self) -> None:
        """Let no receive wait at another broker any longer."""
        for link in self._links.values():
            link.end_waits()

    async def settled(self) -> None:
        """Until others have answered all that they were asked."""
        await asyncio.gather(*(link.settled() for link in self._links.values()), *self._retiring)

    async def stop(self) -> None:
        for link in self._links.values():
            link.close()
        self._links.clear()
        for retiring in self._retiring:
            retiring.cancel()
        await self._listener.stop()

    def _link(self, member: Member) -> Link:
        try:
            return self._links[member.name]
        except KeyError:
            raise NotOwner(f"{member.name} is not there.") from None

    def _generation(self) -> int:
        return self._owners.generation
