"""What is no WebSocket, no frame, or no end: the connection ends or waits, and others are served."""

import asyncio
import contextlib
import random
from typing import Any

import msgpack
import pytest

import quintet
from tests.integration.hostile.others import MIB, Others
from tests.integration.hostile.sockets import (
    BINARY,
    CLOSE,
    HELLO,
    PING,
    Socket,
    connected,
    frame,
    handshake,
    head,
    many,
    welcomed,
)
from tests.processes import Broker

SEND, RECEIVE, CREDIT, CANCEL, ACKNOWLEDGE, RELEASE, EXTEND = range(1, 8)
DELIVER, REFUSED = 19, 20
TRY_AGAIN_LATER = 1013
LONGEST = 16 * MIB
BAD_HANDSHAKES = {
    "no upgrade": handshake(Upgrade="h2c"),
    "no connection": handshake(Connection="close"),
    "no key": handshake(Sec_WebSocket_Key=""),
    "a short key": handshake(Sec_WebSocket_Key="YQ=="),
    "a key that is none": handshake(Sec_WebSocket_Key="?" * 24),
    "another version": handshake(Sec_WebSocket_Version="99"),
    "a page": handshake(Origin="http://evil.example"),
}
BAD_FRAMES = {
    "unmasked, of a reserved kind": b"\x83\x00",
    "reserved bits": b"\xf2\x80" + bytes(4),
    "a continuation of nothing": frame(b"a", 0),
    "a new one amid another": frame(b"a", BINARY, 0) + frame(b"a", BINARY),
    "a long ping": frame(bytes(126), PING),
    "a ping in parts": frame(b"", PING, 0),
    "a close with a bad code": frame(b"\x00\x01", CLOSE),
    "a close with a bad reason": frame(b"\x03\xe8\xff\xfe", CLOSE),
    "a negative length": b"\x82\xff" + b"\xff" * 8 + bytes(4),
    "text": frame(b"[0]", 1),
}
LYING = {
    "an array": b"\xdd\xff\xff\xff\xff",
    "a map": b"\xdf\xff\xff\xff\xff",
    "bytes": b"\xc6\xff\xff\xff\xff",
    "text": b"\xdb\xff\xff\xff\xff",
    "an extension": b"\xc9\xff\xff\xff\xff\x01",
    "arrays in arrays": b"\x91" * 200_000,
    "arrays that begin": b"\xdc\xff\xff" * 100_000,
    "a send with so many records": msgpack.packb([SEND, 1, "q", None, 0])[:1].replace(b"\x95", b"\x96")
    + msgpack.packb([SEND, 1, "q", None, 0])[1:]
    + b"\xdd\xff\xff\xff\xff",
}


@pytest.mark.parametrize("content", BAD_HANDSHAKES.values(), ids=BAD_HANDSHAKES)
async def test_handshake_that_is_none(victim: Broker, content: bytes) -> None:
    async with connected(victim) as socket:
        await socket.write(content + frame(msgpack.packb(HELLO)) * 100)
        assert await socket.status() in (400, 403)


@pytest.mark.parametrize("content", BAD_FRAMES.values(), ids=BAD_FRAMES)
async def test_what_is_no_frame(victim: Broker, content: bytes) -> None:
    async with welcomed(victim) as socket:
        await socket.write(content)
        await ends(socket)


@pytest.mark.parametrize("content", LYING.values(), ids=LYING)
async def test_lengths_that_lie(victim: Broker, others: Others, content: bytes) -> None:
    """Nothing is made room for that has not come."""
    for body in content, msgpack.packb([SEND]) + content, b"\x92\x01" + content:
        async with welcomed(victim) as socket:
            await socket.write(frame(body))
            await ends(socket)
    others.check_memory()


async def test_mutants_of_frames(victim: Broker, others: Others) -> None:
    """Ten thousand frames that are almost right: each is served, refused or ends its connection."""
    choice = random.Random(6)
    mutants = iter([mutant(choice) for _ in range(10_000)])
    ended = 0
    while True:
        async with welcomed(victim) as socket:
            reading = asyncio.create_task(socket.closed())
            with contextlib.suppress(ConnectionError):
                for body in mutants:
                    await socket.write(frame(body))
                    if reading.done():
                        break
                else:
                    reading.cancel()
                    break
            await reading
            ended += 1
    print(f"{ended} connections")
    await others.served()


def mutant(choice: random.Random) -> bytes:
    """A frame with some other bytes, or other elements."""
    if choice.random() < 0.5:
        elements = valid(choice)
        for _ in range(choice.randint(1, 2)):
            elements[choice.randrange(len(elements))] = anything(choice)
        return bytes(msgpack.packb(elements[: choice.randint(1, len(elements))]))
    body = bytearray(msgpack.packb(valid(choice)))
    for _ in range(choice.randint(1, 4)):
        place = choice.randrange(len(body))
        body[place : place + choice.choice((0, 1, 1, 2))] = choice.randbytes(choice.choice((0, 1, 1, 2)))
        if not body:
            break
    return bytes(body)


