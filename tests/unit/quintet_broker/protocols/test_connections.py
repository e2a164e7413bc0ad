"""What a connection may be too slow for, by sockets of loopback and limits of a fraction of a second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from aiohttp import web

from quintet_broker.protocols import connections
from quintet_broker.protocols.connections import Connection, Connections, Site

ASKED = b"GET /%s HTTP/1.1\r\nHost: broker\r\n\r\n"
MUCH = 32 * 1024 * 1024
"""Bytes: more than sockets hold."""
LONG = 3600.0
BOUND = 30
"""Seconds."""


@pytest.fixture(autouse=True)
def only_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test shortens the limit that it is about."""
    monkeypatch.setattr(connections, "LOOKED_AT_EVERY", 0.01)
    for limit in "WITHIN", "IDLE":
        monkeypatch.setattr(connections, limit, LONG)


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, Connections]]:
    """A client's end, and all connections of the port."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=bytes(MUCH if request.path == "/much" else 1))

    app = web.Application()
    app.router.add_get("/{size}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    those = Connections(10)
    await Site(runner, partial(Connection, those), "127.0.0.1", 0).start()
    try:
        reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        async with asyncio.timeout(BOUND):
            yield reader, writer, those
        writer.transport.abort()
    finally:
        await runner.cleanup()


async def until_closed(those: Connections) -> None:
    while len(those):  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)


async def test_a_request_that_does_not_come_whole_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected() as (reader, writer, those):
        writer.write(ASKED[:-2] % b"little")
        while not len(those):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert not reader.at_eof()
        monkeypatch.setattr(connections, "WITHIN", 0.05)
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not come whole in time" in answer


async def test_who_does_not_read_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected() as (_, writer, those):
        writer.write(ASKED % b"much")
        monkeypatch.setattr(connections, "WITHIN", 0.05)
        while not len(those):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await until_closed(those)


async def test_a_connection_without_a_request_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE", 0.1)
    async with connected() as (reader, writer, those):
        writer.write(ASKED % b"little")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 ")
        await until_closed(those)
