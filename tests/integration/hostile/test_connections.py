"""Many connections: idle ones cost little, and beyond what a broker may have new ones alone are refused."""

import asyncio
import contextlib
import os
import resource
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

import quintet
from tests.integration.hostile.others import MIB, Others
from tests.integration.hostile.sockets import Socket, connected, many, request, welcomed
from tests.processes import Broker, RedisServer

IDLE = int(os.environ.get("QUINTET_TEST_IDLE", "2000"))
"""Connections; half of them WebSockets."""
CONNECTION_BYTES = 32 * 1024
"""Of an idle one, at most."""
FEW = 20


@pytest.fixture(autouse=True)
def files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def test_idle_connections_cost_little(victim: Broker, others: Others) -> None:
    others.most = IDLE * CONNECTION_BYTES + 48 * MIB
    async with many(IDLE // 2, victim) as https, many(IDLE // 2, victim, websocket=True) as sockets:
        for connection in https:
            await connection.write(request("GET", "/v1/queues/none"))
        assert {await connection.status() for connection in https} == {404}
        await others.served(20)
        # They are there, all of them.
        for connection in https[:: IDLE // 20]:
            await connection.write(request("GET", "/v1/queues/none"))
            assert await connection.status() == 404
        for connection in sockets[:: IDLE // 20]:
            await connection.say(5, 1, "none", ["a"])
            assert (await connection.hear())[2] == "QueueNotFound"


@pytest.fixture
async def small(tmp_path: Path, redis_server: RedisServer) -> AsyncIterator[Broker]:
    """A broker that has few connections."""
    broker = Broker(tmp_path, redis_server.url, prefix=uuid.uuid4().hex, connections=FEW)
    broker.start()
    yield broker
    broker.kill()


async def test_what_is_beyond_the_limit_is_refused(small: Broker) -> None:
    async with quintet.connect(small.http_url) as client:
        await client.create_queue("mine")
        queue = client.queue("mine")
        async with many(FEW // 2, small) as sockets, many(FEW, small) as more:
            told = [socket for socket in more if not await is_served(socket)]
            assert FEW // 2 <= len(told) < FEW
            assert any(
                b"as many as it may have" in answer for answer in await asyncio.gather(*map(refused, [small] * 9))
            )
            # Those that are in have what they had, and probes have connections of their own.
            assert all([await is_served(socket) for socket in sockets])
            await queue.send(b"value")
            assert small.is_up()
        # Who goes makes room.
        async with asyncio.timeout(60):
            while b" 404 " not in await answered(small):
                pass


async def is_served(socket: Socket) -> bool:
    with contextlib.suppress(ConnectionError):
        await socket.write(request("GET", "/v1/queues/none"))
    return await socket.status() == 404


async def refused(broker: Broker) -> bytes:
    async with connected(broker) as socket:
        return await socket.closed()


async def answered(broker: Broker) -> bytes:
    async with connected(broker) as socket:
        await socket.write(request("GET", "/v1/queues/none", [("Host", "x"), ("Connection", "close")]))
        return await socket.closed()


async def test_clients_that_come_and_go_leave_nothing(victim: Broker, others: Others) -> None:
    async def rounds(count: int) -> None:
        for _ in range(count):
            async with many(100, victim), many(100, victim, websocket=True) as sockets:
                await asyncio.gather(*(socket.say(2, 1, "others-none", 1000) for socket in sockets))
                async with connected(victim) as socket:
                    await socket.write(b"GET / HT")
                async with welcomed(victim) as socket:
                    await socket.write(b"\x82")

    await rounds(2)
    before = others.grown()
    await rounds(6)
    await others.served()
    assert others.grown() - before < 8 * MIB
    assert psutil.Process(victim.pid).num_fds() < 200
