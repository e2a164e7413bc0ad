"""The broker's end of a WebSocket, over a connection that takes what it is given."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet_broker.errors import Overloaded, Unavailable
from quintet_broker.protocols.websocket import socket as sockets
from quintet_broker.protocols.websocket.socket import ROOM, Socket
from tests.unit.quintet_broker.protocols.websocket.wire import BINARY, CLOSE, PING, PONG, TEXT, Wire, message

LONGEST = 300_000
LONG = bytes(ROOM + 1)


class End:
    """A socket and what it handed on."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.taken: list[list[bytes]] = []
        self.lost = 0
        self.socket = Socket(self.wire.as_connection(), LONGEST, self.taken.append, self._lost)
        self.socket.open()

    def _lost(self) -> None:
        self.lost += 1

    def closed(self) -> tuple[int, bytes] | None:
        """The code and the reason that the client was told."""
        return next(((int.from_bytes(told[:2]), told[2:]) for kind, told in self.wire.heard if kind == CLOSE), None)


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@given(
    st.lists(st.binary(max_size=70_000) | st.integers(0, 4).map(lambda size: b"a" * (size + 124)), max_size=6),
    st.lists(st.integers(1, 100_000), max_size=20),
    st.binary(min_size=4, max_size=4),
)
def test_messages_are_handed_on_whole_however_they_come(bodies: list[bytes], cuts: list[int], mask: bytes) -> None:
    async def steps() -> None:
        end = End()
        content = b"".join(message(body, mask=mask) for body in bodies)
        for cut in [*cuts, len(content)]:
            end.wire.say(content[:cut])
            content = content[cut:]
        assert [body for some in end.taken for body in some] == bodies

    asyncio.run(steps())


async def test_what_came_together_is_handed_on_together() -> None:
    end = End()
    end.wire.say(message(b"a"), message(b"b", fin=False), message(b"", PING), message(b"c", 0), message(b"d")[:-1])
    assert end.taken == [[b"a"], [b"bc"]]
    assert end.wire.heard == [(PONG, b"")]


@pytest.mark.parametrize("sizes", [[0], [125, 126], [65_535], [65_536, 1], [200_000]])
async def test_what_is_said_is_read(sizes: list[int]) -> None:
    end = End()
    end.socket.write([bytes(size) for size in sizes])
    assert end.wire.heard == [(BINARY, bytes(size)) for size in sizes]


async def test_what_is_no_message_closes_with_a_reason_behind_what_came_before() -> None:
    for content, code in (
        (message(b"[0]", TEXT), 1002),
        (message(b"a", 3), 1002),
        (message(bytes(LONGEST + 1)), 1009),
    ):
        end = End()
        end.wire.say(message(b"a"), content, message(b"b"))
        found = end.closed()
        assert found
        assert found[0] == code
        assert found[1]
        assert end.taken == [[b"a"]]
        with pytest.raises(ConnectionError):
            end.socket.write([b"a"])


async def test_goodbye_is_answered_and_ends_the_connection() -> None:
    end = End()
    end.wire.say(message(b"a"), message(b"\x03\xe8", CLOSE))
    assert (end.taken, end.closed(), end.lost) == ([[b"a"]], (1000, b""), 1)
    with pytest.raises(ConnectionError):
        end.socket.write([b"a"])
    end.socket.answer([b"a"])
    with pytest.raises(ConnectionError):
        await end.socket.room()


async def test_who_does_not_answer_a_goodbye_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "CLOSES_WITHIN", 0.01)
    end = End()
    end.socket.close(1001, "x" * 200)
    end.socket.close(1002, "another")
    assert end.closed() == (1001, b"x" * 123)
    async with asyncio.timeout(30):
        while not end.lost:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    assert end.wire.aborted


async def test_who_has_more_to_tell_waits_until_the_client_reads() -> None:
    end = End()
    end.wire.reads = False
    end.socket.write([LONG])
    waiting = [asyncio.ensure_future(end.socket.room()) for _ in range(3)]
    await turns()
    waiting[0].cancel()
    await turns()
    assert [task.done() for task in waiting] == [True, False, False]
    assert not end.wire.is_held_back
    end.wire.read()
    await asyncio.gather(*waiting[1:])
    assert end.socket.has_room


@pytest.mark.parametrize("ends", ["the client goes", "it is told goodbye"])
async def test_who_waits_hears_that_the_client_has_gone(ends: str) -> None:
    end = End()
    end.wire.reads = False
    end.socket.write([LONG])
    waiting = [asyncio.ensure_future(end.socket.room()) for _ in range(3)]
    await turns()
    if ends == "the client goes":
        end.wire.go()
    else:
        end.socket.close(1001, "")
    async with asyncio.timeout(30):
        results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(result, ConnectionError) for result in results)


async def test_of_who_does_not_read_answers_nothing_is_taken() -> None:
    """Be they pongs, or what is told at once."""
    end = End()
    end.wire.reads = False
    end.socket.write([LONG])
    end.wire.say(message(b"", PING))
    assert end.wire.is_held_back
    end.wire.read()
    assert not end.wire.is_held_back
    end.wire.reads = False
    end.socket.answer([LONG])
    assert end.wire.is_held_back


async def test_silent_client_is_pinged_and_then_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "HEARTBEAT", 0.02)
    monkeypatch.setattr(sockets, "PONG_WITHIN", 0.02)
    end = End()
    async with asyncio.timeout(30):
        while not end.lost:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    assert end.wire.aborted
    assert end.wire.heard == [(PING, b"")]


async def test_farewell_tells_whether_to_try_again() -> None:
    socket = End().socket
    assert socket.farewell(Overloaded("Later."))[2:] == (1013).to_bytes(2) + b"Later."
    assert socket.farewell(Unavailable("x" * 500))[:4] == bytes([0x88, 125]) + (1008).to_bytes(2)
