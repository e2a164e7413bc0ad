"""What a liveness probe is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from quintet.errors import InvalidArgument

if TYPE_CHECKING:
    from aiohttp import web

    from quintet.worker.worker import Worker

PATH = "/healthz"


@asynccontextmanager
async def answering(worker: "Worker", port: int) -> AsyncIterator[None]:
    """Answers `GET /healthz` on all addresses: 200 while the worker is healthy, else 503, with how it goes with each
    queue as JSON. Raises InvalidArgument where the port is taken."""
    from aiohttp import web

    async def health(_: "web.Request") -> "web.Response":
        queues = {name: asdict(health) for name, health in worker.health().items()}
        return web.json_response(queues, status=200 if worker.healthy else 503)

    app = web.Application()
    app.router.add_get(PATH, health)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, port=port).start()
        except OSError as error:
            raise InvalidArgument(f"Probes cannot be answered: {error}") from error
        yield
    finally:
        await runner.cleanup()
