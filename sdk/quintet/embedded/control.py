"""How commands reach a running `quintet up`: HTTP on a Unix socket of its user.

`GET /objects` → {items}; `POST /apply` {paths} and `POST /delete` {paths, names} → {outcomes}, or 409 {problems}.
Paths are absolute: both ends are on one machine, and so every problem names file and line.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from quintet.embedded.errors import CannotRun, Refused
from quintet.embedded.system import System
from quintet.errors import QuintetError

Answer = dict[str, Any]


@asynccontextmanager
async def served(system: System, socket: Path) -> AsyncIterator[None]:
    """While the context is open."""
    app = web.Application()
    app.router.add_get("/objects", _answering(system, _objects))
    app.router.add_post("/apply", _answering(system, _apply))
    app.router.add_post("/delete", _answering(system, _delete))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(socket)).start()
        yield
    finally:
        await runner.cleanup()


def _answering(
    system: System, handle: Callable[[System, web.Request], Awaitable[Answer]]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        try:
            return web.json_response(await handle(system, request))
        except Refused as error:
            return web.json_response({"problems": error.problems}, status=409)
        except (CannotRun, QuintetError) as error:
            return web.json_response({"problems": [str(error)]}, status=503)

    return answer


async def _objects(system: System, _: web.Request) -> Answer:
    return {"items": await system.objects()}


async def _apply(system: System, request: web.Request) -> Answer:
    asked = await request.json()
    return {"outcomes": await system.apply([Path(path) for path in asked["paths"]])}


async def _delete(system: System, request: web.Request) -> Answer:
    asked = await request.json()
    return {"outcomes": await system.delete([Path(path) for path in asked["paths"]], asked["names"])}
