"""What a link has to say: in order, and nothing that nobody waits for any more."""

import asyncio

from quintet.outbox import Outbox


class Socket:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.takes = asyncio.Event()
        self.breaks = False

    async def write(self, frame: bytes) -> None:
        self.written.append(frame)
        await self.takes.wait()
        if self.breaks:
            raise ConnectionResetError


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_is_taken_back_is_not_said() -> None:
    socket = Socket()
    outbox = Outbox(socket.write, lambda: None)
    places = [outbox.put(frame) for frame in (b"a", b"b", b"c")]
    await turns()
    # The first is under way.
    outbox.take_back(places[0])
    outbox.take_back(places[1])
    socket.takes.set()
    await turns()
    assert socket.written == [b"a", b"c"]
    outbox.put(b"d")
    await turns()
    assert socket.written == [b"a", b"c", b"d"]
    outbox.close()


async def test_it_tells_that_nothing_can_be_written() -> None:
    socket = Socket()
    broken = asyncio.Event()
    outbox = Outbox(socket.write, broken.set)
    outbox.put(b"a")
    socket.breaks = True
    socket.takes.set()
    async with asyncio.timeout(30):
        await broken.wait()


async def test_what_the_socket_takes_is_written_at_once() -> None:
    socket = Socket()
    socket.takes.set()
    outbox = Outbox(socket.write, lambda: None)
    outbox.put(b"a")
    outbox.put(b"b")
    assert socket.written == [b"a", b"b"]
    socket.takes.clear()
    outbox.put(b"c")
    outbox.put(b"d")
    assert socket.written == [b"a", b"b", b"c"]
    socket.takes.set()
    await turns()
    assert socket.written == [b"a", b"b", b"c", b"d"]
    outbox.close()
