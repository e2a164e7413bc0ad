"""One connection, between a client that reads when it likes and a queue that gives what it is asked for."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import msgpack
from aiohttp import WSMsgType

from quintet_broker.errors import BrokerError
from quintet_broker.protocols.admission import ADMISSION, HELD_BYTES, Admission
from quintet_broker.protocols.keys import ACCESS, SETTINGS, TOPOLOGY
from quintet_broker.protocols.websocket import connection
from quintet_broker.protocols.websocket import serving as requests
from quintet_broker.protocols.websocket.connection import Connection
from quintet_broker.protocols.websocket.outbox import AT_ONCE
from quintet_broker.services.messages import Message

HELLO, SEND, RECEIVE, CREDIT, CANCEL, ACKNOWLEDGE = range(6)
WELCOME, CONFIRM, SETTLED, DELIVER, REFUSED = range(16, 21)
LARGE = bytes(1_000_000)


def message(number: int) -> Message:
    return Message(
        id=str(number),
        receipt=f"r{number}",
        value=LARGE,
        key=None,
        headers=(),
        sent_at=1,
        first_received_at=1,
        deliveries=1,
        priority=None,
        expires_at=None,
        sequence=None,
        deduplication_id=None,
        dead_letter=None,
        system=(),
    )


class Queue:
    """Large messages, without end."""

    def __init__(self) -> None:
        self.spread = SimpleNamespace(owner=None)
        self.given = 0
        self.released: list[str] = []
        self.releases = asyncio.Event()
        self.releases.set()
        self.acknowledges = asyncio.Event()

    async def receive(self, limit: int, **_: Any) -> list[Message]:
        await asyncio.sleep(0)
        found = [message(self.given + place) for place in range(min(limit, 4))]
        self.given += len(found)
        return found

    async def release(self, receipts: list[str], *, delivered: bool) -> list[BrokerError | None]:
        assert not delivered
        await self.releases.wait()
        self.released += receipts
        return [None] * len(receipts)

    async def acknowledge(self, receipts: list[str]) -> list[BrokerError | None]:
        await self.acknowledges.wait()
        return [None] * len(receipts)


class Client:
    """The other end, and the socket in between, which the broker waits for until `reads` is set."""

    def __init__(self, queue: Queue) -> None:
        async def find(name: str) -> Queue:
            return queue

        self.admission = Admission()
        app = {
            TOPOLOGY: SimpleNamespace(queue=find),
            ACCESS: SimpleNamespace(check=lambda *_: None),
            ADMISSION: self.admission,
            SETTINGS: SimpleNamespace(pod_name="broker-0"),
        }
        self.transport = SimpleNamespace(aborted=False, abort=self._abort, get_write_buffer_size=lambda: AT_ONCE)
        self.reads = asyncio.Event()
        self.reads.set()
        self.closed: tuple[int, bytes] | None = None
        self.heard: list[Any] = []
        self._said: asyncio.Queue[Any] = asyncio.Queue()
        self.on_frame: Callable[[Any], None] = lambda _: None
        request: Any = SimpleNamespace(app=app, transport=self.transport, protocol=None)
        socket: Any = self
        self.connection = Connection(request, socket, None)
        self.serving = asyncio.create_task(self.connection.serve())
        self.say(HELLO, [1])

    def say(self, *elements: Any) -> None:
        self._said.put_nowait(SimpleNamespace(type=WSMsgType.BINARY, data=msgpack.packb(elements)))

    def go(self) -> None:
        self._said.put_nowait(SimpleNamespace(type=WSMsgType.CLOSED, data=None))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0)

    def frames(self, tag: int) -> list[Any]:
        return [frame for frame in self.heard if frame[0] == tag]

    # The socket, as the broker has it

    async def receive(self) -> Any:
        return await self._said.get()

    async def send_bytes(self, body: bytes) -> None:
        frame = msgpack.unpackb(body)
        self.heard.append(frame)
        self.on_frame(frame)
        await self.reads.wait()

    async def close(self, *, code: int, message: bytes, drain: bool) -> None:
        await self.reads.wait()
        self.closed = code, message
        self.go()

    def _abort(self) -> None:
        self.transport.aborted = True
        self.go()


async def serving(steps: Callable[[Client, Queue], Awaitable[None]]) -> None:
    queue = Queue()
    client = Client(queue)
    await client.until(lambda: len(client.heard) == 1)
    try:
        await steps(client, queue)
    finally:
        client.reads.set()
        client.go()
        async with asyncio.timeout(30):
            await client.serving


async def test_receive_that_is_cancelled_ends_alone() -> None:
    async def steps(client: Client, queue: Queue) -> None:
        client.reads.clear()
        client.say(RECEIVE, 1, "a", 20)
        client.say(RECEIVE, 2, "a", 20)
        await client.until(lambda: queue.given == 8)
        client.say(CANCEL, 1)
        await client.until(lambda: bool(queue.released))
        client.reads.set()
        await client.until(lambda: len(client.frames(DELIVER)) >= 12)
        ended = [frame[1] for frame in client.frames(DELIVER) if not frame[3]]
        assert ended == [1]
        delivered = [found[1] for frame in client.frames(DELIVER) for found in frame[2]]
        assert len(set(delivered)) == len(delivered)
        assert not set(delivered) & set(queue.released)

    await serving(steps)


async def test_number_is_free_once_its_last_frame_is_read() -> None:
    async def steps(client: Client, queue: Queue) -> None:
        def again(frame: Any) -> None:
            if frame[0] == DELIVER and len(client.frames(DELIVER)) < 3:
                client.say(RECEIVE, 1, "a", 1, True)
            client.reads.clear()

        client.on_frame = again
        client.say(RECEIVE, 1, "a", 1, True)
        for count in 1, 2, 3:
            await client.until(lambda count=count: len(client.frames(DELIVER)) == count)  # type: ignore[misc]
            for _ in range(20):
                await asyncio.sleep(0)
            client.reads.set()
        assert client.closed is None

    await serving(steps)


async def test_what_is_given_back_is_so_even_if_the_client_goes_meanwhile() -> None:
    async def steps(client: Client, queue: Queue) -> None:
        client.reads.clear()
        queue.releases.clear()
        client.say(RECEIVE, 1, "a", 20)
        await client.until(lambda: queue.given == 4)
        for _ in range(20):
            await asyncio.sleep(0)
        client.say(CANCEL, 1)
        for _ in range(20):
            await asyncio.sleep(0)
        client.go()
        async with asyncio.timeout(30):
            await client.serving
        queue.releases.set()
        told = {found[1] for frame in client.frames(DELIVER) for found in frame[2]}
        await client.until(lambda: {*queue.released, *told} >= {f"r{number}" for number in (2, 3)})

    await serving(steps)


async def test_broker_that_stops_refuses_receives_and_takes_nothing_more() -> None:
    async def steps(client: Client, queue: Queue) -> None:
        client.reads.clear()
        client.say(RECEIVE, 1, "a", 4)
        await client.until(lambda: queue.given == 4)
        client.say(ACKNOWLEDGE, 2, "a", ["r0"])
        for _ in range(20):
            await asyncio.sleep(0)
        leaving = asyncio.create_task(client.connection.leave())
        await asyncio.sleep(0)
        client.say(ACKNOWLEDGE, 3, "a", ["r0"])
        client.reads.set()
        queue.acknowledges.set()
        async with asyncio.timeout(30):
            await leaving
        assert [frame[1:4] for frame in client.frames(REFUSED)] == [[1, "Unavailable", 503]]
        assert [frame[1] for frame in client.frames(SETTLED)] == [2]
        assert client.closed == (1001, b"The broker stops.")

    await serving(steps)


async def test_broker_that_stops_does_not_wait_for_who_does_not_read(monkeypatch: Any) -> None:
    monkeypatch.setattr(connection, "LEAVES_WITHIN", 0.05)
    monkeypatch.setattr(connection, "CLOSES_WITHIN", 0.05)

    async def steps(client: Client, queue: Queue) -> None:
        client.reads.clear()
        client.say(RECEIVE, 1, "a", 100)
        await client.until(lambda: queue.given == 4)
        async with asyncio.timeout(30):
            await client.connection.leave()
        assert client.transport.aborted

    await serving(steps)


async def test_requests_beyond_the_bound_are_refused(monkeypatch: Any) -> None:
    """And what comes behind them is read."""
    monkeypatch.setattr(requests, "REQUESTS_MAX", 3)

    async def steps(client: Client, queue: Queue) -> None:
        for number in range(5):
            client.say(ACKNOWLEDGE, number, "a", ["r0"])
        await client.until(lambda: len(client.frames(REFUSED)) == 2)
        assert [frame[1:3] for frame in client.frames(REFUSED)] == [[3, "Overloaded"], [4, "Overloaded"]]
        queue.acknowledges.set()
        await client.until(lambda: len(client.frames(SETTLED)) == 3)

    await serving(steps)


async def test_requests_that_wait_for_others_take_their_room() -> None:
    """It is free again once they were served."""

    async def steps(client: Client, queue: Queue) -> None:
        client.admission.take(HELD_BYTES - 1000)
        for number in range(10):
            client.say(ACKNOWLEDGE, number, "a", ["r" * 200])
        await client.until(lambda: len(client.frames(REFUSED)) == 6)
        assert {frame[2] for frame in client.frames(REFUSED)} == {"Overloaded"}
        queue.acknowledges.set()
        await client.until(lambda: len(client.frames(SETTLED)) == 4)
        client.admission.take(1000)

    await serving(steps)


async def test_requests_of_a_client_that_goes_leave_their_room() -> None:
    clients = []

    async def steps(client: Client, queue: Queue) -> None:
        clients.append(client)
        for number in range(10):
            client.say(ACKNOWLEDGE, number, "a", ["r0"])
            client.say(ACKNOWLEDGE, number, f"b{number}", ["r0"])

    await serving(steps)
    await clients[0].until(lambda: not clients[0].connection._tasks())
    clients[0].admission.take(HELD_BYTES)
