"""Links: a client's connections, to the broker that it was given and to the owners of its queues."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp

from quintet import frames
from quintet.coalescer import Answered
from quintet.errors import ClientClosed, ConnectionLost, TimedOut, Unavailable
from quintet.link import Link
from quintet.retry import ATTEMPT

SEEK_AGAIN = (1.0, 60.0)
"""Seconds after which an owner that could not be reached is tried again: at first, and at most."""


class Links:
    """Opened when they are needed. What is asked about a queue goes to its owner once there is a link to it."""

    def __init__(self, session: aiohttp.ClientSession, home: str, timeout: float) -> None:
        self._session = session
        self._home = home
        self._patience = min(ATTEMPT, timeout)
        self._open: dict[str, Link] = {}
        self._opening: dict[str, asyncio.Task[Link]] = {}
        self._owners: dict[str, str] = {}
        """Addresses by queue."""
        self._seek_at: dict[str, tuple[float, float]] = {}
        """Of owners that could not be reached: when they are tried again, and the pause before that."""
        self._asking: set[asyncio.Task[None]] = set()
        """About queues of which no link is open yet."""
        self._closed = False

    def ask(self, queue: str, request: frames.Request, answered: Answered) -> None:
        """One attempt, over the link `of` a queue. Raises QuintetError."""
        if link := self._ready(queue):
            link.ask(request, answered, self._patience)
        else:
            task = asyncio.create_task(self._ask_later(queue, request, answered))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _ask_later(self, queue: str, request: frames.Request, answered: Answered) -> None:
        try:
            async with self.attempt(queue, self._patience) as link:
                pass
            link.ask(request, answered, self._patience)
        except Exception as error:
            answered(error)

    @asynccontextmanager
    async def attempt(self, queue: str, within: float) -> AsyncIterator[Link]:
        """The link `of` a queue, for so many seconds. Raises QuintetError, TimedOut among them."""
        link = None
        try:
            async with asyncio.timeout(within):
                link = await self.of(queue)
                yield link
        except TimeoutError as error:
            if link:
                raise link.late(within) from error
            raise TimedOut(f"{urlsplit(self._home).netloc} did not answer within {within:.3g} s.") from error

    async def of(self, queue: str) -> Link:
        """To the queue's owner if there is one, else to whichever broker can be reached. Raises QuintetError."""
        if link := self._ready(queue):
            return link
        try:
            return await self._to(self._home)
        except (ConnectionLost, Unavailable):
            for link in self._open.values():
                # Every broker serves every queue.
                return link
            raise

    def _ready(self, queue: str) -> Link | None:
        """The one `of` a queue where it is open. Raises ClientClosed."""
        if self._closed:
            raise ClientClosed
        address = self._owners.get(queue)
        if address is None:
            return self._open.get(self._home)
        if owner := self._open.get(address):
            return owner
        self._seek(address)
        return self._open.get(self._home)

    def to_owner(self, queue: str) -> Link | None:
        """If there is one already."""
        return self._open.get(self._owners.get(queue, ""))

    async def close(self) -> None:
        self._closed = True
        for task in list(self._opening.values()):
            task.cancel()
        await asyncio.gather(*(link.close() for link in list(self._open.values())))

    async def _to(self, address: str) -> Link:
        """One for all who want it at the same time."""
        if found := self._open.get(address):
            return found
        opening = self._opening.get(address) or self._start(address)
        await asyncio.wait([opening])
        if opening.cancelled():
            raise ClientClosed
        return opening.result()

    def _start(self, address: str) -> "asyncio.Task[Link]":
        opening = self._opening[address] = asyncio.create_task(self._connect(address))
        # Nobody may be left to hear that it failed.
        opening.add_done_callback(lambda done: done.cancelled() or done.exception())
        return opening

    async def _connect(self, address: str) -> Link:
        try:
            link = await Link.open(self._session, address, self._moved, self._lost)
        finally:
            del self._opening[address]
        self._open[address] = link
        return link

    def _lost(self, link: Link) -> None:
        if self._open.get(link.address) is link:
            del self._open[link.address]

    # Owners

    def _moved(self, queue: str, address: str) -> None:
        if self._home.startswith("https:") and not address.startswith("https:"):
            # Nobody but the broker may read the credentials.
            return
        self._owners[queue] = address.rstrip("/")
        self._seek_at.pop(self._owners[queue], None)
        self._seek(self._owners[queue])

    def _seek(self, address: str) -> None:
        """Open a link to an owner, unless it could not be reached just now."""
        at, pause = self._seek_at.get(address, (0.0, SEEK_AGAIN[0]))
        now = asyncio.get_running_loop().time()
        if address in self._open or address in self._opening or now < at:
            return
        self._seek_at[address] = now + pause, min(2 * pause, SEEK_AGAIN[1])
        self._start(address).add_done_callback(self._found)

    def _found(self, opening: asyncio.Task[Link]) -> None:
        if opening.cancelled() or opening.exception():
            return
        self._seek_at.pop(opening.result().address, None)
        for link in self._open.values():
            for receive in list(link.receives.values()):
                receive.poke()
