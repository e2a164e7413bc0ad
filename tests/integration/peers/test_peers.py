"""Two brokers that ask each other over loopback."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from quintet_broker.engine.peers import connection, link, listener
from quintet_broker.engine.peers.connection import Connection
from quintet_broker.engine.peers.peers import Peers
from quintet_broker.engine.peers.wire import Call
from quintet_broker.engine.pool.owners import Member, Owners
from quintet_broker.engine.records.record import Record
from quintet_broker.engine.requests import Append, Count, Counts, Delivery, Purge, Receive, Request
from quintet_broker.errors import BrokerError, NotOwner, QueueFull, Unavailable
from tests.processes import free_port

SHARD = 5
RECORD = Record(b"value", 0)
DELIVERY = Delivery(0, 7, 9, 1, 1, 0, 1000, [RECORD])


class Broker:
    """One end: notes what it is asked, and answers by hand."""

    def __init__(self, name: str, port: int, secret: bytes = b"secret") -> None:
        self.asked: asyncio.Queue[Request[Any]] = asyncio.Queue()
        self.heard: list[int] = []
        self.refusal: BrokerError | None = None
        self.member = Member(name, 1, f"127.0.0.1:{port}")
        self.peers = Peers(self.member, secret, self._serve, self.heard.append)

    def _serve(self, shard: int, request: Request[Any]) -> None:
        assert shard == SHARD
        if self.refusal:
            raise self.refusal
        self.asked.put_nowait(request)

    async def listen(self) -> None:
        host, _, port = self.member.peer.rpartition(":")
        await self.peers.listen(host, int(port))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - another task brings it about
            await asyncio.sleep(0.001)


async def connect(one: Broker, other: Broker, generation: int = 1) -> None:
    """Until the first can ask the second."""
    one.peers.follow(Owners(generation, (one.member, other.member)))
    await until(lambda: one.peers._links[other.member.name]._connection is not None)


@pytest.fixture
async def both() -> AsyncIterator[tuple[Broker, Broker]]:
    one, other = Broker("broker-0", free_port()), Broker("broker-1", free_port())
    for broker in one, other:
        await broker.listen()
    await connect(one, other)
    yield one, other
    for broker in one, other:
        await broker.peers.stop()


async def test_a_request_is_served_by_the_other(both: tuple[Broker, Broker]) -> None:
    one, other = both
    count = Count(1)
    one.peers.ask(other.member, SHARD, count)
    (await other.asked.get()).answer(Counts(1, 2, 3))
    assert await count.future == Counts(1, 2, 3)


async def test_a_refusal_is_told_as_what_it_is(both: tuple[Broker, Broker]) -> None:
    one, other = both
    append = Append(1, [RECORD], [None])
    one.peers.ask(other.member, SHARD, append)
    (await other.asked.get()).refuse(QueueFull("It is full."))
    with pytest.raises(QueueFull, match="It is full"):
        await append.future
    other.refusal = NotOwner()
    again = append.again()
    one.peers.ask(other.member, SHARD, again)
    with pytest.raises(NotOwner):
        await again.future


async def test_who_goes_is_not_waited_for(both: tuple[Broker, Broker]) -> None:
    one, other = both
    receive = Receive(1, 10, 1000, 2000)
    one.peers.ask(other.member, SHARD, receive)
    asked = await other.asked.get()
    receive.future.cancel()
    await until(asked.future.cancelled)


async def test_receives_that_wait_at_the_other_are_ended(both: tuple[Broker, Broker]) -> None:
    """And what it delivered to them meanwhile is given back."""
    one, other = both
    receive, count = Receive(1, 10, 1000, 2000), Count(1)
    unheard: list[Delivery] = []
    receive.unheard = unheard.extend
    for request in receive, count:
        one.peers.ask(other.member, SHARD, request)
    asked, counted = [await other.asked.get() for _ in range(2)]
    one.peers.end_waits()
    assert receive.future.result() == []
    asked.answer([DELIVERY])
    counted.answer(Counts(1, 2, 3))
    await one.peers.settled()
    assert unheard == [DELIVERY]
    assert count.future.result() == Counts(1, 2, 3)


async def test_a_receive_that_is_ended_waits_at_the_other_no_more(both: tuple[Broker, Broker]) -> None:
    one, other = both
    one.peers.ask(other.member, SHARD, Receive(1, 10, 1000, 2000))
    asked = await other.asked.get()
    one.peers.end_waits()
    await until(asked.future.cancelled)


async def test_before_the_end_it_is_heard_what_was_delivered(both: tuple[Broker, Broker]) -> None:
    """Though nobody waits for it any more, as answer and cancellation pass each other on the way: else it would be
    hidden for its visibility timeout."""
    one, other = both
    receive = Receive(1, 10, 1000, 2000)
    unheard: list[Delivery] = []
    receive.unheard = unheard.extend
    one.peers.ask(other.member, SHARD, receive)
    (await other.asked.get()).answer([DELIVERY])
    receive.future.cancel()
    await one.peers.settled()
    assert unheard == [DELIVERY]
    await one.peers.settled()


async def test_who_left_is_heard_until_it_has_answered(both: tuple[Broker, Broker]) -> None:
    """And ends only then."""
    one, other = both
    receive = Receive(1, 10, 1000, 2000)
    one.peers.ask(other.member, SHARD, receive)
    asked = await other.asked.get()
    one.peers.follow(Owners(2, (one.member,)))
    with pytest.raises(NotOwner):
        one.peers.ask(other.member, SHARD, Count(1))
    stopping = asyncio.create_task(other.peers.stop())
    await asyncio.sleep(0)
    asked.answer([DELIVERY])
    assert await receive.future == [DELIVERY]
    await stopping
    await one.peers.settled()


async def test_who_left_and_is_silent_is_not_waited_for(
    both: tuple[Broker, Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = both
    count = Count(1)
    one.peers.ask(other.member, SHARD, count)
    await other.asked.get()
    monkeypatch.setattr(link, "SPEAKS_WITHIN", 0.0)
    one.peers.follow(Owners(2, (one.member,)))
    with pytest.raises(NotOwner):
        await count.future


async def test_a_broken_link_says_what_may_be_asked_again(
    both: tuple[Broker, Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An append without a producer may be stored: a second one would double it."""
    monkeypatch.setattr(listener, "HANGS_UP_WITHIN", 0)
    one, other = both
    unknown, sure, purge = Append(1, [RECORD], [None]), Append(1, [RECORD], [None], 7, [0]), Purge(1)
    for request in unknown, sure, purge:
        one.peers.ask(other.member, SHARD, request)
        await other.asked.get()
    await other.peers.stop()
    with pytest.raises(Unavailable):
        await unknown.future
    for request in sure, purge:
        with pytest.raises(NotOwner):
            await request.future


