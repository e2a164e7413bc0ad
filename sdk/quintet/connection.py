"""Connection: what a client and its queues share, and how it ends in order."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from quintet.coalescer import Coalescer
from quintet.errors import ClientClosed
from quintet.receiver import Receiver

if TYPE_CHECKING:
    from quintet.transport import Transport

Item = TypeVar("Item")
Result = TypeVar("Result")


class Connection:
    """To one broker; open between `open` and `close`."""

    def __init__(self, url: str, key_id: str | None, secret: str | None, timeout: float) -> None:
        self.timeout = timeout
        """Seconds for which a verb tries again what fails in passing."""
        self.receivers: WeakSet[Receiver] = WeakSet()
        """Those that `close` closes."""
        self._address = url, key_id, secret
        self._transport: Transport | None = None
        self._coalescers: list[Coalescer[Any, Any]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def transport(self) -> "Transport":
        """Raises ClientClosed."""
        if self._transport is None:
            raise ClientClosed
        return self._transport

    def open(self) -> None:
        # aiohttp takes most of the time of importing the client: it is not loaded before it is used.
        from quintet.transport import Transport

        self._transport = Transport(*self._address, self.timeout)

    async def close(self) -> None:
        """See quintet.Client.close."""
        if self._transport is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.timeout):
                await self._settle()
        transport, self._transport = self._transport, None
        await transport.close()

    async def _settle(self) -> None:
        # A receiver that was just dropped releases in the loop's next turn.
        await asyncio.sleep(0)
        for receiver in list(self.receivers):
            await receiver.aclose()
        while self._tasks:
            await asyncio.wait(self._tasks)
        for coalescer in self._coalescers:
            await coalescer.idle()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that nobody waits for but `close`."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def coalescer(
        self, encode: Callable[[Sequence[Item]], bytes], path: str, decode: Callable[[bytes], Sequence[Result]]
    ) -> Coalescer[Item, Result]:
        """Gathers what is posted to `path`; `close` lets it end."""

        async def post(body: bytes) -> Sequence[Result]:
            return decode(await self.transport.attempt("POST", path, body))

        made = Coalescer(encode, post)
        self._coalescers.append(made)
        return made
