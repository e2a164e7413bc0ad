"""What clients are told: in order, each who waits for room by itself."""

import asyncio
from collections.abc import Sequence

import pytest

from quintet_broker.protocols.websocket.outbox import AT_ONCE, ROOM, Outbox

LONG = bytes(ROOM + 1)


class Socket:
    """Takes one frame, and the next ones as it is told."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.takes = asyncio.Semaphore(1)
        self.breaks = False

    async def write(self, frame: bytes) -> None:
        await self.takes.acquire()
        if self.breaks:
            raise ConnectionResetError
        self.written.append(frame)

    def write_together(self, frames: Sequence[bytes]) -> None:
        self.written += frames

    def take_all(self) -> None:
        for _ in range(1000):
            self.takes.release()


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_is_cancelled_leaves_the_others_waiting() -> None:
    socket = Socket()
    outbox = Outbox(socket.write, socket.write_together, lambda: AT_ONCE)
    first = [LONG, LONG]
    for frame in first:
        await outbox.put([frame])
    waiting = [asyncio.ensure_future(outbox.put([frame])) for frame in (b"a", b"b", b"c")]
    await turns()
    waiting[0].cancel()
    await turns()
    assert [task.done() for task in waiting] == [True, False, False]
    socket.take_all()
    await asyncio.gather(*waiting[1:])
    await outbox.written()
    assert socket.written == [*first, b"b", b"c"]
    outbox.close()


@pytest.mark.parametrize("ends", ["breaks", "is closed"])
async def test_who_waits_hears_that_the_client_has_gone(ends: str) -> None:
    socket = Socket()
    outbox = Outbox(socket.write, socket.write_together, lambda: AT_ONCE)
    for frame in LONG, LONG:
        await outbox.put([frame])
    waiting = [asyncio.ensure_future(outbox.put([b"a"])) for _ in range(3)]
    everything = asyncio.ensure_future(outbox.written())
    await turns()
    assert not any(task.done() for task in [*waiting, everything])
    if ends == "breaks":
        socket.breaks = True
        socket.take_all()
    else:
        outbox.close()
    async with asyncio.timeout(30):
        results = await asyncio.gather(*waiting, return_exceptions=True)
        await everything
    assert all(isinstance(result, ConnectionError) for result in results)
    with pytest.raises(ConnectionError):
        await outbox.put([b"late"])


async def test_what_has_room_is_written_at_once_where_nothing_waits() -> None:
    socket = Socket()
    socket.take_all()
    unread = 0
    outbox = Outbox(socket.write, socket.write_together, lambda: unread)
    await outbox.put([b"a", b"b"])
    assert socket.written == [b"a", b"b"]
    unread = AT_ONCE
    await outbox.put([b"c"])
    unread = 0
    # The one before is still to be written: nothing overtakes it.
    await outbox.put([b"d", b"e"])
    assert socket.written == [b"a", b"b"]
    await outbox.written()
    assert socket.written == [b"a", b"b", b"c", b"d", b"e"]
    outbox.close()
