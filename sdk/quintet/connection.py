"""Connection: what a client and its queues share, and how it ends in order."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from quintet.coalescer import Answered, Coalescer, Gathering
from quintet.errors import ClientClosed

if TYPE_CHECKING:
    import aiohttp

    from quintet.ahead import Ahead
    from quintet.links import Links
    from quintet.receiver import Receiver
    from quintet.transport import Transport


class Connection:
    """To the brokers of one pool; open between `open` and `close`."""

    def __init__(self, url: str, key_id: str | None, secret: str | None, timeout: float, sends: Gathering) -> None:
        self.timeout = timeout
        """Seconds for which a verb tries again what fails in passing."""
        self.receivers: WeakSet[Receiver | Ahead] = WeakSet()
        """Those that `close` closes."""
        self.url = url.rstrip("/")
        self._credentials = key_id, secret
        self._sends = sends
        self._session: aiohttp.ClientSession | None = None
        self._transport: Transport | None = None
        self._links: Links | None = None
        self._coalescers: list[Coalescer[Any, Any]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Lock()

    @property
    def transport(self) -> "Transport":
        """For single requests. Raises ClientClosed."""
        if self._transport is None:
            raise ClientClosed
        return self._transport

    @property
    def links(self) -> "Links":
        """For messages. Raises ClientClosed."""
        if self._links is None:
            raise ClientClosed
        return self._links

    def open(self) -> None:
        # aiohttp takes most of the time of importing the client: it is not loaded before it is used.
        from quintet import reach
        from quintet.links import Links
        from quintet.transport import Transport

        self._session = reach.session(*self._credentials)
        self._transport = Transport(self._session, self.url, self.timeout)
        self._links = Links(self._session, self.url, self.timeout)

    async def close(self) -> None:
        """See quintet.Client.close."""
        async with self._closing:
            if self._session is None or self._links is None:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.timeout):
                    await self._settle()
            session, links = self._session, self._links
            self._session = self._links = self._transport = None
            await links.close()
            await session.close()

    async def _settle(self) -> None:
        # A receiver that was just dropped releases in the loop's next turn.
        await asyncio.sleep(0)
        await asyncio.gather(*(receiver.aclose() for receiver in list(self.receivers)))
        while self._tasks:
            await asyncio.wait(self._tasks)
        for coalescer in self._coalescers:
            await coalescer.idle()

    def start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run something that nobody has to wait for but `close`."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def sends(self, queue: str, lanes: int, *, in_order: bool) -> Coalescer[Any, str]:
        """Gathers what is sent to a queue; `close` lets it end."""
        return self._gathers(queue, self._sends._replace(lanes=lanes, in_order=in_order))

    def settles(self, queue: str) -> Coalescer[Any, Any]:
        """Gathers what becomes of a queue's messages by one verb; `close` lets it end."""
        return self._gathers(queue, Gathering())

    def _gathers(self, queue: str, gathering: Gathering) -> Coalescer[Any, Any]:
        def post(request: Any, after: Any, answered: Answered) -> None:
            if gathering.in_order:
                request.after = None if after is None else after.sequence
            self.links.ask(queue, request, answered)

        made: Coalescer[Any, Any] = Coalescer(post, gathering)
        self._coalescers.append(made)
        return made
