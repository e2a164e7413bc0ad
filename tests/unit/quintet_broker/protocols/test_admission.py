"""The room that bodies have together."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from quintet_broker.errors import BodyTimeout, InvalidArgument, Overloaded
from quintet_broker.protocols.admission import Admission

LIMIT = 1000


class Holding:
    """A server that keeps each body until `released`."""

    def __init__(self) -> None:
        self.admission = Admission(most=2 * LIMIT, within=0.2)
        self.held = asyncio.Semaphore(0)
        self.released = asyncio.Event()

    async def serve(self, request: web.Request) -> web.Response:
        try:
            async with self.admission.body(request) as body:
                self.held.release()
                await self.released.wait()
                return web.Response(body=body)
        except (BodyTimeout, InvalidArgument, Overloaded) as error:
            return web.Response(status=400, text=type(error).__name__)


@pytest.fixture
async def holding() -> Holding:
    return Holding()


@pytest.fixture
async def url(holding: Holding) -> AsyncIterator[str]:
    app = web.Application(client_max_size=LIMIT)
    app.router.add_post("/", holding.serve)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


async def post(url: str, body: bytes | AsyncIterator[bytes]) -> bytes:
    async with ClientSession() as session, session.post(url, data=body) as response:
        return await response.read()


async def unending() -> AsyncIterator[bytes]:
    yield b"x" * LIMIT
    await asyncio.Event().wait()


async def test_bodies_that_are_held_take_the_room(holding: Holding, url: str) -> None:
    bodies = [bytes([number]) * LIMIT for number in range(2)]
    answers = [asyncio.create_task(post(url, body)) for body in bodies]
    for _ in bodies:
        await holding.held.acquire()
    assert await post(url, b"x") == b"Overloaded"
    assert await post(url, unending()) == b"Overloaded", "what cannot have room is not waited for"
    holding.released.set()
    assert await asyncio.gather(*answers) == bodies
    assert await post(url, b"x") == b"x"


async def test_what_does_not_come_in_time_gives_its_room_back(holding: Holding, url: str) -> None:
    holding.released.set()
    for _ in range(3):
        assert await asyncio.wait_for(post(url, unending()), 10) == b"BodyTimeout"
    assert await post(url, b"x" * LIMIT) == b"x" * LIMIT


async def test_what_is_too_large_gives_its_room_back(holding: Holding, url: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LIMIT + 1):
            yield b"x"

    holding.released.set()
    for _ in range(3):
        assert b"Maximum request body size 1000 exceeded" in await post(url, b"x" * (LIMIT + 1))
        assert b"Maximum request body size 1000 exceeded" in await post(url, chunks())
    assert await post(url, b"x" * LIMIT) == b"x" * LIMIT
