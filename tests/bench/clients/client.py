"""What a benchmark asks of every client, whatever it speaks."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypeVar


class Client(Protocol):
    """One end of one queue."""

    async def send(self, count: int) -> None:
        """Send so many messages; comes back once they are confirmed."""

    async def settle(self) -> int:
        """Receive some messages, one at least, and acknowledge them; how many."""

    async def finish(self) -> None:
        """Comes back once the server has done whatever it was told."""


class Connection(asyncio.Protocol):
    """A connection of a raw protocol client: what comes is taken apart at once, and who waits for it is woken."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.inbox: list[Any] = []
        """What was delivered and not yet settled, as the protocol names it."""
        self.error: Exception | None = None
        self._came = asyncio.Event()
        self._asked = self._answered = 0
        self._unanswered: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._rest = b""

    def publish(self, count: int) -> None:
        """Write so many messages."""
        raise NotImplementedError

    def acknowledge(self, tokens: list[Any]) -> None:
        """Write acknowledgements of these out of `inbox`."""
        raise NotImplementedError

    def take(self, data: bytes) -> int:
        """Handle the whole frames in it; how many bytes those are."""
        raise NotImplementedError

    async def send(self, count: int) -> None:
        self.publish(count)
        await self.answers(count)

    async def settle(self) -> int:
        await self.until(lambda: bool(self.inbox))
        tokens, self.inbox = self.inbox, []
        self.acknowledge(tokens)
        return len(tokens)

    async def finish(self) -> None:
        pass

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds; it is looked at after each piece of data. Raises what ended the connection."""
        while not condition():
            if self.error:
                raise self.error
            self._came.clear()
            await self._came.wait()

    async def answers(self, count: int) -> None:
        """Wait for so many more, behind those that others wait for. Raises what ended the connection."""
        if self.error:
            raise self.error
        self._asked += count
        answered = asyncio.get_running_loop().create_future()
        self._unanswered.append((self._asked, answered))
        await answered

    def answer(self, count: int = 1) -> None:
        """So many came: a confirm each of what was published."""
        self._answered += count
        while self._unanswered and self._unanswered[0][0] <= self._answered:
            _, answered = self._unanswered.popleft()
            if not answered.done():
                answered.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        try:
            self._rest = data[self.take(data) :]
        except Exception as error:
            self.fail(error)
        self._came.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.fail(error or ConnectionError("The server closed the connection."))

    def fail(self, error: Exception) -> None:
        self.error = self.error or error
        self.transport.close()
        self._came.set()
        for _, answered in self._unanswered:
            if not answered.done():
                answered.set_exception(self.error)
        self._unanswered.clear()


AnyConnection = TypeVar("AnyConnection", bound=Connection)


async def connect(port: int, make: Callable[[], AnyConnection]) -> AnyConnection:
    """To a port of loopback."""
    _, connection = await asyncio.get_running_loop().create_connection(make, "127.0.0.1", port)
    return connection


class Pair:
    """A client that sends over one connection and receives over another."""

    def __init__(self, producer: Connection, consumer: Connection) -> None:
        self.send = producer.send
        self.settle = consumer.settle
        self.finish = consumer.finish
        self._both = (producer, consumer)

    def close(self) -> None:
        for connection in self._both:
            connection.transport.abort()
