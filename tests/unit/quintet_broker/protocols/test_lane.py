"""A connection of a client: on the lane as long as it may, then aiohttp's, and nothing is lost between the two."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from quintet_broker.errors import Overloaded
from quintet_broker.protocols import lane
from quintet_broker.protocols.connections import IDLE, Connections
from quintet_broker.protocols.lane import LONGEST, Lane, LaneConnection
from quintet_broker.protocols.whole import Answer, Request

WITHIN = 20.0
"""Seconds for what comes at once."""


def post(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"POST / HTTP/1.1", b"Host: a", *headers, b"Content-Length: %d" % len(body), b"", body])


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Client:
    """Says anything, and hears whole answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.say = writer.write

    async def hear(self) -> tuple[int, bytes, bytes]:
        """Status, head and body of the next answer."""
        async with asyncio.timeout(WITHIN):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            return int(head.split()[1]), head, await self.reader.readexactly(int(length))

    async def body(self) -> bytes:
        return (await self.hear())[2]

    async def ends(self) -> bool:
        async with asyncio.timeout(WITHIN):
            return await self.reader.read() == b""


class Port:
    """Answers with what it got, in capitals over aiohttp; a body `wait` waits until it is `released`."""

    def __init__(self) -> None:
        self.connections = Connections(10)
        self.lane = Lane(self._serve)
        self.server = web.Server(self._handle, handler_cancellation=True)
        self.served: list[bytes] = []
        self.waits = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.released = asyncio.Event()
        self.number = 0

    async def _serve(self, request: Request) -> Answer:
        self.served.append(request.body)
        if request.body == b"fail":
            raise RuntimeError("planted")
        if request.body == b"wait":
            self.waits.set()
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        return Answer(request.body, {"X-Lane": "yes"})

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        return web.Response(body=(await request.read()).upper())

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.number, limit=2**25)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    port = Port()
    make = asyncio.get_running_loop().create_server
    listening = await make(lambda: LaneConnection(port.connections, port.lane, port.server), "127.0.0.1", 0)
    port.number = listening.sockets[0].getsockname()[1]
    yield port
    listening.close()
    await port.server.shutdown(1)


@pytest.fixture
async def client(port: Port) -> AsyncIterator[Client]:
    async with port.client() as client:
        yield client


async def test_whole_requests_stay_on_the_lane(client: Client) -> None:
    for body in b"one", b"two", b"":
        client.say(post(body))
        status, head, answered = await client.hear()
        assert (status, answered) == (200, body)
        assert b"X-Lane: yes" in head
        assert b"Date: " in head
        assert b"Connection" not in head


async def test_what_is_not_plain_is_aiohttps_and_so_is_all_that_follows(client: Client, port: Port) -> None:
    client.say(post(b"one"))
    assert await client.body() == b"one"
    client.say(GET)
    assert (await client.hear())[0] == 200
    client.say(post(b"two"))
    assert await client.body() == b"TWO"
    assert port.served == [b"one"]


async def test_pipelined_requests_are_answered_in_order_once_each(client: Client, port: Port) -> None:
    client.say(post(b"one") + post(b"two"))
    assert [await client.body() for _ in range(2)] == [b"ONE", b"TWO"]
    async with port.client() as other:
        other.say(post(b"wait"))
        await asyncio.wait_for(port.waits.wait(), WITHIN)
        other.say(post(b"four"))
        other.say(GET)
        port.released.set()
        assert [(await other.body()).lower() for _ in range(3)] == [b"wait", b"four", b""]
    assert port.served.count(b"wait") == 1


async def test_what_comes_before_it_can_be_served_is_counted(client: Client, port: Port) -> None:
    client.say(post(b"wait"))
    await asyncio.wait_for(port.waits.wait(), WITHIN)
    client.say(post(b"x" * 1000))
    await unfinished(port, len(post(b"x" * 1000)))
    port.released.set()
    assert [await client.body() for _ in range(2)] == [b"wait", b"x" * 1000]
    assert port.connections._unfinished == 0


async def test_who_is_refused_gets_no_answer_behind_it(client: Client, port: Port) -> None:
    client.say(post(b"wait"))
    await asyncio.wait_for(port.waits.wait(), WITHIN)
    (connection,) = port.server.connections
    assert isinstance(connection, LaneConnection)
    port.released.set()
    connection.refuse(Overloaded())
    assert (await client.hear())[0] == 503
    assert await client.ends()


async def test_a_request_may_come_in_pieces(client: Client, port: Port) -> None:
    body = b"x" * 3000
    whole = post(body)
    head = len(whole) - len(body)
    for at in head, head + 1, len(whole) - 1:
        client.say(whole[:at])
        await unfinished(port, at)
        client.say(whole[at:])
        assert await client.body() == body
        assert port.connections._unfinished == 0
    # What comes behind it in the same piece is not for the lane.
    client.say(whole[:head])
    await unfinished(port, head)
    client.say(whole[head:] + post(b"y"))
    assert [await client.body() for _ in range(2)] == [body.upper(), b"Y"]
    assert port.connections._unfinished == 0


