"""What is no HTTP, or HTTP without end: refused or closed, and others are served."""

import asyncio
import zlib

import pytest

from tests.integration.hostile.others import MIB, Others
from tests.integration.hostile.sockets import WITHIN, Socket, connected, many, post, request
from tests.processes import Broker

SEND = "/v1/queues/hostile/messages"
BAD_HEADS = {
    "bytes": bytes(range(256)) * 4,
    "nothing but ends of lines": b"\r\n" * 10_000 + b"x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "no path": b"GET HTTP/1.1\r\nHost: x\r\n\r\n",
    "no version": b"GET /\r\nHost: x\r\n\r\n",
    "a version to come": b"GET / HTTP/3.0\r\nHost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "an unknown method": b"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long method": b"A" * 100_000 + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long path": request("GET", "/" + "a" * 100_000),
    "a long header": request("GET", "/", [("Host", "x"), ("X", "a" * 100_000)]),
    "many headers": request("GET", "/", [("Host", "x"), *((f"X-{number}", "a") for number in range(5000))]),
    "a header without a name": b"GET / HTTP/1.1\r\nHost: x\r\n: x\r\n\r\n",
    "a header on two lines": b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
    "a zero byte": b"GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nhello",
    "two hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
}
SMUGGLED = {
    "a length and chunks": [("Content-Length", "4"), ("Transfer-Encoding", "chunked")],
    "chunks and a length": [("Transfer-Encoding", "chunked"), ("Content-Length", "4")],
    "two lengths": [("Content-Length", "4"), ("Content-Length", "40")],
    "a list of lengths": [("Content-Length", "4, 40")],
    "a negative length": [("Content-Length", "-4")],
    "a signed length": [("Content-Length", "+4")],
    "a length in hexadecimal": [("Content-Length", "0x4")],
    "a giant length": [("Content-Length", "9" * 40)],
    "chunks and more": [("Transfer-Encoding", "chunked, identity")],
    "chunks twice": [("Transfer-Encoding", "chunked, chunked")],
    "almost chunks": [("Transfer-Encoding", "xchunked")],
}
BAD_CHUNKS = {
    "no size": b"\r\n\r\n",
    "no hexadecimal": b"zz\r\nhello\r\n0\r\n\r\n",
    "a negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "a giant size": b"f" * 40 + b"\r\nhello\r\n",
    "more than told": b"5\r\nhello!!\r\n0\r\n\r\n",
    "an extension without end": b"5;" + b"a" * 100_000,
}


@pytest.mark.parametrize("head", BAD_HEADS.values(), ids=BAD_HEADS)
async def test_head_that_is_none(victim: Broker, head: bytes) -> None:
    async with connected(victim) as socket:
        await write_all(socket, head)
        assert await socket.status() in (0, 400, 404, 405, 505)


@pytest.mark.parametrize("headers", SMUGGLED.values(), ids=SMUGGLED)
async def test_request_that_could_be_read_in_two_ways(victim: Broker, headers: list[tuple[str, str]]) -> None:
    """Its connection ends: what follows is not served as another request."""
    async with connected(victim) as socket:
        body = b"0\r\n\r\n" + request("GET", "/v1/queues")
        await write_all(socket, request("POST", SEND, [("Host", "x"), *headers], body))
        answer = await socket.closed()
        assert not answer or answer.split()[1] == b"400"
        assert answer.count(b"HTTP/1.") <= 1


