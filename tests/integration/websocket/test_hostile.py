"""Clients that mean no good, or do not read: the connection ends or waits, the broker stays as it is."""

import asyncio
import contextlib
import itertools
import os

import aiohttp
import msgpack
import psutil
import pytest

import quintet
from quintet_api.credentials import key_id, secret_key
from tests.integration.websocket.raw import (
    ACKNOWLEDGE,
    HELLO,
    REFUSED,
    SETTLED,
    WELCOME,
    Closed,
    RawClient,
    connected,
    unwelcomed,
)
from tests.processes import Broker

PROTOCOL_ERROR, TOO_BIG, GOING_AWAY = 1002, 1009, 1001
MIB = 1024 * 1024


async def closing(client: RawClient) -> tuple[int, str]:
    """Code and reason with which the broker closes the connection next."""
    with pytest.raises(Closed) as caught:
        await client.hear()
    code, reason = caught.value.args
    return code, reason


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x91" * 100_000, msgpack.packb("text"), msgpack.packb([[]])])
async def test_what_is_no_frame_ends_the_connection(raw: RawClient, body: bytes) -> None:
    await raw.socket.send_bytes(body)
    code, reason = await closing(raw)
    assert code == PROTOCOL_ERROR
    assert "no frame" in reason


async def test_text_and_a_second_hello_end_the_connection(broker: Broker) -> None:
    async with connected(broker.http_url) as client:
        await client.socket.send_str("[0]")
        assert await closing(client) == (PROTOCOL_ERROR, "Frames are binary.")
    async with connected(broker.http_url) as client:
        await client.say(HELLO, [1])
        assert await closing(client) == (PROTOCOL_ERROR, "A Hello comes once.")


async def test_frames_before_a_hello_and_other_versions_end_the_connection(broker: Broker) -> None:
    async with unwelcomed(broker.http_url) as client:
        await client.say(ACKNOWLEDGE, 1, "orders", ["a"])
        assert (await closing(client))[0] == PROTOCOL_ERROR
    async with unwelcomed(broker.http_url) as client:
        await client.say(HELLO, [2, 3])
        assert await closing(client) == (PROTOCOL_ERROR, "This broker speaks version 1 alone.")
    async with unwelcomed(broker.http_url) as client:
        await client.say(HELLO, [3, 2, 1])
        assert (await client.hear())[:2] == [WELCOME, 1]


async def test_frame_that_is_too_long_ends_the_connection(raw: RawClient) -> None:
    """Before it has come: its length alone is sent."""
    os.write(raw.socket.get_extra_info("socket").fileno(), b"\x82\xff" + (16 * MIB + 1).to_bytes(8) + bytes(4))
    assert (await closing(raw))[0] == TOO_BIG


async def test_client_sends_no_frame_that_is_too_long(queue: quintet.Queue) -> None:
    many = [quintet.NewMessage(bytes(MIB - 1000))] * 17
    with pytest.raises(quintet.MessageTooLarge, match="frame"):
        await queue.send_batch(many)
    assert len(await queue.send_batch(many[:15])) == 15


async def test_what_is_no_websocket_is_refused(broker: Broker) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{broker.http_url}/v1/connect") as answer:
        assert answer.status == 400
        assert "WebSocket" in (await answer.json(content_type=None))["detail"]


async def test_page_in_a_browser_is_refused(broker: Broker) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            async with session.ws_connect(f"{broker.http_url}/v1/connect", origin="http://evil.example"):
                pass
        assert caught.value.status == 403


async def test_keys(secured_broker: Broker) -> None:
    for wrong in None, (key_id("Queue", "default", "a"), "wrong"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            async with connected(secured_broker.http_url, wrong):
                pass
        assert caught.value.status == 401
    key = key_id("Queue", "default", "mine")
    credentials = key, secret_key(secured_broker.master_key.encode(), key)
    async with connected(secured_broker.http_url, credentials) as client:
        for queue, error in ("mine", "QueueNotFound"), ("another", "AccessDenied"):
            assert (await client.ask(ACKNOWLEDGE, queue, ["a"]))[2] == error
            number = await client.receive(queue, 1)
            assert (await client.hear())[:3] == [REFUSED, number, error]


async def test_client_that_does_not_read_costs_little(broker: Broker, queue: quintet.Queue) -> None:
    """96 MiB wait for one who grants credit for all of it and reads nothing."""
    values = [bytes(MIB // 4)] * 384
    await asyncio.gather(*(queue.send(value) for value in values))
    process = psutil.Process(broker.pid)
    before = process.memory_info().rss
    async with connected(broker.http_url) as slow:
        await slow.receive(queue.name, 10_000)
        claimed, unchanged = -1, 0
        async with asyncio.timeout(60):
            while claimed <= 0 or unchanged < 20:
                # Others are served meanwhile.
                counts = (await queue.info()).counts
                unchanged = unchanged + 1 if counts.in_flight == claimed else 0
                claimed = counts.in_flight
        assert process.memory_info().rss - before < 32 * MIB
        assert claimed * (MIB // 4) < 48 * MIB
        assert counts.visible == len(values) - claimed
        # Once it reads, it gets all of them.
        received = 0
        while received < len(values):
            received += len((await slow.hear())[2])


async def test_broker_that_stops_says_so(own_broker: Broker) -> None:
    async with quintet.connect(own_broker.http_url) as client, connected(own_broker.http_url) as raw:
        await client.create_queue("orders")
        receives = [await raw.receive("orders", 5) for _ in range(3)]
        # What is said before is read before.
        assert (await raw.ask(ACKNOWLEDGE, "orders", ["a"]))[0] == SETTLED
        stopping = asyncio.create_task(asyncio.to_thread(own_broker.stop))
        ended = [await raw.hear() for _ in receives]
        assert sorted(ended) == [[REFUSED, number, "Unavailable", 503, "The broker stops."] for number in receives]
        assert await closing(raw) == (GOING_AWAY, "The broker stops.")
        assert await stopping == 0


async def test_who_goes_on_talking_hears_all_that_a_broker_says_before_it_stops(own_broker: Broker) -> None:
    """It reads until the client says goodbye: what it left unread would take what it said from the client."""
    async with quintet.connect(own_broker.http_url) as client, connected(own_broker.http_url) as raw:
        await client.create_queue("orders")

        async def talk() -> None:
            with contextlib.suppress(ConnectionError):
                for number in itertools.count():
                    await raw.say(ACKNOWLEDGE, number, "orders", ["a"])
                    if not number % 10:
                        await asyncio.sleep(0)

        async def hear() -> None:
            while True:
                # It may say more than is served at a time.
                assert (await raw.hear())[0] in (SETTLED, REFUSED)

        talking = asyncio.create_task(talk())
        assert (await raw.hear())[0] == SETTLED
        stopping = asyncio.create_task(asyncio.to_thread(own_broker.stop))
        with pytest.raises(Closed) as caught:
            await hear()
        assert caught.value.args == (GOING_AWAY, "The broker stops.")
        await talking
        assert await stopping == 0


async def test_broker_stops_in_order_though_a_client_does_not_read(own_broker: Broker) -> None:
    async with quintet.connect(own_broker.http_url) as client, connected(own_broker.http_url) as slow:
        await client.create_queue("orders")
        queue = client.queue("orders")
        await asyncio.gather(*(queue.send(bytes(MIB // 4)) for _ in range(100)))
        for _ in range(3):
            await slow.receive("orders", 1000)
        async with asyncio.timeout(60):
            while not (await queue.info()).counts.in_flight:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.02)
        assert await asyncio.to_thread(own_broker.stop) == 0
