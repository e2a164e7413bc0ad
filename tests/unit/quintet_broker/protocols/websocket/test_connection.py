"""One connection, between a client that reads when it likes and a queue that gives what it is asked for."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import msgpack

from quintet_broker.errors import BrokerError, PoolFull
from quintet_broker.protocols.admission import ADMISSION, HELD_BYTES, Admission
from quintet_broker.protocols.keys import ACCESS, SETTINGS, TOPOLOGY
from quintet_broker.protocols.websocket import connection, order
from quintet_broker.protocols.websocket import serving as requests
from quintet_broker.protocols.websocket import socket as sockets
from quintet_broker.protocols.websocket.connection import Connection
from quintet_broker.services.messages import Message
from tests.unit.quintet_broker.protocols.websocket.wire import BINARY, CLOSE, Wire
from tests.unit.quintet_broker.protocols.websocket.wire import message as framed

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
        self.acknowledges = asyncio.Event()
        self.stores_whole = True
        self.sent: list[bytes] = []
        self.refusals: list[BrokerError] = []
        """Of the next sends."""
        self.sends = asyncio.Event()

    async def send(self, messages: list[Any], _: Any) -> list[Any]:
        await self.sends.wait()
        await asyncio.sleep(0)
        if self.refusals:
            raise self.refusals.pop(0)
        self.sent += [message.value for message in messages]
        return [SimpleNamespace(id="a")] * len(messages)

    async def receive(self, limit: int, **_: Any) -> list[Message]:
        await asyncio.sleep(0)
        found = [message(self.given + place) for place in range(min(limit, 4))]
        self.given += len(found)
        return found

    def give_back(self, receipts: list[str]) -> None:
        self.released += receipts

    async def acknowledge(self, receipts: list[str]) -> list[BrokerError | None]:
        await self.acknowledges.wait()
        return [None] * len(receipts)


class Client:
    """The other end."""

    def __init__(self, queue: Queue) -> None:
        async def find(name: str) -> Queue:
            return queue

        self.admission = Admission()
        app: Any = {
            TOPOLOGY: SimpleNamespace(queue=find),
            ACCESS: SimpleNamespace(check=lambda *_: None),
            ADMISSION: self.admission,
            SETTINGS: SimpleNamespace(pod_name="broker-0"),
        }
        self.wire = Wire()
        self.connection = Connection(app, self.wire.as_connection(), None)
        self.serving = asyncio.create_task(self.connection.serve())

    def say(self, *elements: Any) -> None:
        self.say_together(elements)

    def say_together(self, *frames: Any) -> None:
        """In one read."""
        self.wire.say(*(framed(msgpack.packb(elements)) for elements in frames))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0)

    def frames(self, tag: int) -> list[Any]:
        heard = [msgpack.unpackb(content) for opcode, content in self.wire.heard if opcode == BINARY]
        return [frame for frame in heard if frame[0] == tag]

    @property
    def closed(self) -> bytes | None:
        return next((content for opcode, content in self.wire.heard if opcode == CLOSE), None)


async def serving(steps: Callable[[Client, Queue], Awaitable[None]]) -> None:
    queue = Queue()
    client = Client(queue)
    await asyncio.sleep(0)
    client.say(HELLO, [1])
    await client.until(lambda: len(client.frames(WELCOME)) == 1)
    try:
        await steps(client, queue)
    finally:
        client.wire.go()
        async with asyncio.timeout(30):
            await client.serving


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def sends(*numbers: int) -> list[list[Any]]:
    """Of one producer, each behind the one before it."""
    return [[SEND, n, "a", 77, n, [[b"%d" % n]], n - 1 if n else None] for n in numbers]


async def test_sends_of_a_producer_are_stored_behind_each_other() -> None:
    async def steps(client: Client, queue: Queue) -> None:
        client.say_together(*sends(0, 1))
        client.say(SEND, 9, "a", 78, 5, [[b"another"]])
        await turns()
        queue.sends.set()
        await client.until(lambda: len(client.frames(CONFIRM)) == 3)
        client.say_together(*sends(2))
        await client.until(lambda: len(client.frames(CONFIRM)) == 4)
        assert [value for value in queue.sent if value != b"another"] == [b"0", b"1", b"2"]

    await serving(steps)


async def test_no_send_is_stored_behind_one_that_is_not() -> None:
    async def steps(client: Client, queue: Queue) -> None:
        queue.sends.set()
        queue.refusals.append(PoolFull())
        client.say_together(*sends(0, 1, 2))
        await client.until(lambda: len(client.frames(REFUSED)) == 3)
        late = ["OutOfOrder", 409]
        assert [frame[1:4] for frame in client.frames(REFUSED)] == [[0, "PoolFull", 429], [1, *late], [2, *late]]
        client.say_together(*sends(0, 1, 2))
        await client.until(lambda: len(client.frames(CONFIRM)) == 3)
        assert queue.sent == [b"0", b"1", b"2"]

    await serving(steps)


async def test_no_send_comes_behind_what_another_connection_stored(monkeypatch: Any) -> None:
    """Nor behind one that was stored too many producers ago: it is sent again without that."""
    monkeypatch.setattr(order, "MOST_PRODUCERS", 2)

    async def steps(client: Client, queue: Queue) -> None:
        queue.sends.set()
        client.say_together(*sends(1))
        await client.until(lambda: len(client.frames(REFUSED)) == 1)
        client.say_together(*sends(0))
        await client.until(lambda: len(client.frames(CONFIRM)) == 1)
        for number, name in enumerate("bc", 10):
            client.say(SEND, number, name, 77, 0, [[b"x"]])
        await client.until(lambda: len(client.frames(CONFIRM)) == 3)
        client.say_together(*sends(1))
        await client.until(lambda: len(client.frames(REFUSED)) == 2)
        client.say(SEND, 1, "a", 77, 1, [[b"1"]])
        await client.until(lambda: len(client.frames(CONFIRM)) == 4)

    await serving(steps)


async def test_sends_without_a_producer_are_stored_in_order_whatever_comes_among_them() -> None:
    """One of a producer, or of nothing, is served beside them."""

    async def steps(client: Client, queue: Queue) -> None:
        for number in range(2):
            client.say(SEND, number, "a", None, 0, [[b"%d" % number]])
            await turns()
        client.say_together(
            [SEND, 2, "a", None, 0, [[b"2"]]],
            [SEND, 3, "a", 77, 0, [[b"of a producer"]]],
            [SEND, 4, "a", None, 0, []],
            [SEND, 5, "a", None, 0, [[b"5"]]],
        )
        await turns()
        queue.sends.set()
        await client.until(lambda: len(client.frames(CONFIRM)) == 6)
        assert [value for value in queue.sent if value != b"of a producer"] == [b"0", b"1", b"2", b"5"]

    await serving(steps)


async def test_receive_that_is_cancelled_ends_alone() -> None:
    async def steps(client: Client, queue: Queue) -> None:
        client.wire.reads = False
        client.say_together([RECEIVE, 1, "a", 20], [RECEIVE, 2, "a", 20])
        await client.until(lambda: queue.given == 8)
        client.say(CANCEL, 1)
        await turns()
        assert queue.given == 8
        client.wire.read()
        await client.until(lambda: sum(len(frame[2]) for frame in client.frames(DELIVER)) == 24)
        assert [frame[1] for frame in client.frames(DELIVER) if not frame[3]] == [1]
        delivered = [found[1] for frame in client.frames(DELIVER) for found in frame[2]]
        assert len(set(delivered)) == 24
        assert not queue.released

    await serving(steps)


async def test_receive_that_is_cancelled_before_it_begins_tells_its_end() -> None:
    async def steps(client: Client, queue: Queue) -> None:
        client.say_together([RECEIVE, 1, "a", 20], [CANCEL, 1])
        await client.until(lambda: any(not frame[3] for frame in client.frames(DELIVER)))
        client.say(RECEIVE, 1, "a", 1, True)
        await client.until(lambda: len(client.frames(DELIVER)) >= 2)
        assert client.closed is None

    await serving(steps)


async def test_number_is_free_once_its_last_frame_is_read() -> None:
    async def steps(client: Client, queue: Queue) -> None:
        for count in 1, 2, 3:
            client.say(RECEIVE, 1, "a", 1, True)
            await client.until(lambda count=count: len(client.frames(DELIVER)) == count)  # type: ignore[misc]
        assert client.closed is None

    await serving(steps)


async def test_what_there_is_no_room_for_is_given_back() -> None:
    async def steps(client: Client, queue: Queue) -> None:
        client.wire.reads = False
        client.say_together(*([RECEIVE, number, "a", 20] for number in range(4)))
        await client.until(lambda: queue.given == 16)
        await turns()
        client.say(CANCEL, 3)
        await turns()
        client.wire.go()
        async with asyncio.timeout(30):
            await client.serving
        client.wire.read()
        told = {found[1] for frame in client.frames(DELIVER) for found in frame[2]}
        assert len(told) == 8
        assert len(queue.released) == 8
        assert {*queue.released, *told} == {f"r{number}" for number in range(16)}

    await serving(steps)


async def test_broker_that_stops_refuses_receives_and_takes_nothing_more() -> None:
    async def steps(client: Client, queue: Queue) -> None:
        client.wire.reads = False
        client.say(RECEIVE, 1, "a", 4)
        await client.until(lambda: queue.given == 4)
        client.say(ACKNOWLEDGE, 2, "a", ["r0"])
        await turns()
        leaving = asyncio.create_task(client.connection.leave())
        await asyncio.sleep(0)
        client.say(ACKNOWLEDGE, 3, "a", ["r0"])
        queue.acknowledges.set()
        await turns()
        client.wire.read()
        await client.until(lambda: client.closed is not None)
        client.wire.say(framed(b"\x03\xe9", CLOSE))
        client.wire.go()
        async with asyncio.timeout(30):
            await leaving
        assert [frame[1:4] for frame in client.frames(REFUSED)] == [[1, "Unavailable", 503]]
        assert [frame[1] for frame in client.frames(SETTLED)] == [2]
        assert client.closed == (1001).to_bytes(2) + b"The broker stops."

    await serving(steps)


async def test_broker_that_stops_does_not_wait_for_who_does_not_read(monkeypatch: Any) -> None:
    monkeypatch.setattr(connection, "LEAVES_WITHIN", 0.05)
    monkeypatch.setattr(sockets, "CLOSES_WITHIN", 0.05)

    async def steps(client: Client, queue: Queue) -> None:
        client.wire.reads = False
        client.say(RECEIVE, 1, "a", 100)
        await client.until(lambda: queue.given == 4)
        async with asyncio.timeout(30):
            await client.connection.leave()
        assert client.wire.aborted

    await serving(steps)


async def test_client_that_says_no_hello_is_told_goodbye(monkeypatch: Any) -> None:
    monkeypatch.setattr(connection, "HELLO_WITHIN", 0.01)
    client = Client(Queue())
    await client.until(lambda: client.closed is not None)
    client.wire.go()
    await client.serving


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


async def test_of_requests_that_come_together_as_many_are_served_as_there_is_room_for(monkeypatch: Any) -> None:
    monkeypatch.setattr(requests, "REQUESTS_MAX", 3)

    async def steps(client: Client, queue: Queue) -> None:
        client.say_together(*([ACKNOWLEDGE, number, "a", ["r0"]] for number in range(5)))
        await client.until(lambda: len(client.frames(REFUSED)) == 2)
        assert [frame[1:3] for frame in client.frames(REFUSED)] == [[3, "Overloaded"], [4, "Overloaded"]]
        queue.acknowledges.set()
        await client.until(lambda: len(client.frames(SETTLED)) == 3)
        client.say_together(*([ACKNOWLEDGE, number, "a", ["r0"]] for number in range(3)))
        await client.until(lambda: len(client.frames(SETTLED)) == 6)
        assert len(client.frames(REFUSED)) == 2

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


async def test_frames_of_one_read_are_served_up_to_one_that_is_none() -> None:
    async def steps(client: Client, queue: Queue) -> None:
        client.say_together(
            [ACKNOWLEDGE, 1, "a", ["r0"]],
            [ACKNOWLEDGE, 2, "a", []],
            [ACKNOWLEDGE, 3, "a", ["r0"]],
            [ACKNOWLEDGE, 4, "b", ["r0"]],
            "no frame",
            [ACKNOWLEDGE, 5, "a", []],
        )
        assert [frame[1] for frame in client.frames(REFUSED)] == [2]
        assert client.closed
        assert client.connection._serving._under_way == 3

    await serving(steps)