@pytest.mark.parametrize("chunks", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
async def test_chunks_that_are_none(victim: Broker, chunks: bytes) -> None:
    async with connected(victim) as socket:
        await write_all(socket, request("POST", SEND, [("Host", "x"), ("Transfer-Encoding", "chunked")], chunks))
        await write_all(socket, request("GET", "/v1/queues"))
        assert await socket.status() in (0, 400)


@pytest.mark.parametrize("chunks", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
async def test_chunks_that_are_none_behind_good_ones(victim: Broker, chunks: bytes) -> None:
    """The broker waits for the rest of the body, and hears that there is none."""
    headers = [("Host", "x"), ("Transfer-Encoding", "chunked"), ("Expect", "100-continue")]
    async with connected(victim) as socket:
        await write_all(socket, request("POST", SEND, headers))
        assert await socket.status() == 100
        await write_all(socket, b"5\r\nhello\r\n" + chunks)
        await write_all(socket, request("GET", "/v1/queues"))
        assert await asyncio.wait_for(socket.status(), 30) in (0, 400)


async def test_body_that_is_too_large_is_not_read(victim: Broker, others: Others) -> None:
    async with connected(victim) as socket:
        await socket.write(request("POST", SEND, [("Host", "x"), ("Content-Length", str(1 << 40))]))
        assert await socket.status() == 413
    # Nor where its size is not told.
    async with connected(victim) as socket:
        await socket.write(request("POST", SEND, [("Host", "x"), ("Transfer-Encoding", "chunked")]))
        await write_all(socket, (b"100000\r\n" + bytes(MIB) + b"\r\n") * 40)
        assert await socket.status() in (0, 413)
    await others.served()


async def test_packed_body_is_bounded_by_what_it_unpacks_to(victim: Broker, others: Others) -> None:
    packed = zlib.compress(bytes(40 * MIB))
    for content in packed, packed[:-100]:
        async with connected(victim) as socket:
            await write_all(socket, post(SEND, content, Content_Encoding="deflate"))
            assert await socket.status() in (0, 413)
    await others.served()


async def test_packed_bodies_that_do_not_end(victim: Broker, others: Others) -> None:
    """Each unpacks to 8 MiB, and goes on for ever: together they have the room of unfinished bodies."""
    others.most = 160 * MIB
    packer = zlib.compressobj()
    content = packer.compress(bytes(8 * MIB)) + packer.flush(zlib.Z_SYNC_FLUSH)
    headers = [("Host", "x"), ("Content-Encoding", "deflate"), ("Content-Length", str(MIB))]
    async with many(14, victim) as sockets:
        for socket in sockets:
            await write_all(socket, request("POST", SEND, headers, content))
        await some_refused(sockets)
        await others.served()


async def test_bodies_that_do_not_end(victim: Broker, others: Others) -> None:
    """Those of which most has come are refused, so that others are served, whose bodies come whole."""
    others.most = 160 * MIB
    async with many(20, victim) as sockets:
        refused = asyncio.create_task(some_refused(sockets))
        for socket in sockets:
            await socket.write(request("POST", SEND, [("Host", "x"), ("Content-Length", str(15 * MIB))]))
        for _ in range(14):
            await asyncio.gather(*(write_all(socket, bytes(MIB)) for socket in sockets))
            await others.served(1)
        await refused
        await others.served()


async def test_heads_that_do_not_end(victim: Broker, others: Others) -> None:
    """A byte now and then, from many."""
    async with many(300, victim) as sockets:
        for socket in sockets:
            await socket.write(b"POST /v1/queues HTTP/1.1\r\nHost: x\r\n")
        for _ in range(5):
            for socket in sockets:
                await socket.write(b"X-A: b\r\n")
            await others.served(1)
        # Half of them say that they say no more.
        for socket in sockets[::2]:
            socket.writer.write_eof()
        await others.served()


async def test_half_closed_connection_is_answered_or_closed(victim: Broker) -> None:
    for content in b"", b"GET", request("GET", "/v1/queues"), request("POST", SEND, [("Host", "x")])[:-2]:
        async with connected(victim) as socket:
            await socket.write(content)
            socket.writer.write_eof()
            answer = await socket.closed()
            assert not answer or answer.startswith(b"HTTP/1.1 ")


async def test_requests_ahead_of_their_answers(victim: Broker, others: Others) -> None:
    """Ten thousand at once, of which no answer is read."""
    async with many(10, victim) as sockets:
        ahead = request("GET", "/v1/openapi.json") * 10_000
        writing = [asyncio.create_task(write_all(socket, ahead)) for socket in sockets]
        await others.served(20)
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)


async def write_all(socket: Socket, content: bytes) -> None:
    """As far as it is taken."""
    try:
        await socket.write(content)
    except ConnectionError:
        return


async def some_refused(sockets: list[Socket]) -> None:
    """Until one of them at least is told that there is too much."""
    answers = [asyncio.create_task(socket.status()) for socket in sockets]
    done, left = await asyncio.wait(answers, timeout=WITHIN, return_when=asyncio.FIRST_COMPLETED)
    for answer in left:
        answer.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    assert 503 in [answer.result() for answer in done]