def valid(choice: random.Random) -> list[Any]:
    number, queue = choice.randrange(1 << 20), "others-none"
    return choice.choice(
        [
            [SEND, number, queue, None, 0, [[b"value", b"key", [["a", b"b"]], 5, 3, 60_000, "id"]]],
            [SEND, number, "others", 77, 0, [[b""]] * 3],
            [RECEIVE, number, queue, 10, False, 20, 1000, "key == 'a'", "me"],
            [RECEIVE, number, queue, 10, True, 0],
            [CREDIT, number, 100],
            [CANCEL, number],
            [ACKNOWLEDGE, number, queue, ["AQAAAAEAAAAAAAAAAAA1Rohg"]],
            [RELEASE, number, queue, ["AQAAAAEAAAAAAAAAAAA1Rohg"], False],
            [EXTEND, number, queue, [["AQAAAAEAAAAAAAAAAAA1Rohg", 1000]]],
        ]
    )


def anything(choice: random.Random) -> Any:
    return choice.choice(
        [
            None, True, -1, 2**53, 2**64 - 1, -(2**63), 1e308, float("nan"), "", "\ud7ff" * 10, "a" * 5000, b"",
            b"\xff" * 9, [], [[]], [None] * 1000, {}, {"a": {}}, msgpack.ExtType(5, b"a"),
            msgpack.Timestamp(2**33, 1), [[[[[[]]]]]],
        ]
    )  # fmt: skip


async def test_frames_that_do_not_end(victim: Broker, others: Others) -> None:
    """15 MiB of each came: those who began most are told to try later, and others are served."""
    others.most = 160 * MIB
    async with many(12, victim, websocket=True) as sockets:
        for socket in sockets:
            await socket.write(head(LONGEST))
        for _ in range(15):
            await asyncio.gather(*(written(socket, bytes(MIB)) for socket in sockets))
            await others.served(1)
        still = [socket for socket in sockets if not socket.reader.at_eof() and not socket.reader.exception()]
        assert len(still) <= 5


async def test_frame_in_parts_without_end(victim: Broker, others: Others) -> None:
    """Of one byte each, or of none: what they are together is bounded as a frame is."""
    async with welcomed(victim) as socket:
        await socket.write(frame(b"\x95", BINARY, 0))
        for part in b"", b"a":
            for _ in range(20):
                await socket.write(frame(part, 0, 0) * 10_000)
            await others.served(1)
        await socket.write(frame(bytes(MIB), 0, 0) * 16)
        assert await ends(socket) in (None, 1009)


async def test_pings_that_nobody_reads_the_answers_of(victim: Broker, others: Others) -> None:
    async with many(10, victim, websocket=True) as sockets:
        flood = frame(bytes(125), PING) * 8_000
        writing = [asyncio.create_task(written(socket, flood)) for socket in sockets]
        await others.served(20)
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)


async def test_upgraded_without_a_hello(victim: Broker, others: Others) -> None:
    async with many(200, victim) as sockets:
        for socket in sockets:
            await socket.write(handshake() + head(LONGEST) + bytes(1000))
        await others.served()


async def test_thousand_receives_of_one_who_does_not_read(victim: Broker, others: Others) -> None:
    """96 MiB wait. What is claimed for it is bounded, however many receives it opens."""
    async with quintet.connect(victim.http_url) as client:
        await client.create_queue("large")
        queue = client.queue("large")
        await asyncio.gather(*(queue.send(bytes(MIB // 4)) for _ in range(384)))
        async with welcomed(victim) as slow:
            for number in range(1100):
                await slow.say(RECEIVE, number, "large", 1000)
            await others.served(50)
            assert (await queue.info()).counts.in_flight < 192
        await client.delete_queue("large")


async def test_one_who_never_acknowledges(victim: Broker, others: Others) -> None:
    async with quintet.connect(victim.http_url) as client:
        await client.create_queue("held")
        queue = client.queue("held")
        for _ in range(3):
            await queue.send_batch([quintet.NewMessage(b"x" * 100)] * 10_000)
        async with welcomed(victim) as holder:
            await holder.say(RECEIVE, 1, "held", 100_000)
            got = 0
            while got < 30_000:
                got += len((await holder.hear())[2])
            others.check_memory()
        await client.delete_queue("held")


async def test_requests_that_are_not_waited_for(victim: Broker, others: Others) -> None:
    """Twenty thousand, of which no answer is read."""
    requests = b"".join(frame(msgpack.packb([ACKNOWLEDGE, number, "none", ["a"] * 10])) for number in range(20_000))
    async with welcomed(victim) as socket:
        writing = asyncio.create_task(written(socket, requests))
        await others.served(20)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)


async def written(socket: Socket, content: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        await socket.write(content)


async def ends(socket: Socket) -> int | None:
    """The code with which the broker closes the connection; None where it tells none."""
    try:
        while True:
            await socket.hear()
    except ConnectionResetError as closed:
        return closed.args[0] if len(closed.args) == 2 else None
