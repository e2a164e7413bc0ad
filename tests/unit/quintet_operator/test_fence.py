"""A write that may not go out any more, found when there is a connection to send it by."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from quintet_operator.fence import open_fence, trace
from quintet_operator.lease import LeaseLost


class Server:
    def __init__(self) -> None:
        self.requests: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(request.method)
        return web.Response(text="ok")


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
async def url(server: Server) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/", server.answer)
    async with TestServer(app) as running:
        yield str(running.make_url("/"))


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(trace_configs=[trace()]) as made:
        yield made


def lost() -> None:
    raise LeaseLost("it is over")


async def ask(session: aiohttp.ClientSession, method: str, url: str, fence: object) -> None:
    async with session.request(method, url, data=b"x" * 10, trace_request_ctx=fence) as response:
        await response.read()


@pytest.mark.parametrize("connected", [False, True])
async def test_nothing_is_sent(connected: bool, session: aiohttp.ClientSession, url: str, server: Server) -> None:
    if connected:
        await ask(session, "GET", url, open_fence)
    for _ in range(3):
        with pytest.raises(LeaseLost):
            await ask(session, "PUT", url, lost)
    await ask(session, "GET", url, open_fence)
    assert set(server.requests) == {"GET"}


async def test_a_lease_that_ends_while_the_connection_is_made(url: str, server: Server) -> None:
    """The check comes after the wait, not before."""
    held = True

    def fence() -> None:
        if not held:
            lost()

    async def begins(*_: object) -> None:
        nonlocal held
        held = False

    waits = aiohttp.TraceConfig()
    waits.on_connection_create_start.append(begins)
    async with aiohttp.ClientSession(trace_configs=[waits, trace()]) as session:
        with pytest.raises(LeaseLost):
            await ask(session, "PUT", url, fence)
    assert server.requests == []