async def unfinished(port: Port, size: int) -> None:
    """So many bytes have come that are not whole."""
    async with asyncio.timeout(WITHIN):
        while port.connections._unfinished != size:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)


async def left(port: Port) -> None:
    """The connection is aiohttp's."""
    async with asyncio.timeout(WITHIN):
        while not any(getattr(one, "_is_aiohttps", False) for one in port.server.connections):  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_pieces_of_a_head_and_of_what_is_large_are_aiohttps(client: Client, port: Port) -> None:
    client.say(post(b"one")[:20])
    await asyncio.sleep(0)
    client.say(post(b"one")[20:])
    assert (await client.body()).lower() == b"one"
    async with port.client() as other:
        body = b"x" * (2 * LONGEST)
        other.say(post(body))
        assert (await other.body()).upper() == body.upper()
    assert port.connections._unfinished == 0


async def test_pieces_that_do_not_come_are_left_to_aiohttp(
    client: Client, port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "COMES_WITHIN", 0.01)
    whole = post(b"slow")
    client.say(whole[:-1])
    await left(port)
    client.say(whole[-1:])
    assert await client.body() == b"SLOW"


async def test_pieces_of_a_client_that_is_gone_take_no_room(port: Port) -> None:
    async with port.client() as client:
        client.say(post(b"x" * 100)[:-1])
        await unfinished(port, len(post(b"x" * 100)) - 1)
    await unfinished(port, 0)


async def test_a_client_that_is_gone_waits_for_nothing(port: Port) -> None:
    async with port.client() as client:
        client.say(post(b"wait"))
        await asyncio.wait_for(port.waits.wait(), WITHIN)
    await asyncio.wait_for(port.cancelled.wait(), WITHIN)


async def test_what_fails_is_an_answer_too(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.say(post(b"fail"))
    assert (await client.hear())[0] == 500
    assert "planted" in caplog.text
    client.say(post(b"more"))
    assert await client.body() == b"more"


async def test_who_does_not_read_is_served_no_more(client: Client, port: Port) -> None:
    body = b"x" * 200_000
    client.reader._transport.pause_reading()  # type: ignore[attr-defined]
    count = 0
    for count in range(1, 1000):
        client.say(post(body))
        with suppress(TimeoutError):
            await asyncio.wait_for(_served(port, count), 1)
        if len(port.served) < count:
            break
    before = len(port.served)
    assert before < count
    client.reader._transport.resume_reading()  # type: ignore[attr-defined]
    for _ in range(count):
        assert (await client.body()).lower() == body


async def _served(port: Port, count: int) -> None:
    while len(port.served) < count:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.001)


async def test_the_end_waits_for_answers_and_not_for_idle_connections(client: Client, port: Port) -> None:
    async with port.client() as idle:
        idle.say(post(b"one"))
        assert await idle.body() == b"one"
        client.say(post(b"wait"))
        await asyncio.wait_for(port.waits.wait(), WITHIN)
        port.server.pre_shutdown()
        ending = asyncio.create_task(port.server.shutdown(WITHIN))
        assert await idle.ends()
        assert not ending.done()
        port.released.set()
        status, head, body = await client.hear()
        assert (status, body) == (200, b"wait")
        assert b"Connection: close" in head
        assert await client.ends()
        await ending


async def test_the_end_does_not_wait_for_who_came_last_and_asks_nothing(port: Port) -> None:
    port.server.pre_shutdown()
    async with port.client() as late:
        while not port.server.connections:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)
        await asyncio.wait_for(port.server.shutdown(3600), WITHIN)
        assert await late.ends()


async def test_the_end_does_not_wait_for_ever(client: Client, port: Port) -> None:
    client.say(post(b"wait"))
    await asyncio.wait_for(port.waits.wait(), WITHIN)
    await port.server.shutdown(0.01)
    assert await client.ends()
    await asyncio.wait_for(port.cancelled.wait(), WITHIN)


async def test_an_idle_connection_is_closed_and_one_that_is_served_is_not(client: Client, port: Port) -> None:
    client.say(post(b"wait"))
    await asyncio.wait_for(port.waits.wait(), WITHIN)
    (connection,) = port.server.connections
    assert isinstance(connection, LaneConnection)
    connection._quiet_since = -IDLE
    connection._look()
    port.released.set()
    assert await client.body() == b"wait"
    connection._look()
    client.say(post(b"more"))
    assert await client.body() == b"more"
    connection._quiet_since = -IDLE
    connection._look()
    assert await client.ends()
