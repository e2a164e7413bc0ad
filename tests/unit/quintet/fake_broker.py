"""A broker that says what each test tells it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

from quintet import frames

FRAME_BYTES = 16 * 1024 * 1024
WELCOME = frames.Welcome(1, "broker-0", FRAME_BYTES)
Speak = Callable[["FakeBroker"], Awaitable[None]]


class FakeBroker:
    """The broker's end of a connection, behind its welcome."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._socket = socket

    async def hear(self) -> Any:
        """The next frame, as an array; None where the client has gone."""
        message = await self._socket.receive()
        return msgspec.msgpack.decode(message.data) if message.type == web.WSMsgType.BINARY else None

    async def say(self, frame: Any) -> None:
        await self._socket.send_bytes(frames.encode(frame))


@asynccontextmanager
async def speaking(speak: Speak, welcome: Any = WELCOME) -> AsyncIterator[str]:
    """Its URL. Each connection is welcomed and spoken to."""

    async def connect(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=FRAME_BYTES + 1)
        await socket.prepare(request)
        await socket.receive()
        await socket.send_bytes(frames.encode(welcome))
        assert request.transport
        await speak(FakeBroker(socket, request.transport))
        return socket

    async def info(request: web.Request) -> web.Response:
        return web.json_response(
            {
                "name": request.match_info["name"],
                "origin": "Runtime",
                "spec": {"visibilityTimeout": "30s", "consumers": "Shared"},
                "counts": {"visible": 0, "inFlight": 0, "delayed": 0},
                "activeConsumer": None,
                "createdAt": 1,
                "modifiedAt": 1,
            }
        )

    app = web.Application()
    app.router.add_get("/v1/connect", connect)
    app.router.add_get("/v1/queues/{name}", info)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
