"""Garbage on the ports that clients do not know."""

import os
import random

import pytest

from tests.integration.hostile.others import MIB, Others
from tests.integration.hostile.sockets import connected, many, post, request
from tests.processes import Broker

GARBAGE = {
    "nothing": b"",
    "HTTP": request("GET", "/"),
    "zeros": bytes(4 * MIB),
    "ones": b"\xff" * 4 * MIB,
    "anything": random.Random(1).randbytes(MIB),
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
async def test_another_brokers_port(victim: Broker, others: Others, content: bytes) -> None:
    """Who does not know the secret is closed within seconds, and told nothing but a challenge."""
    async with connected(victim, "peer_port") as socket:
        try:
            await socket.write(content)
        except ConnectionError:
            return
        await others.served(1)
        assert len(await socket.closed()) <= 64


async def test_another_brokers_port_when_many_come(victim: Broker, others: Others) -> None:
    async with many(500, victim, port="peer_port"):
        await others.served()


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
async def test_admin_port(victim: Broker, others: Others, content: bytes) -> None:
    async with connected(victim, "admin_port") as socket:
        try:
            await socket.write(content)
            socket.writer.write_eof()
            await socket.closed()
        except ConnectionError:
            pass
        await others.served(1)
    assert victim.is_up()


async def test_topology_without_a_token_is_not_read(victim: Broker, others: Others) -> None:
    for token in "", "Bearer ", "Bearer \xff\xfe", "Bearer " + "a" * 5000, "Basic " + os.urandom(9).hex():
        async with connected(victim, "admin_port") as socket:
            headers = [("Host", "x"), ("Authorization", token), ("Content-Length", str(60 * MIB))]
            head = "\r\n".join(["PUT /admin/v1/topology HTTP/1.1", *(f"{n}: {v}" for n, v in headers), "", ""])
            await socket.write(head.encode("latin-1"))
            assert await socket.status() == 401
    for document in b"{", b"[" * 100_000, b'{"revision": [' + b"9" * 5000 + b"]}", b"\xff\xff":
        async with connected(victim, "admin_port") as socket:
            content = post("/admin/v1/topology", document, Authorization=f"Bearer {victim.admin_token}")
            await socket.write(content.replace(b"POST", b"PUT", 1))
            assert await socket.status() == 400
    await others.served()


async def test_admin_port_when_many_come(victim: Broker, others: Others) -> None:
    """The oldest of them go, so that probes come through."""
    async with many(500, victim, port="admin_port") as sockets:
        assert victim.is_up()
        await others.served()
        assert await sockets[0].closed() == b""