async def test_a_link_comes_back(both: tuple[Broker, Broker], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HANGS_UP_WITHIN", 0)
    one, other = both
    await other.peers.stop()
    await until(lambda: one.peers._links[other.member.name]._connection is None)
    with pytest.raises(NotOwner):
        one.peers.ask(other.member, SHARD, Count(1))
    await other.listen()
    await connect(one, other)


async def test_a_link_that_is_silent_counts_as_broken(
    both: tuple[Broker, Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nobody closed it: what is on its way would else wait for ever."""
    one, other = both
    await one.peers.stop()
    monkeypatch.setattr(connection, "SILENT_FOR", 0.2)
    monkeypatch.setattr(connection, "SPEAKS_EVERY", 60)
    await one.listen()
    await connect(one, other)

    async def ask() -> None:
        """It may be broken already."""
        count = Count(1)
        one.peers.ask(other.member, SHARD, count)
        await count.future

    with pytest.raises(NotOwner):
        await asyncio.wait_for(ask(), 30)


async def test_a_link_without_requests_speaks(both: tuple[Broker, Broker], monkeypatch: pytest.MonkeyPatch) -> None:
    """More often than it must, so that it lasts."""
    assert connection.SPEAKS_EVERY < connection.SILENT_FOR / 2
    one, other = both
    await one.peers.stop()
    monkeypatch.setattr(connection, "SPEAKS_EVERY", 0.02)
    await one.listen()
    await connect(one, other)
    heard = len(one.heard), len(other.heard)
    await until(lambda: len(one.heard) > heard[0] + 2 and len(other.heard) > heard[1] + 2)


async def test_a_change_spreads_with_the_traffic(both: tuple[Broker, Broker]) -> None:
    one, other = both
    one.peers.follow(Owners(17, (one.member, other.member)))
    one.peers.tell_generation()
    await until(lambda: 17 in other.heard)


async def test_who_links_tells_its_generation_at_once(
    both: tuple[Broker, Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the others hear of a broker that has just come."""
    one, other = both
    await one.peers.stop()
    monkeypatch.setattr(connection, "SPEAKS_EVERY", 3600)
    await one.listen()
    await connect(one, other, generation=23)
    await until(lambda: 23 in other.heard)


async def test_a_verb_is_answered_and_its_failure_told(both: tuple[Broker, Broker]) -> None:
    one, other = both

    async def verb(argument: bytes) -> str:
        if argument == b"no":
            raise QueueFull("It is full.")
        return argument.decode()

    other.peers.serve("say", verb)
    [(name, answer)] = (await one.peers.call_all("say", b"hello", 5)).items()
    assert (name, msgspec.msgpack.decode(answer)) == ("broker-1", "hello")
    with pytest.raises(QueueFull):
        await one.peers.call(other.member, "say", b"no")
    assert await one.peers.call_all("say", b"no", 5) == {}


async def test_who_does_not_know_the_secret_is_not_served() -> None:
    one, other = Broker("broker-0", free_port(), b"another"), Broker("broker-1", free_port())
    await other.listen()
    one.peers.follow(Owners(1, (one.member, other.member)))
    link = one.peers._links[other.member.name]
    for _ in range(20):
        await asyncio.sleep(0.005)
        assert link._connection is None
    with pytest.raises(NotOwner):
        one.peers.ask(other.member, SHARD, Count(1))
    for broker in one, other:
        await broker.peers.stop()


async def test_a_link_closes_though_the_other_end_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is unsent would else be held until its system gives up."""
    monkeypatch.setattr(connection, "CLOSES_WITHIN", 0.05)
    ends, ended = asyncio.Event(), asyncio.Event()

    async def read_nothing(_: object, writer: asyncio.StreamWriter) -> None:
        await ends.wait()
        writer.close()
        ended.set()

    port = free_port()
    server = await asyncio.start_server(read_nothing, "127.0.0.1", port)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    link = Connection(reader, writer, lambda: 1)
    link.send(Call(1, "say", bytes(connection.UNSENT_MAX // 2)))
    link.flush()
    assert writer.transport.get_write_buffer_size() > 0
    link.close()
    with contextlib.suppress(OSError):
        await asyncio.wait_for(writer.wait_closed(), 30)
    ends.set()
    await ended.wait()
    server.close()


async def test_what_is_no_frame_ends_the_link_alone(both: tuple[Broker, Broker]) -> None:
    one, other = both
    host, _, port = other.member.peer.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\n\r\n" + b"x" * 100)
    async with asyncio.timeout(30):
        await reader.read()
    writer.close()
    count = Count(1)
    one.peers.ask(other.member, SHARD, count)
    (await other.asked.get()).answer(Counts(0, 0, 0))
    assert await count.future == Counts(0, 0, 0)
